// The controls above the cards: slider, play, comparison, runs, filter.

import { button, choice, element } from "./dom.js";

const COMPARE = [["off", "off"], ["previous", "previous step"], ["first", "first step"]];
const SPEEDS = [["2", "2 steps/s"], ["8", "8 steps/s"], ["25", "25 steps/s"], ["60", "60 steps/s"]];
const SIZES = [["small", "small"], ["medium", "medium"], ["large", "large"], ["full", "full size"]];
const LOSS = /(^|[/_.])loss$/;

export class Controls {
  /** `hooks` are `go(place)`, `play()`, `changed()`, `curve()`. */
  constructor(hooks) {
    this._hooks = hooks;
    this._values = { compare: "off", speed: "8", size: "medium", curve: "" };
    this.filter = "";
    this.hidden = new Set();
    this._runs = [];
    this._play = button("▶", "Play", hooks.play, { class: "play" });
    this._slider = element("input", {
      type: "range", min: 0, max: 0, value: 0, step: 1, "aria-label": "Step", oninput: () => hooks.go(Number(this._slider.value)),
    });
    this._step = element("output", { class: "step" });
    this._filter = element("input", {
      type: "search", placeholder: "Filter tags (/)", "aria-label": "Filter tags",
      oninput: () => ((this.filter = this._filter.value), hooks.changed()),
    });
    this._runList = element("div", { class: "runs" });
    this._runTitle = element("summary", {}, "Runs");
    this._choices = element("div", { class: "choices" });
    this.element = element(
      "div",
      { class: "controls" },
      element("div", { class: "slider" }, this._play, this._slider, this._step),
      element("div", { class: "options" }, this._filter, element("details", {}, this._runTitle, this._runList), this._choices),
    );
    this._tags = [];
    this._drawChoices();
  }

  get compare() {
    return this._values.compare;
  }

  get speed() {
    return Number(this._values.speed);
  }

  get size() {
    return this._values.size;
  }

  /** The scalar of the strip: the chosen one, else a loss. */
  get curve() {
    if (this._values.curve === "none") return "";
    if (this._tags.includes(this._values.curve)) return this._values.curve;
    const losses = this._tags.filter((tag) => LOSS.test(tag.toLowerCase()));
    return losses.sort((one, other) => one.length - other.length)[0] ?? "";
  }

  /** Name and value of all that is not as it is by default, for the address. */
  state() {
    return [
      ["compare", this.compare === "off" ? "" : this.compare],
      ["speed", this.speed === 8 ? "" : String(this.speed)],
      ["size", this.size === "medium" ? "" : this.size],
      ["curve", this._values.curve],
      ["filter", this.filter],
      ["hidden", this.hidden.size ? JSON.stringify([...this.hidden]) : ""],
    ];
  }

  /** Take over values from the address, those that make sense. */
  restore(said) {
    const allowed = { compare: COMPARE, speed: SPEEDS, size: SIZES };
    for (const [name, options] of Object.entries(allowed)) {
      if (options.some(([value]) => value === said.get(name))) this._values[name] = said.get(name);
    }
    this._values.curve = said.get("curve") ?? "";
    this.filter = this._filter.value = said.get("filter") ?? "";
    try {
      const hidden = JSON.parse(said.get("hidden") ?? "[]");
      this.hidden = new Set(Array.isArray(hidden) ? hidden.filter((run) => typeof run === "string") : []);
    } catch {
      // As if nothing were hidden.
    }
    this._drawChoices();
  }

  /** Add another control behind the others. */
  add(control) {
    this._choices.after(control);
  }

  setStep(steps, place) {
    this._slider.max = Math.max(0, steps.length - 1);
    this._slider.value = place;
    const text = steps.length ? `step ${steps[place]}` : "no step";
    this._step.textContent = steps.length ? `${text} of ${steps[steps.length - 1]}` : text;
    this._slider.setAttribute("aria-valuetext", text);
  }

  setPlaying(playing) {
    this._play.textContent = playing ? "❚❚" : "▶";
    for (const name of ["aria-label", "title"]) this._play.setAttribute(name, playing ? "Pause" : "Play");
  }

  setRuns(runs) {
    const seen = runs.filter((run) => !this.hidden.has(run)).length;
    this._runTitle.textContent = seen === runs.length ? `Runs (${runs.length})` : `Runs (${seen} of ${runs.length})`;
    if (JSON.stringify(runs) === JSON.stringify(this._runs)) return;
    this._runs = runs;
    const boxes = runs.map((run) => {
      const box = element("input", {
        type: "checkbox", ".checked": !this.hidden.has(run),
        onchange: () => (this.hidden[box.checked ? "delete" : "add"](run), this._hooks.changed()),
      });
      return element("label", {}, box, run);
    });
    this._runList.replaceChildren(...boxes);
  }

  setScalars(tags) {
    this._tags = tags;
    this._drawChoices();
  }

  nextCompare() {
    const place = COMPARE.findIndex(([value]) => value === this.compare);
    this._set("compare", COMPARE[(place + 1) % COMPARE.length][0]);
    this._drawChoices();
  }

  focusFilter() {
    this._filter.focus();
  }

  _set(name, value) {
    this._values[name] = value;
    if (name === "curve") this._hooks.curve();
    else this._hooks.changed();
  }

  _drawChoices() {
    const curves = [["none", "none"], ...this._tags.map((tag) => [tag, tag])];
    this._choices.replaceChildren(
      choice("Difference from", COMPARE, this.compare, (value) => this._set("compare", value)),
      choice("Speed", SPEEDS, this._values.speed, (value) => this._set("speed", value)),
      choice("Size", SIZES, this.size, (value) => this._set("size", value)),
      choice("Curve", curves, this.curve || "none", (value) => this._set("curve", value)),
    );
  }
}
