// The cards: one for each tag, with one canvas for each run.

import { draw, drawDifference } from "./difference.js";
import { button, element } from "./dom.js";
import { keyOf } from "./images.js";
import { positionAt } from "./series.js";

const AT_ONCE = 200; // images that are added when the end of the page comes near
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

/** Draw a frame, or nothing, on a canvas; gives the line that is to stand below it. */
export function paint(canvas, images, frame, step, compare) {
  const now = frame && images.bitmap(frame.now);
  if (!now) {
    canvas.width = canvas.height = 1;
    return !frame ? "no image yet" : now === null ? "not an image that can be shown" : "not loaded";
  }
  const notes = frame.at === step ? [] : [`from step ${frame.at}`];
  const before = frame.before && images.bitmap(frame.before);
  if (before && before.width === now.width && before.height === now.height) {
    drawDifference(canvas, now, before);
    return [...notes, `change since step ${frame.from}`].join(", ");
  }
  draw(canvas, now);
  if (before) notes.push(`another size at step ${frame.from}`);
  else if (frame.before) notes.push(`step ${frame.from} cannot be shown`);
  else if (compare !== "off") notes.push("nothing earlier to compare with");
  return notes.join(", ");
}

/** One run of a card. */
class Cell {
  constructor(card, series, hooks) {
    [this.card, this.series] = [card, series];
    this.name = `${card.tag}${card.sample ? `, image ${card.sample + 1}` : ""}`;
    this.frame = null; // what is on the canvas
    this.canvas = element("canvas", { width: 1, height: 1 });
    this.note = element("span", { class: "note" });
    const name = `${this.name}, ${series.run}`;
    this._picture = button(this.canvas, `Enlarge ${name}`, () => hooks.enlarge(this), { class: "picture" });
    this._saving = button("⤓", `Save what is seen of ${name} as PNG`, () => hooks.save(this), { class: "save" });
    const run = element("span", { class: "run", title: series.run }, card.names.get(series.run));
    const caption = element("figcaption", {}, run, this.note, this._saving);
    this.element = element("figure", { class: "cell" }, this._picture, caption);
  }

  /** The keys that must be loaded to show a step. */
  keys(step, compare) {
    const frame = frameOf(this.series, step, compare);
    return frame ? [frame.now, frame.before].filter(Boolean) : [];
  }

  show(images, step, compare) {
    this.frame = frameOf(this.series, step, compare);
    let note;
    try {
      note = paint(this.canvas, images, this.frame, step, compare);
    } catch (error) {
      note = `cannot be drawn: ${error.message}`; // an image that is too large for a canvas, say
    }
    this.canvas.style.aspectRatio = "";
    this.element.classList.toggle("empty", !this.frame);
    this._saving.disabled = !this.frame;
    if (this.note.textContent !== note) this.note.textContent = note;
    if (this.canvas.width > 1) {
      // Images get about the same area, whatever their form.
      const share = Math.sqrt(this.canvas.width / this.canvas.height);
      this.element.style.setProperty("--share", Math.min(Math.max(share, 0.75), 1.5).toFixed(3));
      this.element.style.setProperty("--width", `${this.canvas.width}px`);
    }
    this.canvas.classList.toggle("coarse", this.canvas.width <= COARSE);
    const seen = this.frame ? `step ${this.frame.at}` : "no image yet";
    this._picture.setAttribute("aria-label", `Enlarge ${this.name}, ${this.series.run}, ${seen}`);
  }

  /** Give back the memory of the canvas, and keep its place. */
  release() {
    const { width, height } = this.canvas;
    if (width === 1) return;
    this.canvas.style.aspectRatio = `${width} / ${height}`;
    this.canvas.width = this.canvas.height = 1;
  }
}

/** The list of cards. Cards are made when they come near the screen, since there may be tens of thousands. */
export class Cards {
  /** `hooks` are `changed()`, `enlarge(cell)`, `save(cell)`, `describe(card, element)`, and perhaps `saveAll(card)`. */
  constructor(hooks) {
    this._hooks = hooks;
    [this._cards, this._made] = [[], 0];
    this._articles = new Map(); // by what they show
    this._cells = new Map(); // by element
    this._visible = new Set();
    this.element = element("div", { class: "cards" });
    this._end = element("div", { class: "end" });
    // With the document as root, margins count in a frame too.
    const observer = (seen, rootMargin) => new IntersectionObserver(seen, { root: document, rootMargin });
    this._seen = observer((entries) => this._observe(entries), "300px");
    this._more = observer((entries) => entries.some((one) => one.isIntersecting) && this._add(), "1500px");
  }

  /** Show other cards. Those that stay the same keep what is opened in them. */
  set(cards) {
    const ids = cards.map((card) => JSON.stringify([card.key, card.series.map((one) => [one.number, one.run])]));
    const same = ids.length === this._ids?.length && ids.every((id, place) => id === this._ids[place]);
    [this._cards, this._ids] = [cards, ids];
    if (same) return;
    const shown = new Set(ids.slice(0, Math.max(this._made, 1)));
    for (const [id, article] of this._articles) {
      if (shown.has(id)) continue;
      this._articles.delete(id);
      for (const figure of article.querySelectorAll("figure")) {
        this._seen.unobserve(figure);
        this._visible.delete(this._cells.get(figure));
        this._cells.delete(figure);
      }
    }
    this._made = 0;
    this.element.replaceChildren(this._end);
    this._add();
  }

  /** The cells on or near the screen. */
  visible() { return [...this._visible]; }

  _add() {
    for (let cells = 0; cells < AT_ONCE && this._made < this._cards.length; this._made++) {
      const [card, id] = [this._cards[this._made], this._ids[this._made]];
      if (!this._articles.has(id)) this._articles.set(id, this._card(card));
      this._end.before(this._articles.get(id));
      cells += card.series.length;
    }
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
    const { saveAll } = this._hooks;
    const saving = saveAll && button("⤓ all", `Save all steps of ${card.tag}`, () => saveAll(card));
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
      else if (this._visible.delete(cell)) cell.release();
    }
    this._hooks.changed();
  }
}
