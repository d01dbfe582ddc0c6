// A threshold to move: which scores it accepts, where that is on the ROC curve, and what it means at a camera.
// data: by part {far, sets: [{name, first, genuine, impostor}]} from facelab.reports.alive.count_scores; perhaps a
// threshold to begin with.
"use strict";

alive.figures.threshold = (element, data, { part }) => {
  const { html, svg, slider, choice, percent, short, many, number, say } = alive;
  const STEPS = 200, BIN = 4; // thresholds are k / 200; a bar of the histogram holds four of them
  const WIDTH = 340, HEIGHT = 216, LEFT = 40, RIGHT = 10, TOP = 12, BOTTOM = 40;
  const ROUND = [1, 2, 5].map((digit) => (power) => digit * 10 ** power);
  const SIZES = [...Array(21).keys()].map((i) => ROUND[i % 3](Math.floor(i / 3))); // 1, 2, 5, ... 5,000,000
  const { far: asked, sets, threshold } = data[part ?? Object.keys(data)[0]];

  // Errors at each threshold k / 200: how many scores are k / 200 or higher.
  const lowest = Math.floor(Math.min(0, ...sets.map((set) => set.first)) / 20) * 20;
  const spots = STEPS - lowest + 1;
  for (const set of sets) {
    set.bars = {};
    for (const kind of ["genuine", "impostor"]) {
      const counts = Array(set.first - lowest).fill(0).concat(set[kind]), total = counts.reduce((a, b) => a + b, 0);
      const above = [...counts];
      for (let i = above.length - 2; i >= 0; i--) above[i] += above[i + 1];
      set[`${kind}Pairs`] = total;
      set[`${kind}Above`] = above;
      const bars = Array(Math.ceil(spots / BIN)).fill(0);
      counts.forEach((count, i) => { bars[Math.floor(i / BIN)] += count / total; });
      set.bars[kind] = bars;
    }
  }
  const at = (set, k) => {
    const i = k - lowest;
    const accepted = set.impostorAbove[i], refused = set.genuinePairs - set.genuineAbove[i];
    return { accepted, refused, far: accepted / set.impostorPairs, frr: refused / set.genuinePairs };
  };
  const keeps = (set, far) => { // the lowest threshold at which FAR is no higher
    for (let k = lowest; k <= STEPS; k++) if (at(set, k).far <= far * (1 + 1e-9)) return k;
    return STEPS;
  };

  let set = sets[0], k = threshold === undefined ? keeps(set, asked) : Math.min(Math.max(Math.round(threshold * STEPS), lowest), STEPS);
  let gallery = 500, searches = 1000;

  // The two charts. Their frames stay; what depends on the set and on the threshold is drawn anew.
  const across = (from, to) => (value) => LEFT + ((value - from) / (to - from)) * (WIDTH - LEFT - RIGHT);
  const up = (top) => (value) => HEIGHT - BOTTOM - (value / top) * (HEIGHT - TOP - BOTTOM);
  const text = (x, y, said, anchor = "middle", more = {}) => svg("text", { x, y, "text-anchor": anchor, ...more }, said);
  const line = (x1, y1, x2, y2, kind) => svg("line", { x1, y1, x2, y2, class: kind });

  const xScore = across(lowest / STEPS, 1), tallest = Math.max(...sets.flatMap((s) => Object.values(s.bars).flat()));
  const yShare = up(tallest * 1.05);
  const scores = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
  const groups = svg("g"), cut = line(0, TOP - 8, 0, HEIGHT - BOTTOM, "threshold");
  const sides = { impostor: svg("rect", { y: 0, height: HEIGHT }), genuine: svg("rect", { x: 0, y: 0, height: HEIGHT }) };
  const own = `threshold-${Math.random().toString(36).slice(2)}`;
  scores.append(svg("defs", {}, ...Object.entries(sides).map(([kind, rect]) => svg("clipPath", { id: `${own}-${kind}` }, rect))));
  const apart = lowest < -80 ? 80 : 40; // between two labels
  for (let tick = Math.ceil(lowest / apart) * apart; tick <= STEPS; tick += apart) {
    const x = xScore(tick / STEPS);
    scores.append(line(x, HEIGHT - BOTTOM, x, HEIGHT - BOTTOM + 4, "axis"), text(x, HEIGHT - BOTTOM + 17, number(tick / STEPS, 1)));
  }
  scores.append(
    line(LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM, "axis"),
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 5, say("cosine similarity")),
    text(14, (TOP + HEIGHT - BOTTOM) / 2, say("share of pairs"), "middle", { transform: `rotate(-90 14 ${(TOP + HEIGHT - BOTTOM) / 2})` }),
    groups, cut,
  );

  const power = Math.floor(-Math.log10(Math.max(...sets.map((s) => s.impostorPairs))));
  const xFar = across(power, 0), yTar = up(1);
  const logFar = (far) => xFar(far > 0 ? Math.max(Math.log10(far), power) : power);
  const roc = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
  const raised = (p) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[-p];
  for (let p = power; p <= 0; p++) {
    const x = xFar(p), said = p > -3 ? percent(10 ** p) : `10⁻${raised(p)}`;
    roc.append(line(x, TOP, x, HEIGHT - BOTTOM, "grid"));
    if (p !== -1) roc.append(text(x, HEIGHT - BOTTOM + 17, said, p === 0 ? "end" : "middle"));
  }
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    const y = yTar(share);
    roc.append(line(LEFT, y, WIDTH - RIGHT, y, "grid"), text(LEFT - 6, y + 4, share ? short(share) : "0", "end"));
  }
  const curve = svg("path", { class: "curve" }), guides = svg("path", { class: "guides" }), point = svg("circle", { r: 6, class: "point" });
  roc.append(
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 5, say("FAR (logarithmic)")),
    text(8, (TOP + HEIGHT - BOTTOM) / 2, "TAR", "middle", { transform: `rotate(-90 8 ${(TOP + HEIGHT - BOTTOM) / 2})` }),
    curve, guides, point,
  );

  // Numbers.
  const numbers = alive.numbers({
    far: say("False accept rate (FAR)"), frr: say("False reject rate (FRR)"),
    day: say("False matches a day"), chance: say("A stranger matches somebody"),
  });
  const voice = alive.voice();

  function drawSet() {
    groups.replaceChildren();
    for (const kind of ["impostor", "genuine"]) {
      let path = `M${xScore(lowest / STEPS)},${yShare(0)}`;
      set.bars[kind].forEach((share, i) => {
        const [left, right] = [i, i + 1].map((j) => xScore(Math.min((lowest + j * BIN) / STEPS, 1)));
        path += `L${left},${yShare(share)}L${right},${yShare(share)}`;
      });
      path += `L${xScore(1)},${yShare(0)}Z`;
      groups.append(svg("path", { d: path, class: `${kind} all` }), svg("path", { d: path, class: `${kind} wrong`, "clip-path": `url(#${own}-${kind})` }));
    }
    let path = "";
    for (let j = STEPS; j >= lowest; j--) {
      const { far, frr } = at(set, j);
      if (far > 0) path += `${path ? "L" : "M"}${logFar(far).toFixed(1)},${yTar(1 - frr).toFixed(1)}`;
    }
    curve.setAttribute("d", path);
    drawThreshold();
  }

  function drawThreshold() {
    const { accepted, refused, far, frr } = at(set, k), x = xScore(k / STEPS);
    cut.setAttribute("x1", x);
    cut.setAttribute("x2", x);
    sides.impostor.setAttribute("x", x);
    sides.impostor.setAttribute("width", Math.max(WIDTH - x, 0));
    sides.genuine.setAttribute("width", Math.max(x, 0));
    const [px, py] = [logFar(far), yTar(1 - frr)];
    point.setAttribute("cx", px);
    point.setAttribute("cy", py);
    guides.setAttribute("d", `M${px},${HEIGHT - BOTTOM}L${px},${py}L${LEFT},${py}`);

    const day = far * searches * gallery, chance = far < 1 ? -Math.expm1(gallery * Math.log1p(-far)) : 1;
    const measured = (text) => (accepted ? text : say("not measured"));
    const told = {
      far: [measured(percent(far)), say("{some} of {all} impostor pairs", { some: many(accepted), all: many(set.impostorPairs) })],
      frr: [percent(frr), say("{some} of {all} genuine pairs", { some: many(refused), all: many(set.genuinePairs) })],
      day: [measured(day < 1000 ? short(day) : many(Math.round(day))), say("FAR × strangers a day × gallery")],
      chance: [measured(percent(chance)), say("if comparisons were independent")],
    };
    numbers.set(told);
    const values = { at: number(k / STEPS, 3), accepted: told.far[1], refused: told.frr[1] };
    scores.setAttribute("aria-label",
      say("Histograms of the scores of impostor and genuine pairs, threshold {at}: {accepted} accepted, {refused} refused.", values));
    roc.setAttribute("aria-label",
      say("ROC curve; the threshold stands at FAR {far}, TAR {tar}.", { far: percent(far), tar: percent(1 - frr) }));
    voice.say(say("Threshold {at}: FAR {far}, FRR {frr}. False matches a day: {day}.",
      { at: values.at, far: told.far[0], frr: told.frr[0], day: told.day[0] }));
  }

  // Controls.
  const move = slider(
    { label: say("Threshold"), min: lowest, max: STEPS, value: k, show: (value) => number(value / STEPS, 3) },
    (value) => { k = value; drawThreshold(); },
  );
  const size = (label, value, changed) => slider(
    { label, min: 0, max: SIZES.length - 1, value: SIZES.indexOf(value), show: (i) => many(SIZES[i]) },
    (i) => { changed(SIZES[i]); drawThreshold(); },
  );
  const people = size(say("People in the gallery, N"), gallery, (value) => { gallery = value; });
  const passing = size(say("Strangers a day"), searches, (value) => { searches = value; });
  const again = html("button", { type: "button" }, say("Threshold for FAR ≤ {far} on these pairs", { far: percent(asked) }));
  again.addEventListener("click", () => { k = keeps(set, asked); move.set(k); drawThreshold(); });
  move.element.classList.add("wide");

  const clean = sets.some((s) => { const end = at(s, keeps(s, 0)); return end.frr === 0; });
  const key = (kind, said) => html("span", { class: `alive-key ${kind}` }, said);
  element.classList.add("alive-threshold");
  element.append(
    html("p", { class: "alive-title" }, say("Move the threshold")),
    html("p", {}, say("Where one error falls, the other rises."), clean ? "" : say(" No threshold makes both zero."),
      sets.length > 1 ? say(" Then change the pairs: the threshold stays, its errors do not.") : ""),
  );
  if (sets.length > 1) {
    const menu = choice({ label: say("Pairs"), options: Object.fromEntries(sets.map(({ name }, i) => [i, name])) }, (i) => { set = sets[i]; drawSet(); });
    element.append(menu.element);
  }
  element.append(
    html("div", { class: "alive-charts" },
      html("div", {}, html("p", { class: "alive-keys" }, key("impostor", say("impostors")), key("genuine", say("genuine")), key("wrong", say("errors"))), scores),
      html("div", {}, html("p", { class: "alive-keys" }, key("curve", say("every threshold")), key("point", say("this one"))), roc)),
    html("div", { class: "alive-controls" }, move.element, people.element, passing.element),
    again,
    numbers.element,
    voice.element,
  );
  drawSet();
};
