// Non-maximum suppression on what P-Net proposes, by the code of the page "Try it" (book/browser/mtcnn.js).
"use strict";
(() => {
  const HIT = 0.5; // a kept box stands for a face from this IoU on, as in the chapter

  alive.figures.suppression = async (element, data) => {
    await alive.load("panel.js");
    globalThis.facelab ??= { facts: {} };
    await alive.load("../browser/mtcnn.js");

    const float32 = (box) => box.map(Math.fround); // as the package computes
    const proposals = data.boxes.map((box, i) => ({ box: float32(box), score: data.scores[i] }));
    const faces = data.faces.map(float32);
    const state = { score: 0.9, iou: 0.3, suppressed: true };

    const over = alive.svg("svg", { viewBox: `0 0 ${data.width} ${data.height}`, "aria-hidden": "true" });
    const picture = alive.html("img", { src: `data:image/jpeg;base64,${data.picture}`, alt: "A rendered photograph of four people" });
    const voice = alive.voice();
    const numbers = alive.numbers({
      passed: `Of ${proposals.length} proposals score above it`, kept: "Kept", gone: "Suppressed",
      faces: "Kept on each face, from left to right", none: "Kept on no face (IoU below 0.5)",
    });

    function draw() {
      const passed = proposals.filter(({ score }) => score > state.score);
      const kept = facelab.suppress(passed, state.iou), gone = passed.filter((one) => !kept.includes(one));
      over.replaceChildren(
        ...(state.suppressed ? gone.map((one) => rectangle(one, "alive-gone")) : []),
        ...kept.flatMap((one) => [rectangle(one, "alive-rim"), rectangle(one, "alive-kept")]),
      );
      const boxes = faces.map((face) => kept.filter(({ box }) => facelab.overlapOfUnion(face, box) >= HIT).length);
      const none = kept.filter(({ box }) => faces.every((face) => facelab.overlapOfUnion(face, box) < HIT)).length;
      numbers.set({ passed: passed.length, kept: kept.length, gone: gone.length, faces: boxes.join(", "), none });
      voice.say(`${kept.length} boxes are kept, ${gone.length} suppressed. On the faces: ${boxes.join(", ")}.`);
    }

    // What lies in the picture of a box.
    function rectangle({ box }, kind) {
      const [x0, y0, x1, y1] = box.map((edge, side) => Math.min(Math.max(edge, 0), side % 2 ? data.height : data.width));
      return alive.svg("rect", { x: x0, y: y0, width: x1 - x0, height: y1 - y0, class: kind });
    }
    const hide = alive.html("button", { type: "button", "aria-pressed": "false" }, "Hide suppressed boxes");
    hide.addEventListener("click", () => {
      state.suppressed = !state.suppressed;
      hide.setAttribute("aria-pressed", String(!state.suppressed));
      draw();
    });
    const show = (value) => alive.number(value, 2), redraw = (name) => (value) => { state[name] = value; draw(); };
    element.append(
      alive.html("p", { class: "alive-title" }, "Move the thresholds"),
      alive.html("p", {}, "All proposals of P-Net, from all pyramid levels. Yellow: kept. White: suppressed, as a better box overlaps it by more than the IoU that you choose."),
      alive.html("div", { class: "alive-stage" }, picture, over),
      alive.html("div", { class: "alive-controls" },
        alive.slider({ label: "Score above", min: 0.6, max: 0.99, step: 0.01, value: state.score, show }, redraw("score")).element,
        alive.slider({ label: "Suppressed above an IoU of", min: 0.05, max: 0.95, step: 0.05, value: state.iou, show }, redraw("iou")).element),
      alive.html("div", { class: "alive-buttons" }, hide), numbers.element, voice.element,
    );
    draw();
  };
})();
