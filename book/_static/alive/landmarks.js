// Five landmarks to drag: the chip is aligned anew at once, by the code of the page "Try it" (book/browser/).
"use strict";
(() => {
  const NAMES = ["left eye", "right eye", "nose", "left mouth corner", "right mouth corner"];
  const SWAPPED = [1, 0, 2, 4, 3];
  const CHIP = 112;
  const FLAT = 0.01; // as in facelab/align/similarity.py

  alive.figures.landmarks = async (element, data) => {
    await alive.load("panel.js");
    globalThis.facelab ??= { facts: {} };
    facelab.facts.template = data.template;
    await alive.load("../browser/align.js");
    await alive.load("../browser/draw.js");

    const { width, height, template } = data;
    const grey = Uint8Array.from(atob(data.grey), (letter) => letter.charCodeAt(0));
    const picture = { width, height, rgb: Uint8Array.from({ length: 3 * grey.length }, (_, i) => grey[Math.floor(i / 3)]) };
    let points = data.landmarks.map((point) => [...point]);

    const photograph = alive.html("canvas", { width, height, role: "img", "aria-label": "A photograph of a man with a tilted head" });
    facelab.drawPixels(photograph, picture);
    const handles = NAMES.map((name, k) => handle(name, k));
    const stage = alive.html("div", { class: "alive-stage" }, photograph, ...handles);
    const chip = alive.html("canvas", { width: CHIP, height: CHIP, role: "img", "aria-label": "The chip" });
    const over = alive.svg("svg", { viewBox: `-0.5 -0.5 ${CHIP} ${CHIP}`, "aria-hidden": "true", class: "alive-fit" });
    const voice = alive.voice(), why = alive.html("p");
    const numbers = alive.numbers({
      residual: "Residual, mean of five, pixels of the chip", largest: "The largest of them",
      turn: "Turned, clockwise", scale: "Scaled by",
    });
    const swap = alive.html("button", { type: "button", "aria-pressed": "false" }, "Swap left and right");
    const reset = alive.html("button", { type: "button" }, "Back to MTCNN's points");

    function handle(name, k) {
      const button = alive.html("button", { type: "button", class: "alive-handle" }, alive.html("span", {}, String(k + 1)));
      const to = (x, y) => {
        const round = (value, most) => Math.round(10 * Math.min(Math.max(value, 0), most)) / 10;
        points[k] = [round(x, width - 1), round(y, height - 1)];
        draw();
      };
      button.addEventListener("keydown", (event) => {
        const step = event.shiftKey ? 5 : 1;
        const [dx, dy] = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key] ?? [];
        if (dx === undefined) return;
        event.preventDefault(); // the page does not scroll
        to(points[k][0] + dx, points[k][1] + dy);
      });
      button.addEventListener("pointerdown", (event) => {
        button.setPointerCapture(event.pointerId);
        button.focus();
        event.preventDefault();
      });
      button.addEventListener("pointermove", (event) => {
        if (!button.hasPointerCapture(event.pointerId)) return;
        const box = photograph.getBoundingClientRect(); // a pixel's centre has whole coordinates
        to(((event.clientX - box.left) / box.width) * width - 0.5, ((event.clientY - box.top) / box.height) * height - 0.5);
      });
      return button;
    }

    function draw() {
      handles.forEach((button, k) => {
        const [x, y] = points[k];
        button.style.left = `${(100 * (x + 0.5)) / width}%`;
        button.style.top = `${(100 * (y + 0.5)) / height}%`;
        button.setAttribute("aria-label", `${k + 1}, ${NAMES[k]}: x ${alive.number(x, 1)}, y ${alive.number(y, 1)}; move it with the arrow keys`);
      });
      const cross = ([x, y]) => alive.svg("path", { d: `M${x - 3} ${y}h6M${x} ${y - 3}v6` });
      const refused = fault(points);
      if (refused) {
        chip.getContext("2d").clearRect(0, 0, CHIP, CHIP);
        over.replaceChildren(...template.map(cross));
        numbers.set({ residual: "–", largest: "–", turn: "–", scale: "–" });
        why.textContent = `The points ${refused}. The package refuses such landmarks, instead of stretching noise into a chip.`;
        voice.say(`The points ${refused}.`);
        return;
      }
      const [[a, minus, tx], [b, , ty]] = facelab.similarity(points, template);
      const moved = points.map(([x, y]) => [a * x + minus * y + tx, b * x + a * y + ty]);
      const left = moved.map(([x, y], k) => Math.hypot(x - template[k][0], y - template[k][1]));
      facelab.drawChip(chip, facelab.align(picture, points));
      over.replaceChildren(...template.map(cross), ...moved.map(([x, y], k) => alive.svg("g", {},
        alive.svg("line", { x1: x, y1: y, x2: template[k][0], y2: template[k][1] }),
        alive.svg("circle", { cx: x, cy: y, r: 2 }))));
      const mean = left.reduce((sum, one) => sum + one, 0) / left.length, worst = left.indexOf(Math.max(...left));
      numbers.set({
        residual: alive.number(mean), largest: `${alive.number(left[worst])} (${NAMES[worst]})`,
        turn: `${alive.number((Math.atan2(b, a) * 180) / Math.PI, 1)}°`, scale: alive.number(Math.hypot(a, b), 3),
      });
      why.textContent = points[1][0] < points[0][0]
        ? "Left and right are swapped. No turn and no scale brings these points to the template: what fits least badly is a spot of a face. A solver that may also reflect would show a mirrored face with a small residual, and nobody would notice."
        : "Crosses are the template, rings are the five points after the transform. What is left between them is the shape of the face and the pose of the head.";
      voice.say(`Residual ${alive.number(mean)} pixels.`);
    }

    swap.addEventListener("click", () => {
      points = SWAPPED.map((k) => points[k]);
      swap.setAttribute("aria-pressed", String(swap.getAttribute("aria-pressed") === "false"));
      draw();
    });
    reset.addEventListener("click", () => {
      points = data.landmarks.map((point) => [...point]);
      swap.setAttribute("aria-pressed", "false");
      draw();
    });
    element.append(
      alive.html("p", { class: "alive-title" }, "Move the landmarks"),
      alive.html("p", {}, "Drag a point, or choose it with the Tab key and move it with the arrow keys (with Shift, five pixels). The chip is aligned anew at once."),
      alive.html("div", { class: "alive-pair" },
        alive.html("div", {}, stage, alive.html("p", {}, "Photograph: AT&T Laboratories Cambridge (ORL)")),
        alive.html("div", {}, alive.html("div", { class: "alive-stage" }, chip, over), alive.html("p", {}, "The chip, 112 × 112 pixels"))),
      alive.html("div", { class: "alive-buttons" }, swap, reset), numbers.element, why, voice.element,
    );
    draw();
  };

  // What the package says of landmarks that it refuses; else nothing. See facelab/align/similarity.py.
  function fault(points) {
    const mean = (axis) => points.reduce((sum, point) => sum + point[axis], 0) / points.length;
    const [mx, my] = [mean(0), mean(1)];
    let spread = 0, real = 0, imaginary = 0; // Σ|p|² and Σp²
    for (const [x, y] of points.map(([x, y]) => [x - mx, y - my])) {
      spread += x * x + y * y;
      real += x * x - y * y;
      imaginary += 2 * x * y;
    }
    if (spread < 1e-9) return "coincide, so scale and rotation are undefined";
    if (spread - Math.hypot(real, imaginary) <= FLAT ** 2 * 2 * spread) return "lie on a line, as no face's do";
    return "";
  }
})();
