// Images on their way from the log to the screen: bytes and decoded bitmaps, each kept while there is room.

const BYTES = 256 << 20;
const PIXELS = (192 << 20) / 4;
const PER_REQUEST = 500;

/** Values by key that are dropped, the longest unused first, when their sizes sum up to more than a limit. */
export class Cache {
  constructor(limit, dropped = () => {}) {
    [this.limit, this.total] = [limit, 0];
    this.kept = new Set(); // keys that are not dropped
    this._dropped = dropped;
    this._entries = new Map();
  }

  get(key) {
    const entry = this._entries.get(key);
    if (!entry) return undefined;
    this._entries.delete(key);
    this._entries.set(key, entry);
    return entry.value;
  }

  set(key, value, size) {
    this.delete(key);
    this._entries.set(key, { value, size });
    this.total += size;
    for (const [oldest] of this._entries) {
      if (this.total <= this.limit) break;
      if (oldest !== key && !this.kept.has(oldest)) this.delete(oldest);
    }
  }

  delete(key) {
    const entry = this._entries.get(key);
    if (!entry) return;
    this._entries.delete(key);
    this.total -= entry.size;
    this._dropped(entry.value);
  }
}

/** The name of an image: a series, its version, a position. */
export function keyOf(series, position) { return `${series.number}:${series.version}:${position}`; }

export class Images {
  /** `source.images(list of [series, version, position])` gives their bytes, null for those that are gone. */
  constructor(source) {
    this._source = source;
    this._bytes = new Cache(BYTES);
    this._bitmaps = new Cache(PIXELS, (bitmap) => bitmap?.close());
    this._loading = new Map();
  }

  /** The decoded image; null if it cannot be shown, undefined if it has not been loaded. */
  bitmap(key) { return this._bitmaps.get(key); }

  /** Drop other images first: these are on the screen, or will be next. */
  keep(keys) { this._bitmaps.kept = new Set(keys); }

  /** Load and decode images, those that are missing in one request. */
  async load(keys) {
    const missing = [...new Set(keys)].filter((key) => this._bitmaps.get(key) === undefined);
    const fresh = missing.filter((key) => !this._loading.has(key));
    for (let start = 0; start < fresh.length; start += PER_REQUEST) {
      const some = fresh.slice(start, start + PER_REQUEST);
      const bytes = this.bytes(some);
      some.forEach((key, place) => {
        const decoded = bytes.then((all) => this._decode(key, all[place])).finally(() => this._loading.delete(key));
        this._loading.set(key, decoded);
      });
    }
    await Promise.all(missing.map((key) => this._loading.get(key)));
  }

  /** The bytes of images as they were logged; null for those that are gone. */
  async bytes(keys) {
    const found = keys.map((key) => this._bytes.get(key));
    const missing = keys.filter((_, place) => found[place] === undefined);
    if (missing.length) {
      const loaded = await this._source.images(missing.map((key) => key.split(":").map(Number)));
      missing.forEach((key, place) => {
        if (loaded[place]) this._bytes.set(key, loaded[place], loaded[place].length);
        found[keys.indexOf(key)] = loaded[place];
      });
    }
    return found;
  }

  async _decode(key, bytes) {
    let bitmap = null;
    try {
      if (bytes) bitmap = await createImageBitmap(new Blob([bytes]), { colorSpaceConversion: "none" });
    } catch {
      // Not an image that the browser knows: shown as a line.
    }
    this._bitmaps.set(key, bitmap, bitmap ? bitmap.width * bitmap.height : 1);
  }
}
