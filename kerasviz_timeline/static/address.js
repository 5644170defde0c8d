// The state of the page in the address, so that a reload or a link shows the same.

const OFTEN = 200; // milliseconds between two changes

/**
 * Keeps values in the fragment of a window's address, as `prefix + name=value`, and leaves the rest of it as it is.
 * TensorBoard keeps such values of its plugins when tabs are changed.
 */
export class Address {
  constructor(owner, prefix) {
    [this._owner, this._prefix] = [owner, prefix];
  }

  /** All values by name. */
  read() {
    const found = new Map();
    for (const part of this._parts()) {
      if (!part.startsWith(this._prefix) || !part.includes("=")) continue;
      const name = part.slice(this._prefix.length, part.indexOf("="));
      try {
        found.set(name, decodeURIComponent(part.slice(part.indexOf("=") + 1)));
      } catch {
        // A broken escape: as if it were not there.
      }
    }
    return found;
  }

  /** Set values by name, not too often: browsers ignore who does it more than 200 times in ten seconds. */
  write(values) {
    clearTimeout(this._later);
    const wait = (this._last ?? -Infinity) + OFTEN - performance.now();
    if (wait <= 0) this.writeNow(values);
    else this._later = setTimeout(() => this.writeNow(values), wait);
  }

  /** Set values by name; empty ones are taken away. */
  writeNow(values) {
    this._last = performance.now();
    const kept = this._parts().filter((part) => !(part.startsWith(this._prefix) && part.includes("=")));
    for (const [name, value] of values) {
      if (value !== "") kept.push(`${this._prefix}${name}=${encodeURIComponent(value)}`);
    }
    try {
      this._owner.history.replaceState(this._owner.history.state, "", `#${kept.join("&")}`);
    } catch {
      // A sandboxed frame has no address of its own.
    }
  }

  /** Call when somebody else has changed the address, with a link to another step, say. */
  onChange(changed) { this._owner.addEventListener("hashchange", changed); }
  _parts() { return this._owner.location.hash.slice(1).split("&").filter(Boolean); }
}
