// The controls above the cards: slider, play, comparison, runs, filter.

import { button, choice, element } from "./dom.js";

// Label, options as `[value, text]`, and the default.
const SETTINGS = {
  compare: ["Difference from", [["off", "off"], ["previous", "previous step"], ["first", "first step"]], "off"],
  speed: ["Speed", ["2", "8", "25", "60"].map((speed) => [speed, `${speed} steps/s`]), "8"],
  size: ["Size", ["small", "medium", "large", "full"].map((size) => [size, size]), "medium"],
};
const LOSS = /(^|[/_.])loss$/;

export class Controls {
  /** `hooks` are `go(place)`, `play()`, `changed()`, `curve()`. */
  constructor(hooks) {
    this._hooks = hooks;
    this._values = Object.fromEntries(Object.entries(SETTINGS).map(([name, [, , value]]) => [name, value]));
    this._curve = ""; // as it was chosen; "" for a loss, "none"
    [this._tags, this._runs, this.hidden] = [[], [], new Set()];
    this._play = button("▶", "Play", hooks.play, { class: "play" });
    const go = () => hooks.go(Number(this._slider.value));
    this._slider = element("input", { type: "range", min: 0, max: 0, value: 0, "aria-label": "Step", oninput: go });
    this._step = element("output", { class: "step", "aria-live": "off" });
    const label = { placeholder: "Filter tags (/)", "aria-label": "Filter tags" };
    this._filter = element("input", { type: "search", ...label, oninput: hooks.changed });
    this._runList = element("div", { class: "runs" });
    this._runTitle = element("summary", {}, "Runs");
    const runs = element("details", {}, this._runTitle, this._runList);
    this._choices = element("div", { class: "choices" });
    const slider = element("div", { class: "slider" }, this._play, this._slider, this._step);
    const options = element("div", { class: "options" }, this._filter, runs, this._choices);
    this.element = element("div", { class: "controls" }, slider, options);
    this._drawChoices();
  }

  /** The value of a setting: `compare`, `speed` or `size`. */
  get(name) { return this._values[name]; }
  get filter() { return this._filter.value; }

  /** The scalar of the strip: the chosen one, else a loss, the shortest name first. */
  get curve() {
    if (this._curve === "none") return "";
    if (this._tags.includes(this._curve)) return this._curve;
    const losses = this._tags.filter((tag) => LOSS.test(tag.toLowerCase()));
    return losses.sort((one, other) => one.length - other.length)[0] ?? "";
  }

  /** Name and value of all that is not as it is by default, for the address. */
  state() {
    const changed = Object.keys(SETTINGS).map((name) => [name, this.get(name) === SETTINGS[name][2] ? "" : this.get(name)]);
    return [...changed, ["curve", this._curve], ["filter", this.filter], ["hidden", [...this.hidden].join("\n")]];
  }

  /** Take over values from the address, those that make sense. */
  restore(said) {
    for (const [name, [, options]] of Object.entries(SETTINGS)) {
      if (options.some(([value]) => value === said.get(name))) this._values[name] = said.get(name);
    }
    this._curve = said.get("curve") ?? "";
    this._filter.value = said.get("filter") ?? "";
    this.hidden = new Set((said.get("hidden") ?? "").split("\n").filter(Boolean));
    this._drawChoices();
  }

  /** Add another control behind the others. */
  add(control) { this._choices.after(control); }

  setStep(steps, place) {
    [this._slider.max, this._slider.value] = [Math.max(0, steps.length - 1), place];
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
      const changed = () => (this.hidden[box.checked ? "delete" : "add"](run), this._hooks.changed());
      const box = element("input", { type: "checkbox", ".checked": !this.hidden.has(run), onchange: changed });
      return element("label", {}, box, run);
    });
    this._runList.replaceChildren(...boxes);
  }

  setScalars(tags) {
    if (JSON.stringify(tags) === JSON.stringify(this._tags)) return;
    this._tags = tags;
    this._drawChoices();
  }

  nextCompare() {
    const values = SETTINGS.compare[1].map(([value]) => value);
    this._values.compare = values[(values.indexOf(this.get("compare")) + 1) % values.length];
    this._drawChoices();
    this._hooks.changed();
  }

  focusFilter() { this._filter.focus(); }

  _drawChoices() {
    const settings = Object.entries(SETTINGS).map(([name, [label, options]]) =>
      choice(label, options, this.get(name), (value) => ((this._values[name] = value), this._hooks.changed())),
    );
    const tags = ["none", ...this._tags].map((tag) => [tag, tag]);
    const curve = choice("Curve", tags, this.curve || "none", (value) => ((this._curve = value), this._hooks.curve()));
    this._choices.replaceChildren(...settings, curve);
  }
}
