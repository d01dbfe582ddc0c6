// Pixels: from a picture's file to numbers, and from many pixels to few.
"use strict";
(() => {
  const MOST_PIXELS = 4_000_000; // a larger picture is shrunk first: memory, and time

  // Decode a picture's file. Returns {width, height, rgb, shrunk}: rgb holds three bytes a pixel, row by row.
  //
  // A PNG gives exactly the bytes that Python sees. A JPEG is decoded by the browser's own decoder, which may round
  // otherwise: by a grey level or two in places.
  async function readPicture(file) {
    let bitmap;
    try {
      // Turned upright as the camera noted it; colours as they stand in the file, as Python reads them.
      const options = { imageOrientation: "from-image", colorSpaceConversion: "none", premultiplyAlpha: "none" };
      bitmap = await createImageBitmap(file, options);
    } catch {
      throw new facelab.Problem(
        `“${file.name ?? "This file"}” is not a picture that this browser can read. Choose a JPEG, PNG or WebP file.`,
      );
    }
    return pixelsOf(bitmap, bitmap.width, bitmap.height);
  }

  // The pixels of what a canvas can draw: a bitmap, or a camera's video.
  function pixelsOf(source, fullWidth, fullHeight) {
    const scale = Math.min(1, Math.sqrt(MOST_PIXELS / (fullWidth * fullHeight)));
    const [width, height] = [fullWidth, fullHeight].map((side) => Math.max(1, Math.floor(side * scale)));
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.fillStyle = "white"; // behind what is transparent
    context.fillRect(0, 0, width, height);
    context.imageSmoothingQuality = "high";
    context.drawImage(source, 0, 0, width, height);
    const rgba = context.getImageData(0, 0, width, height).data;
    const rgb = new Uint8Array(3 * width * height);
    for (let from = 0, to = 0; from < rgba.length; from += 4) {
      rgb[to++] = rgba[from];
      rgb[to++] = rgba[from + 1];
      rgb[to++] = rgba[from + 2];
    }
    return { width, height, rgb, shrunk: scale < 1 ? `${fullWidth} × ${fullHeight}` : null };
  }

  // Shrinks one picture, or windows of it, by averaging areas; written for the networks of MTCNN.
  //
  // `sums` is the integral image: at (row, column) the sum of all pixels above and to the left. The sum of any rectangle
  // is then four look-ups, so the cost is that of the result, whatever the size of the window.
  class Areas {
    constructor({ width, height, rgb }) {
      Object.assign(this, { width, height });
      const line = 3 * (width + 1);
      this.sums = new Uint32Array(line * (height + 1)); // 4 million pixels of 255 fit
      for (let row = 0; row < height; row++) {
        const inRow = [0, 0, 0];
        for (let column = 0; column < width; column++) {
          for (let channel = 0; channel < 3; channel++) {
            inRow[channel] += rgb[3 * (row * width + column) + channel];
            const here = (row + 1) * line + 3 * (column + 1) + channel;
            this.sums[here] = this.sums[here - line] + inRow[channel];
          }
        }
      }
    }

    // Write the window between the edges x0, y0, x1, y1, shrunk to height x width, into `out` from `start`: three numbers
    // a pixel, 0 to 255. Outside the picture is black.
    shrink(out, start, height, width, [x0, y0, x1, y1] = [0, 0, this.width, this.height]) {
      const rows = bins(y0, y1, height, this.height), columns = bins(x0, x1, width, this.width);
      const line = 3 * (this.width + 1), { sums } = this;
      for (let row = 0, to = start; row < height; row++) {
        const top = rows.first[row] * line, bottom = rows.last[row] * line;
        for (let column = 0; column < width; column++) {
          const left = 3 * columns.first[column], right = 3 * columns.last[column];
          const pixels = rows.length[row] * columns.length[column];
          for (let channel = 0; channel < 3; channel++) {
            const sum = sums[bottom + right + channel] - sums[top + right + channel]
                      - sums[bottom + left + channel] + sums[top + left + channel];
            // Rounded to 32 bits where Python rounds, so that a tie is decided as there.
            out[to++] = Math.fround(sum) / pixels;
          }
        }
      }
    }
  }

  // The pixels that each of `number` bins between two edges covers: bin i from floor(i n / number) to
  // ceil((i + 1) n / number). `first` and `last` are cut off at the picture's border; `length` is not.
  function bins(from, to, number, limit) {
    const first = new Int32Array(number), last = new Int32Array(number), length = new Int32Array(number);
    const inside = (edge) => Math.min(Math.max(edge, 0), limit);
    for (let i = 0; i < number; i++) {
      const begin = from + Math.floor((i * (to - from)) / number);
      const end = from + Math.ceil(((i + 1) * (to - from)) / number);
      [first[i], last[i], length[i]] = [inside(begin), inside(end), end - begin];
    }
    return { first, last, length };
  }

  Object.assign(facelab, { readPicture, pixelsOf, Areas });
})();
