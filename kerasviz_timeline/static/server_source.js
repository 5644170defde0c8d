// The log as TensorBoard serves it.

export class ServerSource {
  /** `base` is the address of the plugin, ending in "/". */
  constructor(base) {
    this._base = base;
    this._generation = 0;
    this.live = true;
  }

  /** What has changed since the last call: `{series, complete, share}`, `fresh` if TensorBoard was started anew. */
  async listing() {
    const found = await (await this._ask(`listing?since=${this._generation}`)).json();
    const fresh = found.id !== this._id && this._generation > 0;
    [this._id, this._generation] = [found.id, fresh ? 0 : found.generation];
    return fresh ? { ...(await this.listing()), fresh } : found;
  }

  /** The bytes of images `[series, version, position]`; null for those that are gone. */
  async images(wanted) {
    const answer = await (await this._ask("images", { method: "POST", body: JSON.stringify(wanted) })).arrayBuffer();
    return unpack(answer);
  }

  /** The description of a tag, as safe HTML. */
  async description(tag) {
    return (await this._ask(`description?tag=${encodeURIComponent(tag)}`)).text();
  }

  async scalarTags() {
    return (await this._ask("scalar_tags")).json();
  }

  /** Curves of a scalar tag by run: `[step, value or null]` each. */
  async curves(tag) {
    return new Map(Object.entries(await (await this._ask(`curves?tag=${encodeURIComponent(tag)}`)).json()));
  }

  /** What an export would hold: `{images, steps, size, allowed}`. */
  async exportSize(selection) {
    return (await this._ask("export_size", { method: "POST", body: JSON.stringify(selection) })).json();
  }

  /** One page that holds a selection `{every, format, series}`, as a blob. */
  async exported(selection) {
    return (await this._ask("export", { method: "POST", body: JSON.stringify(selection) })).blob();
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
