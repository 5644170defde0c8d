// Saving files.

import { element } from "./dom.js";

/** Let the browser save a blob. */
export function saveBlob(blob, name) {
  const address = URL.createObjectURL(blob);
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
}

/** Save what a canvas shows. */
export async function saveCanvas(canvas, name) {
  saveBlob(await new Promise((resolve) => canvas.toBlob(resolve, "image/png")), name);
}

/** A name that every file system takes. */
export function fileName(text) {
  return text.replace(/[^\p{L}\p{N}_.+-]+/gu, "_").replace(/^\.+/, "_").slice(0, 100) || "_";
}
