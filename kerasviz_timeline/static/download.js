// Saving images: one as PNG, all steps of a tag as a zip archive of the files as they were logged.

import { element } from "./dom.js";
import { keyOf, typeOf } from "./images.js";

const AT_ONCE = 50; // images in memory at a time
const LARGEST = 0xffffffff - (64 << 20); // bytes; a larger archive needs another format

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

/** Save every step of a card's series, and give the number of those that are gone; `tell(share)` is called meanwhile. */
export async function saveAll(card, images, tell) {
  const zip = new Zip();
  const total = card.series.reduce((sum, series) => sum + series.steps.length, 0);
  if (total > 0xffff) throw new Error("too many images for one zip archive");
  let [done, missing] = [0, 0];
  const folders = new Set();
  for (const series of card.series) {
    let folder = `${series.run}/${card.tag}`.split("/").map(fileName).join("/");
    while (folders.has(folder)) folder += "-2";
    folders.add(folder);
    const taken = new Map();
    for (let start = 0; start < series.steps.length; start += AT_ONCE) {
      const positions = series.steps.slice(start, start + AT_ONCE).map((_, place) => start + place);
      const all = await images.bytes(positions.map((position) => keyOf(series, position)));
      all.forEach((bytes, place) => {
        if (!bytes) return void missing++;
        const step = String(series.steps[positions[place]]).padStart(6, "0");
        const again = taken.get(step) ?? 0;
        taken.set(step, again + 1);
        zip.add(`${folder}/${step}${again ? `-${again + 1}` : ""}.${typeOf(bytes)}`, bytes);
      });
      done += positions.length;
      tell(done / total);
    }
  }
  saveBlob(zip.blob(), `${fileName(card.tag)}.zip`);
  return missing;
}

const TABLE = Uint32Array.from({ length: 256 }, (_, value) => {
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

export function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = TABLE[(crc ^ byte) & 255] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** A zip archive whose files are stored as they are, since images are compressed already. */
export class Zip {
  constructor() {
    this._parts = [];
    this._directory = [];
    this._size = 0;
    this._count = 0;
  }

  add(name, bytes) {
    if (this._size + bytes.length > LARGEST || this._count === 0xffff) throw new Error("too large for one zip archive");
    const path = new TextEncoder().encode(name);
    const common = fields(["H", 20], ["H", 0x800], ["H", 0], ["H", 0], ["H", 0x21]); // version, UTF-8, stored, time, date
    const sizes = fields(["I", crc32(bytes)], ["I", bytes.length], ["I", bytes.length], ["H", path.length], ["H", 0]);
    const header = [fields(["I", 0x04034b50]), common, sizes, path];
    this._directory.push(fields(["I", 0x02014b50], ["H", 20]), common, sizes);
    this._directory.push(fields(["H", 0], ["H", 0], ["H", 0], ["I", 0], ["I", this._size]), path);
    this._parts.push(...header, bytes.slice()); // a copy, so that the answer it came in can be freed
    this._size += bytes.length + header.reduce((sum, part) => sum + part.length, 0);
    this._count++;
  }

  blob() {
    const length = this._directory.reduce((sum, part) => sum + part.length, 0);
    const counts = fields(["H", 0], ["H", 0], ["H", this._count], ["H", this._count]);
    const end = [fields(["I", 0x06054b50]), counts, fields(["I", length], ["I", this._size], ["H", 0])];
    return new Blob([...this._parts, ...this._directory, ...end], { type: "application/zip" });
  }
}

/** Little-endian numbers: `["H", uint16]` and `["I", uint32]`. */
function fields(...numbers) {
  const bits = { H: [0, 8], I: [0, 8, 16, 24] };
  return Uint8Array.from(numbers.flatMap(([kind, value]) => bits[kind].map((bit) => (value >>> bit) & 255)));
}
