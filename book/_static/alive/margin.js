// The margin laboratory: target logit, decision boundary and pull, by the formulas of facelab.losses.
"use strict";
(() => {
  const { PI, cos, sin, floor, abs, exp, log, max, min } = Math;
  const degrees = (radians) => (radians * 180) / PI, radians = (angle) => (angle * PI) / 180;

  // Each function returns the target logit ψ(θ) before scaling, and its derivative.
  // combined_target: cos(m1 θ + m2) - m3, and beyond the seam cos θ - d - m3. (1, m, 0) is ArcFace, (1, 0, m) CosFace.
  function combined(theta, m1, m2, m3) {
    if (m1 * theta + m2 <= PI) return [cos(m1 * theta + m2) - m3, -m1 * sin(m1 * theta + m2)];
    const phi = PI - (PI - m2) / m1;
    return [cos(theta) - max(phi * sin(phi), 1 - cos(phi)) - m3, -sin(theta)];
  }
  // sphereface_target: (-1)^k cos(mθ) - 2k between kπ/m and (k + 1)π/m.
  function sphereface(theta, m) {
    const k = floor((m * theta) / PI), sign = k % 2 ? -1 : 1;
    return [sign * cos(m * theta) - 2 * k, -sign * m * sin(m * theta)];
  }

  const angle = (value) => `${alive.number(value, 2)} (${degrees(value).toFixed(0)}°)`;
  const plain = (value) => alive.number(value, 2);
  const M = { label: "Margin m", min: 0, max: 1, step: 0.05 };
  const LOSSES = {
    normface: { target: (theta) => combined(theta, 1, 0, 0), margins: [] },
    sphereface: { target: sphereface, margins: [{ ...M, min: 1, max: 4, value: 2, show: plain }] },
    cosface: { target: (theta, m) => combined(theta, 1, 0, m), margins: [{ ...M, value: 0.35, show: plain }] },
    arcface: { target: (theta, m) => combined(theta, 1, m, 0), margins: [{ ...M, value: 0.5, show: angle }] },
    combined: {
      target: combined,
      margins: [
        { ...M, label: "m₁, a factor on the angle", min: 1, max: 2, value: 1, show: plain },
        { ...M, label: "m₂, added to the angle", value: 0.3, show: angle },
        { ...M, label: "m₃, taken from the cosine", value: 0.2, show: plain },
      ],
    },
  };

  alive.figures.margin = async (element, { others, looks }) => {
    await alive.load("panel.js");
    const state = { loss: "arcface", margins: [], scale: 64, theta: 60, between: 90 };
    const target = (theta) => LOSSES[state.loss].target(theta, ...state.margins);

    // Of an image at the angle θ to its own centre: p, the loss -log p, and the pull dL/dθ = s (1 - p) (-ψ'(θ)).
    function measure(theta, [psi, slope] = target(theta), rest = crowd()) {
      const lead = rest - state.scale * psi, doubt = 1 / (1 + exp(-lead));
      const loss = lead > 30 ? lead : log(1 + exp(lead));
      return { psi, p: 1 - doubt, loss, pull: -state.scale * doubt * slope };
    }
    // log Σ exp(s cos θ_j) over the other centres
    const crowd = () => log(others.reduce((sum, value) => sum + exp(state.scale * value), 0));

    const knobs = alive.html("div", { class: "alive-controls" });
    const shared = alive.html("div", { class: "alive-controls" });
    const voice = alive.voice();
    const note = alive.html("p", {}, "SphereFace has no scale of its own: the length of the embedding takes the place of s.");
    const numbers = alive.numbers({
      psi: "Target logit ψ at θ", logit: "Scaled, sψ", p: "Probability p of the own identity", loss: "Loss, −log p",
      pull: "Pull s(1 − p)(−ψ′)", sure: "p reaches 99 %", band: "Band between the two centres",
    });
    const turn = { from: 0, to: 180, ticks: [0, 45, 90, 135, 180], label: "angle to the own centre θ (degrees)" };
    const logit = alive.panel({
      title: "Target logit ψ(θ)", label: "The target logit over the angle, and the cosine for comparison",
      x: turn, y: { from: -2, to: 1, ticks: [-2, -1, 0, 1] },
    });
    const pull = alive.panel({
      title: "Pull towards the own centre", label: "The gradient of the loss with respect to the angle, and that without a margin",
      x: turn, y: { from: 0, to: 64, ticks: [0, 20, 40, 60] },
    });
    const circle = alive.svg("svg", { viewBox: "0 0 340 250", role: "img", "aria-label": "Two class centres on a circle, and where each identity's images satisfy the loss" });

    function choose(loss) {
      state.loss = loss;
      note.hidden = loss !== "sphereface";
      state.margins = LOSSES[loss].margins.map(({ value }) => value);
      knobs.replaceChildren(...LOSSES[loss].margins.map((margin, i) => alive.slider(margin, (value) => {
        state.margins[i] = value;
        draw();
      }).element));
      draw();
    }

    function draw() {
      const thetas = Array.from({ length: 361 }, (_, i) => (i * PI) / 360), rest = crowd(), at = radians(state.theta);
      const curve = thetas.map((theta) => measure(theta, target(theta), rest));
      const none = thetas.map((theta) => measure(theta, combined(theta, 1, 0, 0), rest));
      const now = measure(at, target(at), rest);
      const points = (measured, name) => measured.map((one, i) => [i / 2, one[name]]);
      const { colour } = looks[state.loss], own = { stroke: colour, "stroke-width": 2.5 }, plain = { stroke: "var(--pst-color-text-muted)", "stroke-dasharray": "5 4", "stroke-width": 1.5 };
      const cursor = { fill: colour };

      const lowest = min(-1, floor(curve.at(-1).psi));
      logit.axes(turn, { from: lowest, to: 1, ticks: alive.ticks(lowest, 1, 4) });
      logit.put(logit.line(points(none, "psi"), plain), logit.line(points(curve, "psi"), own), logit.dot([state.theta, now.psi], cursor));
      const highest = 1.05 * max(...curve.map((one) => one.pull), ...none.map((one) => one.pull));
      pull.axes(turn, { from: 0, to: highest, ticks: alive.ticks(0, highest, 4) });
      pull.put(pull.line(points(none, "pull"), plain), pull.line(points(curve, "pull"), own), pull.dot([state.theta, now.pull], cursor));
      const band = drawCircle();

      let sure = curve.length - 1;
      while (sure >= 0 && curve[sure].p < 0.99) sure--;
      const texts = {
        psi: alive.number(now.psi, 3), logit: alive.number(state.scale * now.psi), p: alive.number(now.p, 3),
        loss: alive.number(now.loss), pull: alive.number(now.pull), sure: sure < 0 ? "nowhere" : `up to ${sure / 2}°`,
        band: `${alive.number(band, 1)}°`,
      };
      numbers.set(texts);
      voice.say(`At ${state.theta} degrees: target logit ${texts.psi}, loss ${texts.loss}, pull ${texts.pull}. p reaches 99 % ${texts.sure}. Band ${texts.band}.`);
    }

    // Which identity's images satisfy the loss, all around the circle. Returns the width between the centres, in
    // degrees, of the band where neither does.
    function drawCircle() {
      const [x, y, radius] = [170, 132, 88], half = state.between / 2;
      const at = (turn, r) => [x + r * sin(radians(turn)), y - r * cos(radians(turn))]; // clockwise, from the top
      const away = (one, other) => { const turn = abs(one - other) % 360; return radians(turn > 180 ? 360 - turn : turn); };
      const satisfies = (own, other) => target(own)[0] > cos(other);
      const arcs = [], STEP = 0.25;
      for (let turn = -180, from = -180, kind = null; turn <= 180; turn += STEP) {
        const [one, two] = [away(turn, -half), away(turn, half)];
        const now = turn >= 180 ? "end" : satisfies(one, two) ? "one" : satisfies(two, one) ? "two" : "none";
        if (now === kind) continue;
        if (kind && kind !== "none") arcs.push([kind, from, turn]);
        [kind, from] = [now, turn];
      }
      const arc = ([kind, from, to]) => {
        const [[x0, y0], [x1, y1]] = [at(from, radius), at(to, radius)];
        return alive.svg("path", {
          d: `M${x0} ${y0}A${radius} ${radius} 0 ${to - from > 180 ? 1 : 0} 1 ${x1} ${y1}`,
          fill: "none", "stroke-width": 14, stroke: kind === "one" ? "var(--alive-blue)" : "var(--alive-orange)",
        });
      };
      const centre = (turn, name, anchor) => {
        const [[x1, y1], [tx, ty]] = [at(turn, radius), at(turn, radius + 16)];
        return [
          alive.svg("line", { x1: x, y1: y, x2: x1, y2: y1, stroke: "var(--pst-color-text-muted)" }),
          alive.svg("text", { x: tx, y: ty + 4, "text-anchor": anchor }, name),
        ];
      };
      const name = (words, side) => alive.svg("text", { x: x + side * 48, y: y + 30, "text-anchor": "middle" }, words);
      const [px, py] = at(state.theta - half, radius);
      circle.replaceChildren(
        alive.svg("text", { x: 8, y: 14, class: "alive-title" }, "Where the loss is satisfied"),
        alive.svg("circle", { cx: x, cy: y, r: radius, fill: "none", stroke: "var(--pst-color-text-muted)" }),
        ...arcs.map(arc), ...centre(-half, "W₁", "end"), ...centre(half, "W₂", "start"), name("identity 1", -0.75), name("identity 2", 0.75),
        alive.svg("circle", { cx: px, cy: py, r: 6, fill: "var(--pst-color-text-base)", stroke: "var(--pst-color-background)", "stroke-width": 2 }),
      );
      // ψ falls on the way to the other centre, and its cosine rises: halve until the place is found where they meet.
      let [near, far] = [0, half];
      for (let k = 0; k < 40; k++) {
        const middle = (near + far) / 2;
        if (satisfies(radians(middle), radians(state.between - middle))) near = middle;
        else far = middle;
      }
      return state.between - 2 * near;
    }

    const redraw = (name) => (value) => { state[name] = value; draw(); };
    const options = Object.fromEntries(Object.keys(LOSSES).map((name) => [name, looks[name].title]));
    const turned = (value) => `${value}°`;
    shared.append(
      alive.choice({ label: "Loss", options, value: state.loss }, choose).element,
      alive.slider({ label: "Scale s", min: 1, max: 64, value: state.scale }, redraw("scale")).element,
      alive.slider({ label: "Angle to the own centre, θ", min: 0, max: 180, value: state.theta, show: turned }, redraw("theta")).element,
      alive.slider({ label: "Angle between the two centres", min: 10, max: 180, step: 5, value: state.between, show: turned }, redraw("between")).element,
    );
    element.append(
      alive.html("p", { class: "alive-title" }, "Move the margin"),
      alive.html("p", {}, "Solid lines: the loss that you choose. Dashed: no margin. The other 499 centres lie at random in 512 dimensions. On the circle, an image between two centres satisfies the loss of its identity in a coloured arc, and that of neither where the line is thin."),
      shared, knobs, alive.html("div", { class: "alive-four" }, logit.element, circle, pull.element, numbers.element),
      note, voice.element,
    );
    choose(state.loss);
  };
})();
