// A training replayed: the angles of every image of every batch, step by step.
"use strict";
(() => {
  const EACH = 90; // milliseconds a step, when it plays
  const TURN = { from: 0, to: 150, ticks: [0, 30, 60, 90, 120, 150] };

  alive.figures.training = async (element, data) => {
    await alive.load("panel.js");
    const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const runs = data.runs.map((run) => {
      const [own, other] = [bytes(run.own), bytes(run.other)], steps = run.margin.length;
      const mean = (angles, step) => batch(angles, run, step).reduce((sum, angle) => sum + angle, 0) / run.batch;
      const course = (angles) => Array.from({ length: steps }, (_, step) => [step + 1, mean(angles, step)]);
      return { ...run, own, other, steps, ownCourse: course(own), otherCourse: course(other) };
    });
    const state = { run: 1, step: 1 };
    let timer = null;

    const angles = alive.panel({
      title: "Means: own centre (solid), other (dashed)", label: "Both mean angles over the steps", x: { from: 0, to: 144, ticks: [], label: "" },
      y: { from: 0, to: 120, ticks: [] }, height: 300,
    });
    const plane = alive.panel({
      title: "Each image of the batch", label: "The angle to the own centre against the angle to the nearest other one, a dot for each image",
      x: { ...TURN, label: "angle to the own centre (degrees)" }, y: { ...TURN, label: "to the nearest other one" }, height: 300,
    });
    const voice = alive.voice();
    const numbers = alive.numbers({
      epoch: "Epoch", own: "Mean angle to the own centre", other: "Mean angle to the nearest other one",
      right: "Images nearest to their own centre", wide: "Nearest by the whole margin",
    });
    const play = alive.html("button", { type: "button" });
    const steps = alive.slider({ label: "Step", min: 1, max: runs[state.run].steps, step: 1, value: 1, show: String }, (step) => {
      stop();
      go(step);
    });

    function go(step) {
      state.step = step;
      draw();
    }

    function draw() {
      const run = runs[state.run], step = state.step - 1;
      const x = { from: 0, to: run.steps, ticks: alive.ticks(0, run.steps, 5), label: "step" };
      angles.axes(x, { from: 0, to: 120, ticks: [0, 30, 60, 90, 120], label: "degrees" });
      const cursor = [[state.step, 0], [state.step, 120]];
      angles.put(
        angles.line(cursor, { stroke: "var(--pst-color-text-muted)", "stroke-width": 1 }),
        angles.line(run.otherCourse, { stroke: "var(--alive-orange)", "stroke-dasharray": "5 4", "stroke-width": 1.5 }),
        angles.line(run.ownCourse, { stroke: "var(--alive-blue)", "stroke-width": 1.5 }),
        angles.dot(run.otherCourse[step], { fill: "var(--alive-orange)" }), angles.dot(run.ownCourse[step], { fill: "var(--alive-blue)" }),
      );
      const own = batch(run.own, run, step), other = batch(run.other, run, step), margin = run.margin[step];
      const line = (shift, style) => plane.line([[0, shift], [TURN.to - shift, TURN.to]], { stroke: "var(--pst-color-text-muted)", "stroke-width": 1, ...style });
      const side = (words, x, y) => alive.svg("text", { x: plane.x(x), y: plane.y(y), "text-anchor": "middle" }, words);
      plane.put(
        side("own centre nearest", 38, 138), side("another one nearest", 108, 8),
        line(0), ...(margin ? [line(margin, { "stroke-dasharray": "5 4" })] : []),
        ...Array.from(own, (angle, i) => plane.dot([angle, other[i]], {
          r: 4, "fill-opacity": 0.7, fill: angle < other[i] ? "var(--alive-blue)" : "var(--alive-orange)",
        })),
      );
      const right = own.filter((angle, i) => angle < other[i]).length;
      const wide = own.filter((angle, i) => angle + margin < other[i]).length;
      const mean = (course) => `${alive.number(course[step][1], 1)}°`;
      const texts = {
        epoch: String(Math.floor(step / run.epoch) + 1), own: mean(run.ownCourse), other: mean(run.otherCourse),
        right: `${right} of ${run.batch}`, wide: margin ? `${wide} (margin ${alive.number(margin, 1)}°)` : "no margin",
      };
      numbers.set(texts);
      if (!timer) voice.say(`Step ${state.step}: own centre ${texts.own}, nearest other one ${texts.other}; nearest to their own: ${texts.right}.`);
    }

    // With reduced motion nothing plays: the button goes on by one epoch.
    const idle = () => (alive.still() ? "Next epoch" : "Play");
    function stop() {
      clearInterval(timer);
      timer = null;
      play.textContent = idle();
    }
    play.addEventListener("click", () => {
      const { steps: last, epoch } = runs[state.run];
      const next = (by) => { const step = Math.min(state.step + by, last); steps.set(step); go(step); };
      if (timer) return stop();
      if (state.step === last) { steps.set(1); go(1); }
      if (alive.still()) return next(epoch);
      play.textContent = "Pause";
      timer = setInterval(() => {
        next(1);
        if (state.step === last) stop();
      }, EACH);
    });

    const choose = alive.choice({ label: "Training", options: Object.fromEntries(runs.map(({ name }, i) => [i, name])), value: state.run }, (run) => {
      stop();
      state.run = Number(run);
      steps.input.max = runs[state.run].steps;
      steps.set(1);
      go(1);
    });
    element.append(
      alive.html("p", { class: "alive-title" }, "Replay a training"),
      alive.html("p", {}, "Each dot is an image of the batch of this step. Above the line its own centre is the nearest; above the dashed line by the whole margin. Each step has other images."),
      alive.html("div", { class: "alive-controls" }, choose.element, steps.element), alive.html("div", { class: "alive-buttons" }, play),
      alive.html("div", { class: "alive-charts" }, angles.element, plane.element), numbers.element, voice.element,
    );
    stop();
    go(1);
  };

  const batch = (angles, run, step) => angles.subarray(step * run.batch, (step + 1) * run.batch);
})();
