// What several figures draw with: a panel with two axes, and whole steps along them.
"use strict";
(() => {
  const [WIDTH, HEIGHT] = [340, 250]; // units of the drawing; about as many pixels on the page, so letters stay large
  const [LEFT, RIGHT, TOP, BOTTOM] = [42, 14, 24, 38];

  // title: above; label: what a screen reader says; x, y: {from, to, ticks, label}. The axes can be set anew.
  alive.panel = ({ title, label, x, y, height = HEIGHT }) => {
    const frame = alive.svg("g", {}), inside = alive.svg("g");
    const element = alive.svg("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": label }, frame, inside);
    const panel = { element };

    const place = ({ from, to }, low, high) => (value) => low + ((value - from) / (to - from)) * (high - low);
    const text = (words, at, more) => alive.svg("text", { ...at, ...more }, String(words).replace("-", "−"));

    panel.axes = (x, y) => {
      [panel.x, panel.y] = [place(x, LEFT, WIDTH - RIGHT), place(y, height - BOTTOM, TOP)];
      const [right, bottom] = [WIDTH - RIGHT, height - BOTTOM];
      frame.replaceChildren(
        ...y.ticks.map((tick) => alive.svg("line", { x1: LEFT, x2: right, y1: panel.y(tick), y2: panel.y(tick), class: "grid" })),
        ...y.ticks.map((tick) => text(tick, { x: LEFT - 6, y: panel.y(tick) + 4 }, { "text-anchor": "end" })),
        ...x.ticks.map((tick) => alive.svg("line", { x1: panel.x(tick), x2: panel.x(tick), y1: TOP, y2: bottom, class: "grid" })),
        ...x.ticks.map((tick) => text(tick, { x: panel.x(tick), y: bottom + 15 }, { "text-anchor": "middle" })),
        text(title, { x: LEFT, y: 14 }, { class: "alive-title" }),
        text(x.label, { x: (LEFT + right) / 2, y: height - 6 }, { "text-anchor": "middle" }),
        text(y.label ?? "", { x: 11, y: (TOP + bottom) / 2 }, { "text-anchor": "middle", transform: `rotate(-90 11 ${(TOP + bottom) / 2})` }),
      );
    };
    // The path through the points ([x, y] in the units of the axes).
    panel.line = (points, attributes) => alive.svg("path", {
      d: points.map(([at, value], i) => `${i ? "L" : "M"}${panel.x(at).toFixed(1)} ${panel.y(value).toFixed(1)}`).join(""),
      fill: "none", "stroke-width": 2, ...attributes,
    });
    panel.dot = ([at, value], attributes) => alive.svg("circle", { cx: panel.x(at), cy: panel.y(value), r: 5, ...attributes });
    panel.put = (...drawn) => inside.replaceChildren(...drawn);
    panel.axes(x, y);
    return panel;
  };

  // Whole steps of 1, 2 or 5 times a power of ten between two values, about `number` of them.
  alive.ticks = (from, to, number = 5) => {
    const rough = (to - from) / number, power = 10 ** Math.floor(Math.log10(rough));
    const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
    const ticks = [];
    for (let k = Math.ceil(from / step); k * step <= to + 1e-9; k++) ticks.push(Number((k * step).toFixed(6)));
    return ticks;
  };
})();
