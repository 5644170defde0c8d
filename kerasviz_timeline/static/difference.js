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
    let share = 0;
    for (let channel = i; channel < i + 3; channel++) share = Math.max(share, Math.abs(now[channel] - before[channel]) / 255);
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
export function draw(canvas, bitmap, options = {}) {
  if (canvas.width !== bitmap.width) canvas.width = bitmap.width;
  if (canvas.height !== bitmap.height) canvas.height = bitmap.height;
  const context = canvas.getContext("2d", options);
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0);
  return context;
}

/** Draw the difference of two bitmaps of one size. */
export function drawDifference(canvas, now, before) {
  const { width, height } = now;
  const [image, other] = [now, before].map((bitmap) =>
    draw(new OffscreenCanvas(width, height), bitmap, { willReadFrequently: true }).getImageData(0, 0, width, height),
  );
  image.data.set(overlay(image.data, other.data));
  [canvas.width, canvas.height] = [width, height];
  canvas.getContext("2d").putImageData(image, 0, 0);
}
