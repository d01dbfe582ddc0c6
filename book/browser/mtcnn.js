// Detect: the host code of MTCNN (Zhang et al., 2016), step by step as in facelab/detect/mtcnn.py.
//
// Three networks in a row. P-Net looks at every window of 12 x 12 pixels of a pyramid of smaller and smaller pictures.
// R-Net looks again at what P-Net proposes. O-Net decides, and places the five landmarks. Between them stands plain
// arithmetic on boxes. A box is [x0, y0, x1, y1]: first and last pixel, counted from 1, as the authors count.
//
// PyTorch computes with 32 bits, JavaScript with 64. Candidates win by tiny differences, so every step is rounded to 32
// bits (`f`): then the same faces win here and there.
"use strict";
(() => {
  const f = Math.fround;
  const WINDOW = 12; // P-Net sees 12 x 12 pixels
  const STRIDE = 2; // and moves by 2
  const STRIP = 100_000; // so many pixels go through P-Net at once: the page can show its progress in between
  const BATCH = 64; // and so many windows through R-Net and O-Net

  // The faces of a picture, best first: [{box, score, landmarks}], in pixels; a pixel's centre has whole coordinates.
  async function detect(picture, nets, { minFace = 20, say = async () => {} } = {}) {
    const areas = new facelab.Areas(picture);
    const proposed = await propose(areas, nets.pnet, minFace, say);
    await say(`Looking again at ${proposed.length} windows`, 0.75);
    const refined = await refine(areas, nets.rnet, proposed);
    await say(`Deciding on ${refined.length} windows`, 0.9);
    const faces = await decide(areas, nets.onet, refined);
    return faces.filter(({ box }) => Math.min(box[2] - box[0], box[3] - box[1]) >= minFace);
  }

  // The scales at which P-Net's window covers faces from minFace up to the whole picture.
  function pyramid(height, width, minFace) {
    const scales = [];
    for (let scale = WINDOW / minFace; Math.min(height, width) * scale >= WINDOW; scale *= facelab.facts.mtcnn.factor) {
      scales.push(scale);
    }
    return scales;
  }

  async function propose(areas, pnet, minFace, say) {
    const scales = pyramid(areas.height, areas.width, minFace), found = [];
    for (const [number, scale] of scales.entries()) {
      await say(`Looking at all windows: size ${number + 1} of ${scales.length}`, (0.7 * number) / scales.length);
      found.push(...suppress(await scanLevel(areas, pnet, scale, say), 0.5));
    }
    // The best of all levels, moved to where P-Net says that the face is, and made square.
    return suppress(found, 0.7).map(({ box, offset }) => toSquare(shift(box, offset)).map(Math.trunc));
  }

  // All windows of one level whose score passes, as boxes of the picture.
  async function scanLevel(areas, pnet, scale, say) {
    const [height, width] = [areas.height, areas.width].map((side) => Math.floor(side * scale + 1));
    const level = new Float32Array(3 * height * width);
    areas.shrink(level, 0, height, width);
    const threshold = f(facelab.facts.mtcnn.thresholds[0]), passed = [];
    // Horizontal strips that overlap by 10 rows give exactly what the whole level gives.
    const rows = Math.floor((height - WINDOW + 1) / STRIDE) + 1;
    const step = Math.max(1, Math.floor(STRIP / (width * STRIDE)));
    for (let first = 0; first < rows; first += step) {
      const top = first * STRIDE, bottom = Math.min((first + step - 1) * STRIDE + WINDOW, height);
      const strip = level.subarray(3 * top * width, 3 * bottom * width);
      if (first) await say(); // a breath for the page
      const { face, box } = await facelab.compute(pnet, strip, [1, bottom - top, width, 3]);
      const [, lines, columns] = face.dims, cells = lines * columns;
      for (let cell = 0; cell < cells; cell++) {
        if (face.data[cell] < threshold) continue;
        const x = STRIDE * (cell % columns), y = STRIDE * (first + Math.floor(cell / columns));
        passed.push({
          box: [x + 1, y + 1, x + WINDOW, y + WINDOW].map((edge) => Math.floor(f(edge / f(scale)))),
          score: face.data[cell],
          offset: [0, 1, 2, 3].map((side) => box.data[side * cells + cell]),
        });
      }
    }
    return passed;
  }

  async function refine(areas, rnet, boxes) {
    const looked = await look(areas, rnet, 24, boxes);
    const passed = looked.filter(({ score }) => score > f(facelab.facts.mtcnn.thresholds[1]));
    return suppress(passed, 0.7).map(({ box, offset }) => toSquare(fromEdges(shift(toEdges(box), offset))).map(Math.trunc));
  }

  async function decide(areas, onet, boxes) {
    const looked = await look(areas, onet, 48, boxes);
    const faces = looked
      .filter(({ score }) => score > f(facelab.facts.mtcnn.thresholds[2]))
      .map(({ box, score, offset, landmarks }) => {
        const [x0, y0, x1, y1] = toEdges(box);
        // Landmarks come as shares of the window's width and height.
        const points = landmarks.map(([x, y]) => [f(x0 + f(x * f(x1 - x0))), f(y0 + f(y * f(y1 - y0)))]);
        return { box: shift([x0, y0, x1, y1], offset), score, landmarks: points };
      });
    // Whole coordinates are the edges of pixels here; outside they are the centres.
    return suppress(faces, f(0.7), overlapOfSmaller).map(({ box, score, landmarks }) => ({
      box: box.map((edge) => f(edge - 0.5)),
      score,
      landmarks: landmarks.map((point) => point.map((value) => f(value - 0.5))),
    }));
  }

  // Cut the windows out of the picture and run a network on them.
  async function look(areas, network, size, boxes) {
    const looked = [];
    for (let start = 0; start < boxes.length; start += BATCH) {
      const batch = boxes.slice(start, start + BATCH), pixels = 3 * size * size;
      const windows = new Float32Array(batch.length * pixels);
      batch.forEach((box, i) => areas.shrink(windows, i * pixels, size, size, toEdges(box)));
      const { face, box: offsets, landmarks } = await facelab.compute(network, windows, [batch.length, size, size, 3]);
      batch.forEach((box, i) => looked.push({
        box,
        score: face.data[i],
        offset: offsets.data.slice(4 * i, 4 * i + 4),
        landmarks: landmarks && [0, 1, 2, 3, 4].map((k) => landmarks.data.slice(10 * i + 2 * k, 10 * i + 2 * k + 2)),
      }));
    }
    return looked;
  }

  // Non-maximum suppression: take the best box, drop all that overlap it by more than the threshold, take the next one.
  function suppress(found, threshold, overlap = overlapOfUnion) {
    let waiting = found.map((one, order) => ({ one, order }));
    waiting.sort((a, b) => b.one.score - a.one.score || a.order - b.order);
    const kept = [];
    while (waiting.length) {
      const [best, ...others] = waiting;
      kept.push(best.one);
      waiting = others.filter(({ one }) => !(overlap(best.one.box, one.box) > threshold));
    }
    return kept;
  }

  const area = ([x0, y0, x1, y1]) => f(f(x1 - x0) * f(y1 - y0));
  const shared = (a, b) => {
    const width = Math.max(0, f(Math.min(a[2], b[2]) - Math.max(a[0], b[0])));
    return f(width * Math.max(0, f(Math.min(a[3], b[3]) - Math.max(a[1], b[1]))));
  };
  // Intersection over union; over the smaller area, so that a box inside another one goes too.
  const overlapOfUnion = (a, b) => f(shared(a, b) / f(f(area(a) + area(b)) - shared(a, b)));
  const overlapOfSmaller = (a, b) => f(shared(a, b) / Math.max(f(Math.min(area(a), area(b))), f(1e-9)));

  // Move each edge by an offset in units of the box's width (x) and height (y).
  function shift(box, offset) {
    const size = [f(box[2] - box[0]), f(box[3] - box[1])];
    return box.map((edge, side) => f(edge + f(offset[side] * size[side % 2])));
  }

  // Grow the shorter side of a box so that it is square around the same centre.
  function toSquare([x0, y0, x1, y1]) {
    const half = f(Math.max(f(x1 - x0), f(y1 - y0)) / 2), x = f(f(x0 + x1) / 2), y = f(f(y0 + y1) / 2);
    return [f(x - half), f(y - half), f(x + half), f(y + half)];
  }

  // First and last pixels, counted from 1 <-> edges, where 0 is the left edge of the first pixel.
  const toEdges = ([x0, y0, x1, y1]) => [x0 - 1, y0 - 1, x1, y1];
  const fromEdges = ([x0, y0, x1, y1]) => [f(x0 + 1), f(y0 + 1), x1, y1];

  Object.assign(facelab, { detect, suppress, overlapOfUnion });
})();
