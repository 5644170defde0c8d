// What has changed between two images: in one colour over the faded grey image.

export const COLOUR = [217, 72, 15];
const FADE = 0.3;

/**
 * Pixels (RGBA) that show where `now` differs from `before`. The share of the colour in a pixel is the largest difference
 * of its channels; the rest is the grey value of `now`, faded to 30 %.
 */
export function overlay(now, before) {
  const shown = new Uint8ClampedArray(now.length);
  for (let i = 0; i < now.length; i += 4) {
    const share =
      Math.max(Math.abs(now[i] - before[i]), Math.abs(now[i + 1] - before[i + 1]), Math.abs(now[i + 2] - before[i + 2])) /
      255;
    const grey = 0.299 * now[i] + 0.587 * now[i + 1] + 0.114 * now[i + 2];
    const faded = 255 - FADE * (255 - grey);
    for (let channel = 0; channel < 3; channel++) {
      shown[i + channel] = Math.floor(faded * (1 - share) + COLOUR[channel] * share + 0.5);
    }
    shown[i + 3] = 255;
  }
  return shown;
}

/** Draw a bitmap on a canvas in its own size, over white. */
export function draw(canvas, bitmap) {
  if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
    canvas.width = bitmap.width;
    canvas.height = bitmap.height;
  }
  const context = canvas.getContext("2d", { willReadFrequently: false });
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0);
  return context;
}

function pixels(bitmap) {
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#fff";
  context.fillRect(0, 0, bitmap.width, bitmap.height);
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height);
}

/** Draw the difference of two bitmaps of one size. */
export function drawDifference(canvas, now, before) {
  const image = pixels(now);
  image.data.set(overlay(image.data, pixels(before).data));
  canvas.width = now.width;
  canvas.height = now.height;
  canvas.getContext("2d").putImageData(image, 0, 0);
}
