// The cards: one for each tag, with one canvas for each run.

import { draw, drawDifference } from "./difference.js";
import { button, element } from "./dom.js";
import { keyOf } from "./images.js";
import { positionAt } from "./series.js";

const AT_ONCE = 40; // cards that are added when the end of the page comes near
const COARSE = 128; // pixels; smaller images are enlarged without smoothing

/** What a cell shows at a step: position and keys of the image and of the one it is compared with. */
export function frameOf(series, step, compare) {
  const position = positionAt(series.steps, step);
  if (position < 0) return null;
  const other = compare === "previous" ? position - 1 : compare === "first" ? 0 : -1;
  return {
    at: series.steps[position],
    now: keyOf(series, position),
    before: other >= 0 && other !== position ? keyOf(series, other) : null,
    from: other >= 0 && other !== position ? series.steps[other] : null,
  };
}

/** Draw a frame on a canvas; gives the line that is to stand below it. */
export function paint(canvas, images, frame, step, compare) {
  const now = images.bitmap(frame.now);
  if (!now) return now === null ? "not an image that can be shown" : "";
  const notes = frame.at === step ? [] : [`from step ${frame.at}`];
  const before = frame.before && images.bitmap(frame.before);
  if (compare === "off") draw(canvas, now);
  else if (!before) {
    draw(canvas, now);
    notes.push("nothing earlier to compare with");
  } else if (before.width !== now.width || before.height !== now.height) {
    draw(canvas, now);
    notes.push(`another size at step ${frame.from}`);
  } else {
    drawDifference(canvas, now, before);
    notes.push(`change since step ${frame.from}`);
  }
  return notes.join(", ");
}

/** One run of a card. */
class Cell {
  constructor(card, series, hooks) {
    this.card = card;
    this.series = series;
    this.frame = null;
    this.canvas = element("canvas", { width: 1, height: 1, role: "img", "aria-label": card.tag });
    this.note = element("span", { class: "note" });
    const name = `${card.tag}, ${series.run}`;
    const picture = button(this.canvas, `Enlarge ${name}`, () => hooks.enlarge(this), { class: "picture" });
    const saving = button("⤓", `Save what is seen of ${name} as PNG`, () => hooks.save(this), { class: "save" });
    const run = element("span", { class: "run", title: series.run }, card.names.get(series.run));
    this.element = element("figure", { class: "cell" }, picture, element("figcaption", {}, run, this.note, saving));
  }

  /** The keys that must be loaded to show a step. */
  keys(step, compare) {
    const frame = frameOf(this.series, step, compare);
    return frame ? [frame.now, frame.before].filter(Boolean) : [];
  }

  show(images, step, compare) {
    this.frame = frameOf(this.series, step, compare);
    this.element.classList.toggle("empty", !this.frame);
    const note = this.frame ? paint(this.canvas, images, this.frame, step, compare) : "no image yet";
    if (this.note.textContent !== note) this.note.textContent = note;
    // Images get about the same area, whatever their form.
    const share = Math.sqrt(this.canvas.width / this.canvas.height);
    this.element.style.setProperty("--share", Math.min(Math.max(share, 0.75), 1.5).toFixed(3));
    this.canvas.classList.toggle("coarse", this.canvas.width <= COARSE);
    const seen = this.frame ? `step ${this.frame.at}` : "no image yet";
    this.canvas.setAttribute("aria-label", `${this.card.tag}, ${this.series.run}, ${seen}`);
  }
}

/** The list of cards. Cards are made when they come near the screen, since there may be tens of thousands. */
export class Cards {
  /** `hooks` are `changed()`, `enlarge(cell)`, `save(cell)`, `saveAll(card)`, `describe(card, element)`. */
  constructor(hooks) {
    this._hooks = hooks;
    this._cards = [];
    this._made = 0;
    this._cells = new Map(); // by element
    this._visible = new Set();
    this.element = element("div", { class: "cards" });
    this._end = element("div", { class: "end" });
    this._seen = new IntersectionObserver((entries) => this._observe(entries), { rootMargin: "300px" });
    const near = (entries) => entries.some((one) => one.isIntersecting) && this._add();
    this._more = new IntersectionObserver(near, { rootMargin: "1500px" });
    this._more.observe(this._end);
  }

  /** Show other cards. Those that stay the same keep their place on the screen. */
  set(cards) {
    const signature = JSON.stringify(cards.map((card) => [card.key, card.series.map((one) => one.number)]));
    if (signature === this._signature) {
      const series = new Map(cards.flatMap((card) => card.series.map((one) => [one.number, one])));
      for (const cell of this._cells.values()) cell.series = series.get(cell.series.number);
      return;
    }
    this._signature = signature;
    const made = Math.max(AT_ONCE, this._made);
    this._seen.disconnect();
    this._cells.clear();
    this._visible.clear();
    this._cards = cards;
    this._made = 0;
    this.element.replaceChildren(this._end);
    this._add(made);
  }

  /** The cells on or near the screen. */
  visible() {
    return [...this._visible];
  }

  _add(count = AT_ONCE) {
    const until = Math.min(this._made + count, this._cards.length);
    for (; this._made < until; this._made++) this._end.before(this._card(this._cards[this._made]));
    // An observer reports changes only: where the end is still near, it would not be heard of again.
    this._more.unobserve(this._end);
    if (this._made < this._cards.length) this._more.observe(this._end);
  }

  _card(card) {
    const cells = card.series.map((series) => new Cell(card, series, this._hooks));
    for (const cell of cells) {
      this._cells.set(cell.element, cell);
      this._seen.observe(cell.element);
    }
    const text = element("div", { class: "description", hidden: true });
    const attributes = { class: "about", "aria-expanded": "false" };
    const about = button("i", `What ${card.tag} shows`, () => this._toggle(card, text, about), attributes);
    const title = element("h2", { title: card.tag }, card.tag + (card.sample ? `, image ${card.sample + 1}` : ""));
    const saving = button("⤓ all", `Save all steps of ${card.tag}`, () => this._hooks.saveAll(card));
    const images = element("div", { class: "cells" }, cells.map((cell) => cell.element));
    const header = element("header", {}, title, about, saving);
    return element("article", { class: "card", "aria-label": card.tag }, header, text, images);
  }

  _toggle(card, text, about) {
    text.hidden = !text.hidden;
    about.setAttribute("aria-expanded", String(!text.hidden));
    if (!text.hidden) this._hooks.describe(card, text);
  }

  _observe(entries) {
    for (const entry of entries) {
      const cell = this._cells.get(entry.target);
      if (cell && entry.isIntersecting) this._visible.add(cell);
      else this._visible.delete(cell);
    }
    this._hooks.changed();
  }
}
