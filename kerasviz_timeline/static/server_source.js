// The log as TensorBoard serves it.

export class ServerSource {
  /** `base` is the address of the plugin, ending in "/". */
  constructor(base) {
    [this._base, this._generation, this.live] = [base, 0, true];
  }

  /** What has changed since the last call: `{series, complete, share}`, `fresh` if TensorBoard was started anew. */
  async listing() {
    const found = await (await this._ask(`listing?since=${this._generation}`)).json();
    const fresh = this._id !== undefined && found.id !== this._id;
    const all = fresh ? await (await this._ask("listing?since=0")).json() : found;
    [this._id, this._generation] = [all.id, all.generation];
    return { ...all, fresh };
  }

  /** The bytes of images `[series, version, position]`; null for those that are gone. */
  async images(wanted) {
    return unpack(await (await this._post("images", { id: this._id, images: wanted })).arrayBuffer());
  }

  /** The description of a tag, as safe HTML. */
  async description(tag) { return (await this._ask(`description?tag=${encodeURIComponent(tag)}`)).text(); }
  async scalarTags() { return (await this._ask("scalar_tags")).json(); }

  /** Curves of a scalar tag by run: `[step, value or null]` each. */
  async curves(tag) {
    return new Map(Object.entries(await (await this._ask(`curves?tag=${encodeURIComponent(tag)}`)).json()));
  }

  /** All steps of some series as a zip archive. */
  async archive(series) { return (await this._post("archive", { id: this._id, series })).blob(); }

  /** What an export would hold: `{images, steps, size, allowed}`. */
  async exportSize(selection) { return (await this._post("export_size", { id: this._id, ...selection })).json(); }

  /** One page that holds a selection `{every, format, series}`, as a blob. */
  async exported(selection) { return (await this._post("export", { id: this._id, ...selection })).blob(); }

  /** The header is what no other site's page can send: its browser would ask TensorBoard first. */
  _post(route, value) {
    const options = { method: "POST", headers: { "X-Kerasviz-Timeline": "1" }, body: JSON.stringify(value) };
    return this._ask(route, options);
  }

  async _ask(route, options) {
    const answer = await fetch(this._base + route, options);
    if (!answer.ok) throw new Error(`${route.split("?")[0]}: ${answer.status} ${await answer.text()}`);
    return answer;
  }
}

/** The parts of an answer, each behind its size (uint32, little endian); null for those of size 0. */
export function unpack(buffer) {
  const view = new DataView(buffer);
  const parts = [];
  for (let at = 0; at < buffer.byteLength; ) {
    const size = view.getUint32(at, true);
    parts.push(size ? new Uint8Array(buffer, at + 4, size) : null);
    at += 4 + size;
  }
  return parts;
}
