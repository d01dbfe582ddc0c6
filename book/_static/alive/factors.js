// One rendered face, one factor at a time. data: {threshold, factors: {part: {name: {labels, cosines, file}}}}; each file
// holds the pictures of a factor side by side.
"use strict";

alive.figures.factors = (element, { threshold, factors }) => {
  const { html, svg, slider, number } = alive;
  const PARTS = { scene: "How it is seen", person: "Who is seen" };
  const known = Object.assign({}, ...Object.values(factors));
  let name = Object.keys(known)[0], step = 0;

  const menu = html("select", { id: "alive-factor" });
  for (const [part, row] of Object.entries(factors)) {
    menu.append(html("optgroup", { label: PARTS[part] }, ...Object.keys(row).map((key) => html("option", { value: key }, key))));
  }
  const picture = html("div", { class: "alive-face", role: "img" });
  const move = slider({ label: "Value", min: 0, max: 1, value: 0, show: (i) => known[name].labels[i] }, (i) => { step = i; draw(); });
  // How far each picture lies from the plain one: dots, and the threshold.
  const WIDTH = 300, HEIGHT = 110, LEFT = 30, up = (value) => 12 + (1 - Math.max(value, 0)) * (HEIGHT - 24);
  const across = (i, count) => LEFT + 8 + (i / (count - 1)) * (WIDTH - LEFT - 16);
  const path = svg("path", { class: "line" }), dots = svg("g"), here = svg("circle", { r: 6, class: "point" });
  const text = (x, y, said, anchor) => svg("text", { x, y, "text-anchor": anchor }, said);
  const chart = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" },
    ...[0, 1].map((value) => svg("line", { x1: LEFT, x2: WIDTH, y1: up(value), y2: up(value), class: "grid" })),
    text(LEFT - 6, up(1) + 4, "1", "end"), text(LEFT - 6, up(0) + 4, "0", "end"),
    svg("line", { x1: LEFT, x2: WIDTH, y1: up(threshold), y2: up(threshold), class: "threshold" }),
    text(LEFT + 4, up(threshold) + 14, `threshold ${number(threshold, 3)}`, "start"),
    path, dots, here);
  const numbers = alive.numbers({ cosine: "Cosine to the plain picture, by the network synthfaces-arcface" });
  const voice = alive.voice();

  function draw() {
    const { labels, cosines } = known[name];
    picture.style.backgroundPositionX = `${(100 * step) / (labels.length - 1)}%`;
    picture.setAttribute("aria-label", `A rendered face; ${name}: ${labels[step]}.`);
    const cosine = number(cosines[step], 3), same = cosines[step] >= threshold;
    const verdict = same ? "at or above the threshold: taken for the same person" : "below the threshold: taken for another person";
    numbers.set({ cosine: [cosine, verdict] });
    here.setAttribute("cx", across(step, labels.length));
    here.setAttribute("cy", up(cosines[step]));
    chart.setAttribute("aria-label", `Cosine to the plain picture for ${labels.length} values of ${name}: ${cosines.map((value) => number(value, 2)).join(", ")}; threshold ${number(threshold, 3)}.`);
    voice.say(`${name} ${labels[step]}: cosine ${cosine}, ${verdict}.`);
  }

  function choose() {
    name = menu.value;
    const { labels, cosines, file } = known[name], places = cosines.map((value, i) => [across(i, labels.length), up(value)]);
    path.setAttribute("d", `M${places.join("L")}`);
    dots.replaceChildren(...places.map(([cx, cy]) => svg("circle", { cx, cy, r: 2.5 })));
    picture.style.backgroundImage = `url("${alive.at(file)}")`;
    picture.style.backgroundSize = `${100 * labels.length}% 100%`;
    move.input.max = labels.length - 1;
    step = Math.floor((labels.length - 1) / 2);
    move.set(step);
    draw();
  }

  menu.addEventListener("change", choose);
  element.classList.add("alive-factors");
  element.append(
    html("p", { class: "alive-title" }, "Move one factor"),
    html("p", {}, "All else stays: the same head, the same scene. This person does not exist. The plain picture is this head from the front. It need not be among the steps: a factor of the light, for one, has a light of its own."),
    html("div", { class: "alive-beside" },
      picture,
      html("div", {},
        html("div", { class: "alive-choice" }, html("label", { for: "alive-factor" }, "Factor"), menu),
        move.element,
        numbers.element, chart)),
    voice.element,
  );
  choose();
};
