// Maps of embeddings: each point can be asked whom it shows. data: {spaces: {name: {right, maps: {method: {points,
// trustworthiness, continuity}}}}, identity, names, yaw, melanin, sheet: {file, columns, side}}.
"use strict";

alive.figures.maps = (element, data) => {
  const { html, svg, choice, number, percent } = alive;
  const SIDE = 340, EDGE = 14, MARKS = ["M-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0", "M-3.6,-3.6h7.2v7.2h-7.2z", "M0,-4.6L4.4,3.4H-4.4z", "M0,-5L5,0L0,5L-5,0z"];
  const COLOURS = ["blue", "orange", "green", "pink"]; // with four marks: sixteen people
  const { spaces, identity, names, yaw, melanin, sheet } = data;
  const WAYS = {
    identity: { label: "identity", note: "colour and mark: who it is" },
    yaw: { label: "yaw", values: yaw, show: (i) => `${number(yaw[i], 0)}°`, note: "yaw" },
    melanin: { label: "melanin of the skin", values: melanin, show: (i) => number(melanin[i], 2), note: "melanin" },
  };
  let space = Object.keys(spaces)[0], method = Object.keys(spaces[space].maps)[1], way = "identity", chosen = 0;
  const faces = () => spaces[space].right !== null; // noise has none

  const points = identity.map((who) => svg("path", { class: "dot", d: MARKS[Math.floor(who / 4) % 4] }));
  const ring = svg("circle", { class: "ring", r: 10 });
  const map = svg("svg", { viewBox: `0 0 ${SIDE} ${SIDE}`, class: "map", tabindex: 0, role: "application", "aria-roledescription": "map of points" },
    svg("g", {}, ...points), ring);
  const place = (i) => spaces[space].maps[method].points[i].map((value, axis) => {
    const shift = EDGE + (value / 1000) * (SIDE - 2 * EDGE);
    return axis ? SIDE - shift : shift; // the second axis grows upwards
  });

  const chip = html("div", { class: "alive-chip", role: "img" });
  chip.style.backgroundImage = `url("${alive.at(sheet.file)}")`;
  chip.style.backgroundSize = `${100 * sheet.columns}% ${100 * names.length}%`;
  const about = html("p", { class: "alive-about", "data-number": "about" }), key = html("p", { class: "alive-note" });
  const voice = alive.voice();
  const numbers = alive.numbers({
    trustworthiness: "trustworthiness", continuity: "continuity", right: "same person nearest, in 128 dimensions",
  });

  function ask(i) {
    chosen = i;
    const [x, y] = place(i);
    ring.style.transform = `translate(${x}px, ${y}px)`;
    chip.hidden = !faces();
    const row = identity[i], column = i % sheet.columns;
    chip.style.backgroundPosition = `${(100 * column) / (sheet.columns - 1)}% ${(100 * row) / (names.length - 1)}%`;
    about.textContent = faces()
      ? `${names[row]}, picture ${column + 1}: yaw ${number(yaw[i], 0)}°, melanin ${number(melanin[i], 2)}`
      : "A point of noise: nobody, and no group.";
    chip.setAttribute("aria-label", `The chip of ${names[row]}, picture ${column + 1}.`);
    map.setAttribute("aria-label", `Map of ${points.length} points, ${method}. Arrow keys move to the next point. Now: ${about.textContent}`);
    voice.say(about.textContent);
  }

  function colour() {
    const { values, show, note } = WAYS[way];
    const low = values && Math.min(...values), high = values && Math.max(...values);
    points.forEach((point, i) => {
      point.setAttribute("d", faces() && way === "identity" ? MARKS[Math.floor(identity[i] / 4) % 4] : MARKS[0]);
      point.style.color = !faces() ? "var(--pst-color-text-muted)"
        : way === "identity" ? `var(--alive-${COLOURS[identity[i] % 4]})`
          : `color-mix(in oklab, var(--alive-yellow) ${(100 * (values[i] - low)) / (high - low)}%, var(--alive-blue))`;
    });
    key.replaceChildren();
    if (!faces()) key.append("Noise has no identity, no yaw and no skin: one colour.");
    else if (values) key.append(show(values.indexOf(low)), html("span", { class: "alive-ramp" }), show(values.indexOf(high)));
    else key.append(note);
  }

  function draw() {
    points.forEach((point, i) => {
      const [x, y] = place(i);
      point.style.transform = `translate(${x}px, ${y}px)`;
    });
    const { trustworthiness, continuity } = spaces[space].maps[method];
    numbers.set({
      trustworthiness: number(trustworthiness, 3), continuity: number(continuity, 3),
      right: faces() ? percent(spaces[space].right) : "nobody is there",
    });
    colour();
    ask(chosen);
  }

  // The point under a pointer is the nearest one; an arrow key goes to the nearest one in its direction.
  function nearest(x, y, allowed = () => true) {
    let best = -1, least = Infinity;
    points.forEach((_, i) => {
      const [px, py] = place(i), far = Math.hypot(px - x, py - y);
      if (far < least && allowed(px - x, py - y, i)) [best, least] = [i, far];
    });
    return best;
  }
  function pointed(event) {
    const box = map.getBoundingClientRect(), scale = SIDE / box.width;
    ask(nearest((event.clientX - box.left) * scale, (event.clientY - box.top) * scale));
  }
  map.addEventListener("pointermove", (event) => { if (event.pointerType === "mouse") pointed(event); });
  map.addEventListener("pointerdown", pointed);
  const TURNS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
  map.addEventListener("keydown", (event) => {
    const turn = TURNS[event.key];
    if (!turn) return;
    event.preventDefault();
    const [x, y] = place(chosen), ahead = (dx, dy) => dx * turn[0] + dy * turn[1];
    const next = nearest(x, y, (dx, dy, i) => i !== chosen && ahead(dx, dy) > 0 && 2 * ahead(dx, dy) >= Math.hypot(dx, dy));
    if (next >= 0) ask(next);
  });

  const same = (keys) => Object.fromEntries(keys.map((word) => [word, word]));
  const ofWhat = choice({ label: "Points", options: same(Object.keys(spaces)), value: space }, (value) => { space = value; draw(); });
  const how = choice({ label: "Map", options: same(Object.keys(spaces[space].maps)), value: method }, (value) => { method = value; draw(); });
  const by = choice({ label: "Colour", options: Object.fromEntries(Object.entries(WAYS).map(([word, { label }]) => [word, label])) }, (value) => { way = value; colour(); });

  element.classList.add("alive-maps");
  element.append(
    html("p", { class: "alive-title" }, "Read a map with doubt"),
    html("p", {}, "Point at a point, tap it, or use the arrow keys. Then look at pure noise in the same maps: what is drawn there, the method has made."),
    html("div", { class: "alive-controls" }, ofWhat.element, how.element, by.element),
    html("div", { class: "alive-beside" }, html("div", {}, map, key), html("div", { class: "alive-told" }, chip, about, numbers.element)),
    voice.element,
  );
  draw();
};
