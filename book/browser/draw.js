// Drawing: boxes and landmarks over a picture, chips, embeddings as bars.
"use strict";
(() => {
  // Points and lines carry a dark rim, so that they are seen on light and dark pictures alike; numbers stand on a plate.
  const RIM = "#10203a", LINE = "#ffd84d";

  // Draw a picture on a canvas, and each face's box, landmarks and number over it.
  function drawFaces(canvas, picture, faces) {
    drawPixels(canvas, picture);
    const context = canvas.getContext("2d");
    const unit = Math.max(1, Math.max(picture.width, picture.height) / Math.min(640, innerWidth)); // of what is seen
    faces.forEach(({ box: [x0, y0, x1, y1], landmarks }, number) => {
      for (const [style, width] of [[RIM, 4 * unit], [LINE, 2 * unit]]) {
        context.strokeStyle = style;
        context.lineWidth = width;
        context.strokeRect(x0 + 0.5, y0 + 0.5, x1 - x0, y1 - y0); // a pixel's centre has whole coordinates
      }
      for (const [style, radius] of [[RIM, 3 * unit], [LINE, 2 * unit]]) {
        context.fillStyle = style;
        for (const [x, y] of landmarks) {
          context.beginPath();
          context.arc(x + 0.5, y + 0.5, radius, 0, 2 * Math.PI);
          context.fill();
        }
      }
      const size = 16 * unit, text = String(number + 1);
      context.font = `bold ${size}px sans-serif`;
      context.textBaseline = "top";
      const plate = context.measureText(text).width + 0.6 * size;
      const [left, top] = [Math.max(0, x0), Math.max(0, y0)];
      context.fillStyle = LINE;
      context.fillRect(left, top, plate, 1.2 * size);
      context.fillStyle = RIM;
      context.fillText(text, left + 0.3 * size, top + 0.15 * size);
    });
  }

  function drawPixels(canvas, { width, height, rgb }) {
    [canvas.width, canvas.height] = [width, height];
    const image = new ImageData(width, height);
    for (let from = 0, to = 0; from < rgb.length; from += 3, to += 4) {
      image.data.set([rgb[from], rgb[from + 1], rgb[from + 2], 255], to);
    }
    canvas.getContext("2d", { willReadFrequently: true }).putImageData(image, 0, 0); // pixels that come from, and stay in, main memory
  }

  function drawChip(canvas, chip) {
    const size = Math.sqrt(chip.length / 3);
    drawPixels(canvas, { width: size, height: size, rgb: chip });
  }

  // One thin bar for each number of an embedding: up and blue if it is positive, down and orange if not.
  function drawEmbedding(canvas, embedding) {
    const [bar, half] = [2, 24], largest = Math.max(...embedding.map(Math.abs));
    [canvas.width, canvas.height] = [bar * embedding.length, 2 * half];
    const context = canvas.getContext("2d");
    embedding.forEach((value, i) => {
      context.fillStyle = value > 0 ? "#3b82d6" : "#d9822b";
      const length = (half * Math.abs(value)) / largest;
      context.fillRect(bar * i, value > 0 ? half - length : half, bar, length);
    });
  }

  Object.assign(facelab, { drawFaces, drawPixels, drawChip, drawEmbedding });
})();
