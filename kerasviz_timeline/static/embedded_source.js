// The log that an exported page holds itself.

export class EmbeddedSource {
  constructor(owner) {
    [this._owner, this.live] = [owner, false];
    this._log = JSON.parse(owner.getElementById("log").textContent);
    this._series = new Map(); // base64 of each image, by number of the series
    this.title = this._log.title;
  }

  async listing() { return { series: this._log.series, complete: true, share: 1 }; }

  async images(wanted) {
    return wanted.map(([series, , position]) => {
      if (!this._series.has(series)) {
        this._series.set(series, this._owner.getElementById(`images-${series}`).textContent.split(","));
      }
      const text = this._series.get(series)[position];
      return text ? decode(text) : null;
    });
  }

  async description(tag) { return Object.hasOwn(this._log.descriptions, tag) ? this._log.descriptions[tag] : ""; }
  async scalarTags() { return Object.keys(this._log.curves); }

  async curves(tag) {
    return new Map(Object.hasOwn(this._log.curves, tag) ? Object.entries(this._log.curves[tag]) : []);
  }
}

/** The bytes of base64 text; a callback for each letter would take nine times as long. */
export function decode(text) {
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  return bytes;
}
