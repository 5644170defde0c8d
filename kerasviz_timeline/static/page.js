// The page: controls, the clock, and what is shown at each step.

import { Cards } from "./cards.js";
import { Controls } from "./controls.js";
import { fileName, saveBlob, saveCanvas } from "./download.js";
import { element } from "./dom.js";
import { ExportPanel } from "./export_panel.js";
import { Enlarged } from "./enlarge.js";
import { Images } from "./images.js";
import { Log, positionAt, stepsOf } from "./series.js";
import { Strip } from "./strip.js";

const AHEAD = 6; // steps that are loaded before they are played
const REFRESH = 4000; // milliseconds between two looks for news of a training
const CURVES = 15000; // milliseconds between two looks for news of the scalars

export class Page {
  constructor(source, address) {
    [this._source, this._address] = [source, address];
    [this._log, this._images] = [new Log(), new Images(source)];
    this._shown = []; // the cards
    this._steps = [];
    this._place = 0; // among the steps
    this._wanted = null; // the step that was chosen; null follows the newest
    this._playing = this._waiting = null; // what is being played, and shown
    this._controls = new Controls({
      go: (place) => this.go(place),
      play: () => this._toggle(),
      changed: () => this._arrange(),
      curve: () => this._loadCurves(),
    });
    this._strip = new Strip((share) => this.go(Math.round(share * (this._steps.length - 1))));
    this._enlarged = new Enlarged((canvas, cell, frame) => this._save(canvas, cell, frame));
    this._cards = new Cards({
      changed: () => this._show(),
      enlarge: (cell) => (this._enlarged.open(cell), this._show()),
      save: (cell) => this._save(cell.canvas, cell, cell.frame),
      saveAll: source.live ? (card) => this._saveAll(card) : null,
      describe: (card, text) => this._describe(card, text),
    });
    const series = () => this._shown.flatMap((card) => card.series.map((one) => one.number));
    this._export = source.live ? new ExportPanel(source, series) : null;
    if (this._export) this._controls.add(this._export.element);
    this._state = element("p", { class: "status", role: "status" }); // of the log
    this._said = element("p", { class: "status", role: "status" }); // of what was asked for
    const parts = [this._controls.element, this._strip.element, this._state, this._said];
    this.element = element("main", {}, element("div", { class: "top" }, parts), this._cards.element, this._enlarged.element);
  }

  /** Read the address and the log, and show what they say. */
  async start() {
    this._restore();
    this._address.onChange(() => (this._restore(), this._arrange()));
    document.addEventListener("keydown", (event) => this._key(event));
    window.addEventListener("resize", () => this._drawStrip());
    window.addEventListener("pagehide", () => this._address.writeNow(this._values()));
    await this._refresh();
    this._loadCurves();
  }

  /** Show the step at a place among all steps; at the last one, follow a training that goes on. */
  go(place) {
    if (!this._steps.length) return;
    const last = this._steps.length - 1;
    this._place = Math.min(Math.max(place, 0), last);
    this._wanted = this._place === last ? null : this._steps[this._place];
    return this._moved();
  }

  async play() {
    if (this._playing || this._steps.length < 2) return;
    const playing = (this._playing = {});
    this._controls.setPlaying(true);
    if (this._place >= this._steps.length - 1) await this.go(0);
    let due = performance.now();
    while (this._playing === playing) {
      due = Math.max(due + 1000 / Number(this._controls.get("speed")), performance.now() - 50);
      this._images.keep([...this._keys(this._place), ...this._keys(this._place + 1)]);
      for (let next = 2; next <= AHEAD; next++) this._load(this._place + next).catch(() => {});
      await this._load(this._place + 1).catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
      await new Promise(requestAnimationFrame);
      if (this._playing !== playing) break;
      await this.go(this._place + 1);
      if (this._place >= this._steps.length - 1) this.pause();
    }
  }

  pause() {
    this._playing = null;
    this._controls.setPlaying(false);
  }

  _toggle() { return this._playing ? this.pause() : this.play(); }

  _restore() {
    const said = this._address.read();
    const step = Number.parseInt(said.get("step"));
    this._wanted = Number.isNaN(step) ? null : step;
    this._controls.restore(said);
  }

  async _refresh() {
    let complete = true;
    try {
      const news = await this._source.listing();
      complete = news.complete;
      if (news.fresh) [this._log, this._images] = [new Log(), new Images(this._source)];
      const changed = this._log.update(news.series);
      tell(this._state, complete ? (news.note ?? "") : `Reading the log: ${Math.floor(100 * news.share)} %`);
      if (changed) this._arrange();
      if (changed && performance.now() > this._curvesAt + CURVES) this._loadCurves();
    } catch (error) {
      tell(this._state, `The log cannot be read: ${error.message}`);
    }
    if (this._source.live) {
      const again = () => (window.innerHeight > 0 ? this._refresh() : setTimeout(again, REFRESH));
      setTimeout(again, complete ? REFRESH : 0);
    }
  }

  /** Runs, filter or log have changed: choose cards and steps anew. */
  _arrange() {
    this._controls.setRuns(this._log.runs());
    this._shown = this._log.shown(this._controls.filter, this._controls.hidden);
    this._steps = stepsOf(this._shown);
    this._place = Math.max(0, positionAt(this._steps, this._wanted ?? Infinity));
    this.element.dataset.size = this._controls.get("size");
    this._cards.set(this._shown);
    this._export?.measure();
    const none = this._log.series.size && !this._shown.length;
    tell(this._said, none ? "No tag fits the filter and the runs that are chosen." : "");
    this._moved();
  }

  _moved() {
    this._controls.setStep(this._steps, this._place);
    this._drawStrip();
    this._address.write(this._values());
    return this._show();
  }

  _drawStrip() { this._strip.draw(this._steps, this._steps[this._place]); }

  _keys(place) {
    const step = this._steps[Math.min(place, this._steps.length - 1)];
    const cells = [...this._cards.visible(), ...(this._enlarged.cell ? [this._enlarged.cell] : [])];
    return cells.flatMap((cell) => cell.keys(step, this._controls.get("compare")));
  }

  _load(place) { return this._images.load(this._keys(place)); }

  /** Draw the step when all of it has been loaded; of several that are asked for meanwhile, only the last. */
  _show() {
    this._asked = true;
    this._waiting ??= this._showAsked().finally(() => {
      this._waiting = null;
      this.element.removeAttribute("aria-busy");
    });
    return this._waiting;
  }

  async _showAsked() {
    this.element.setAttribute("aria-busy", "true");
    while (this._asked && this._steps.length) {
      this._asked = false;
      const [step, compare] = [this._steps[this._place], this._controls.get("compare")];
      if (!this._playing) this._images.keep(this._keys(this._place));
      const failed = await this._load(this._place).catch((error) => error);
      if (failed) {
        tell(this._said, `Images cannot be read: ${failed.message}`);
        setTimeout(() => this._show(), REFRESH);
      }
      for (const cell of this._cards.visible()) cell.show(this._images, step, compare);
      this._enlarged.show(this._images, step, compare);
      this.element.dataset.shown = step;
    }
  }

  async _loadCurves() {
    this._curvesAt = performance.now();
    try {
      this._controls.setScalars(await this._source.scalarTags());
      const tag = this._controls.curve;
      const curves = tag ? await this._source.curves(tag) : new Map();
      if (tag === this._controls.curve) this._strip.set(tag, curves);
    } catch (error) {
      tell(this._said, `Scalars cannot be read: ${error.message}`);
    }
    this._address.write(this._values());
    this._drawStrip();
  }

  /** What the address is to hold. */
  _values() { return [["step", String(this._wanted ?? "")], ...this._controls.state()]; }

  async _describe(card, text) {
    const description = this._source.description(card.tag);
    text.innerHTML = (await description.catch((error) => error.message)) || "No description.";
  }

  _save(canvas, cell, frame) {
    saveCanvas(canvas, `${fileName(cell.name)}_${fileName(cell.series.run)}_${frame.at}.png`);
  }

  async _saveAll(card) {
    tell(this._said, `Collecting ${card.tag} ...`);
    try {
      saveBlob(await this._source.archive(card.series.map((one) => one.number)), `${fileName(card.tag)}.zip`);
      tell(this._said, "");
    } catch (error) {
      tell(this._said, `${card.tag} cannot be saved: ${error.message}`);
    }
  }

  _key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest?.("select, input:not([type=range]):not([type=checkbox])")) return;
    const onButton = event.target.closest?.("button, summary, a, input:not([type=range])");
    const jump = Math.max(1, Math.round(this._steps.length / 20));
    const moves = { ArrowLeft: -1, ArrowRight: 1, PageUp: -jump, PageDown: jump, Home: -Infinity, End: Infinity };
    const moving = Object.entries(moves).map(([key, by]) => [key, () => this.go(this._place + by)]);
    const others = { d: () => this._controls.nextCompare(), "/": () => this._controls.focusFilter() };
    const actions = new Map([...moving, ...Object.entries(others), ...(onButton ? [] : [[" ", () => this._toggle()]])]);
    if (actions.has(event.key)) event.preventDefault();
    actions.get(event.key)?.();
  }
}

function tell(line, text) {
  if (line.textContent !== text) line.textContent = text;
}
