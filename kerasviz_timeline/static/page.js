// The page: controls, the clock, and what is shown at each step.

import { Cards } from "./cards.js";
import { Controls } from "./controls.js";
import { fileName, saveAll, saveCanvas } from "./download.js";
import { element } from "./dom.js";
import { ExportPanel } from "./export_panel.js";
import { Enlarged } from "./enlarge.js";
import { Images } from "./images.js";
import { Log, positionAt, stepsOf } from "./series.js";
import { Strip } from "./strip.js";

const AHEAD = 6; // steps that are loaded before they are played
const REFRESH = 4000; // milliseconds between two looks for news of a training

export class Page {
  constructor(source, address) {
    this._source = source;
    this._address = address;
    this._log = new Log();
    this._images = new Images(source);
    this._shown = []; // the cards
    this._steps = [];
    this._place = 0; // among the steps
    this._atEnd = true;
    this._waiting = null;
    this._controls = new Controls({
      go: (place) => this.go(place),
      play: () => this._toggle(),
      changed: () => this._arrange(),
      curve: () => this._loadCurves(),
    });
    this._strip = new Strip((share) => this.go(Math.round(share * (this._steps.length - 1))));
    this._enlarged = new Enlarged((canvas, cell) => this._save(canvas, cell));
    this._cards = new Cards({
      changed: () => this._show(),
      enlarge: (cell) => (this._enlarged.open(cell), this._show()),
      save: (cell) => this._save(cell.canvas, cell),
      saveAll: (card) => this._saveAll(card),
      describe: async (card, text) => (text.innerHTML = (await source.description(card.tag)) || "No description."),
    });
    if (source.live) {
      const shown = () => this._shown.flatMap((card) => card.series.map((one) => one.number));
      this._controls.add(new ExportPanel(source, shown).element);
    }
    this._status = element("p", { class: "status", role: "status" });
    const top = element("div", { class: "top" }, this._controls.element, this._strip.element, this._status);
    this.element = element("main", { class: "timeline" }, top, this._cards.element, this._enlarged.element);
  }

  /** Read the address and the log, and show what they say. */
  async start() {
    const said = this._address.read();
    this._controls.restore(said);
    const step = Number.parseInt(said.get("step"));
    this._wanted = Number.isNaN(step) ? null : step;
    document.addEventListener("keydown", (event) => this._key(event));
    window.addEventListener("resize", () => this._drawStrip());
    await this._refresh();
    this._loadCurves();
  }

  /** Show the step at a place among all steps. */
  go(place) {
    if (!this._steps.length) return;
    this._place = Math.min(Math.max(place, 0), this._steps.length - 1);
    this._atEnd = this._place === this._steps.length - 1;
    this._wanted = null;
    this._controls.setStep(this._steps, this._place);
    this._drawStrip();
    this._remember();
    return this._show();
  }

  async play() {
    if (this._playing || this._steps.length < 2) return;
    this._playing = true;
    this._controls.setPlaying(true);
    if (this._atEnd) await this.go(0);
    let due = performance.now();
    while (this._playing) {
      due = Math.max(due + 1000 / Number(this._controls.get("speed")), performance.now() - 50);
      for (let next = 2; next <= AHEAD; next++) this._load(this._place + next).catch(() => {});
      await this._load(this._place + 1).catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
      await new Promise(requestAnimationFrame);
      if (!this._playing) break;
      await this.go(this._place + 1);
      if (this._place >= this._steps.length - 1) this.pause();
    }
  }

  _toggle() {
    return this._playing ? this.pause() : this.play();
  }

  pause() {
    this._playing = false;
    this._controls.setPlaying(false);
  }

  async _refresh() {
    let complete = true;
    try {
      const news = await this._source.listing();
      complete = news.complete;
      if (news.fresh) [this._log, this._images] = [new Log(), new Images(this._source)];
      if (this._log.update(news.series)) this._arrange();
      this._tell(complete ? (news.note ?? "") : `Reading the log: ${Math.floor(100 * news.share)} %`);
    } catch (error) {
      this._tell(`The log cannot be read: ${error.message}`);
    }
    if (this._source.live) {
      const again = () => (window.innerHeight > 0 ? this._refresh() : setTimeout(again, REFRESH));
      setTimeout(again, complete ? REFRESH : 0);
    }
  }

  /** Runs, filter or log have changed: choose cards and steps anew. */
  _arrange() {
    this._controls.setRuns(this._log.runs());
    const cards = (this._shown = this._log.shown(this._controls.filter, this._controls.hidden));
    const current = this._wanted ?? (this._atEnd ? Infinity : this._steps[this._place]);
    this._steps = stepsOf(cards);
    this._place = Math.max(0, positionAt(this._steps, current ?? Infinity));
    this._atEnd = this._wanted === null && this._place >= this._steps.length - 1;
    this._controls.setStep(this._steps, this._place);
    this.element.dataset.size = this._controls.get("size");
    this._cards.set(cards);
    this._drawStrip();
    this._remember();
    this._show();
  }

  _drawStrip() {
    this._strip.draw(this._steps, this._steps[this._place]);
  }

  _keys(place) {
    const step = this._steps[Math.min(place, this._steps.length - 1)];
    const cells = [...this._cards.visible(), ...(this._enlarged.cell ? [this._enlarged.cell] : [])];
    return cells.flatMap((cell) => cell.keys(step, this._controls.get("compare")));
  }

  _load(place) {
    return this._images.load(this._keys(place));
  }

  /** Draw the step when all of it has been loaded; of several that are asked for meanwhile, only the last. */
  _show() {
    this._asked = true;
    this._waiting ??= (async () => {
      this.element.setAttribute("aria-busy", "true");
      while (this._asked) {
        this._asked = false;
        const [step, compare] = [this._steps[this._place], this._controls.get("compare")];
        if (step === undefined) break;
        const failed = await this._load(this._place).catch((error) => error);
        if (failed) this._tell(`Images cannot be read: ${failed.message}`);
        for (const cell of this._cards.visible()) cell.show(this._images, step, compare);
        this._enlarged.show(this._images, step, compare);
        this.element.dataset.shown = step;
      }
      this._waiting = null;
      this.element.removeAttribute("aria-busy");
    })();
    return this._waiting;
  }

  async _loadCurves() {
    try {
      this._controls.setScalars(await this._source.scalarTags());
      const tag = this._controls.curve;
      this._strip.set(tag, tag ? await this._source.curves(tag) : new Map());
    } catch (error) {
      this._tell(`Scalars cannot be read: ${error.message}`);
    }
    this._remember();
    this._drawStrip();
  }

  _remember() {
    const step = this._atEnd && this._wanted === null ? "" : String(this._wanted ?? this._steps[this._place] ?? "");
    this._address.write([["step", step], ...this._controls.state()]);
  }

  _save(canvas, cell) {
    saveCanvas(canvas, `${fileName(cell.card.tag)}_${fileName(cell.series.run)}_${this._steps[this._place]}.png`);
  }

  async _saveAll(card) {
    try {
      await saveAll(card, this._images, (share) => this._tell(`Collecting ${card.tag}: ${Math.floor(100 * share)} %`));
      this._tell("");
    } catch (error) {
      this._tell(`${card.tag} cannot be saved: ${error.message}`);
    }
  }

  _tell(text) {
    if (this._status.textContent !== text) this._status.textContent = text;
  }

  _key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest?.("select, input:not([type=range]):not([type=checkbox])")) return;
    const onButton = event.target.closest?.("button, summary, input, a");
    const jump = Math.max(1, Math.round(this._steps.length / 20));
    const moves = { ArrowLeft: -1, ArrowRight: 1, PageUp: -jump, PageDown: jump, Home: -Infinity, End: Infinity };
    const moving = Object.entries(moves).map(([key, by]) => [key, () => this.go(this._place + by)]);
    const actions = Object.fromEntries([
      ...moving,
      ["d", () => this._controls.nextCompare()],
      ["/", () => this._controls.focusFilter()],
      ...(onButton ? [] : [[" ", () => this._toggle()]]),
    ]);
    if (!Object.hasOwn(actions, event.key)) return;
    event.preventDefault();
    actions[event.key]();
  }
}
