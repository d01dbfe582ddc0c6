// Align and embed: from five landmarks to a chip, from chips to embeddings.
"use strict";
(() => {
  const f = Math.fround;
  const SIZE = 112; // width and height of a chip
  const BATCH = 8; // chips that go through the network at once

  // The similarity [[a, -b, tx], [b, a, ty]] that brings the landmarks closest to the template, in least squares.
  //
  // A point of the plane is a complex number, a rotation with a scale is one complex factor a + bi. With centred points
  // p and q it is sum(conj(p) q) / sum(|p|^2): a linear regression. See facelab/align/similarity.py.
  function similarity(landmarks, template) {
    const mean = (points, axis) => points.reduce((sum, point) => sum + point[axis], 0) / points.length;
    const [px, py, qx, qy] = [mean(landmarks, 0), mean(landmarks, 1), mean(template, 0), mean(template, 1)];
    let a = 0, b = 0, spread = 0;
    landmarks.forEach(([x, y], k) => {
      const [u, v, s, t] = [x - px, y - py, template[k][0] - qx, template[k][1] - qy];
      a += u * s + v * t;
      b += u * t - v * s;
      spread += u * u + v * v;
    });
    [a, b] = [a / spread, b / spread];
    return [[a, -b, qx - a * px + b * py], [b, a, qy - b * px - a * py]];
  }

  // The chip of a face: for each of its pixels, look where it lies in the picture, and mix the four pixels around
  // (bilinear). Black where the chip reaches beyond the picture. Returns SIZE * SIZE * 3 bytes.
  function align({ width, height, rgb }, landmarks) {
    const [[a, , tx], [b, , ty]] = similarity(landmarks, facelab.facts.template);
    // The map backwards: 1 / (a + bi) = (a - bi) / (a^2 + b^2). In 32 bits (`f`), as OpenCV computes places.
    const norm = a * a + b * b, real = f(a / norm), imaginary = f(-b / norm);
    const startX = f(-(a * tx + b * ty) / norm), startY = f((b * tx - a * ty) / norm);
    const chip = new Uint8Array(3 * SIZE * SIZE);
    const pixel = (x, y, channel) => (x < 0 || y < 0 || x >= width || y >= height ? 0 : rgb[3 * (y * width + x) + channel]);
    for (let row = 0, to = 0; row < SIZE; row++) {
      for (let column = 0; column < SIZE; column++) {
        const x = f(f(real * column) + f(f(-imaginary * row) + startX));
        const y = f(f(imaginary * column) + f(f(real * row) + startY));
        const left = Math.floor(x), top = Math.floor(y), dx = x - left, dy = y - top;
        for (let channel = 0; channel < 3; channel++) {
          const above = pixel(left, top, channel) * (1 - dx) + pixel(left + 1, top, channel) * dx;
          const below = pixel(left, top + 1, channel) * (1 - dx) + pixel(left + 1, top + 1, channel) * dx;
          chip[to++] = Math.round(above * (1 - dy) + below * dy);
        }
      }
    }
    return chip;
  }

  // The embedding of each chip: unit vectors (resize, normalisation and length 1 are inside the network's file).
  async function embed(chips, embedder) {
    const embeddings = [];
    for (let start = 0; start < chips.length; start += BATCH) {
      const batch = chips.slice(start, start + BATCH), bytes = 3 * SIZE * SIZE;
      const input = new Uint8Array(batch.length * bytes);
      batch.forEach((chip, i) => input.set(chip, i * bytes));
      const { embedding } = await facelab.compute(embedder, input, [batch.length, SIZE, SIZE, 3]);
      const [, dimensions] = embedding.dims;
      batch.forEach((_, i) => embeddings.push(embedding.data.slice(i * dimensions, (i + 1) * dimensions)));
    }
    return embeddings;
  }

  // The whole chain: the faces of a picture, each with its chip and its embedding, and the cosine of every two.
  async function recognise(picture, nets, { minFace = 20, say = async () => {} } = {}) {
    const faces = await facelab.detect(picture, nets, { minFace, say });
    faces.sort((one, other) => one.box[0] + one.box[2] - other.box[0] - other.box[2]); // from left to right
    for (const face of faces) face.chip = align(picture, face.landmarks);
    await say(`Embedding ${faces.length === 1 ? "one face" : `${faces.length} faces`}`, 0.95);
    const embeddings = await embed(faces.map(({ chip }) => chip), nets.embedder);
    faces.forEach((face, i) => { face.embedding = embeddings[i]; });
    return { faces, cosines: embeddings.map((one) => embeddings.map((other) => cosine(one, other))) };
  }

  // Of unit vectors, the cosine of the angle between them is their dot product.
  const cosine = (one, other) => one.reduce((sum, value, i) => sum + value * other[i], 0);

  Object.assign(facelab, { recognise, align, similarity });
})();
