// One image as large as the window, which goes on following the slider.

import { frameOf, paint } from "./cards.js";
import { button, element } from "./dom.js";

export class Enlarged {
  /** `save(canvas, cell, frame)` is called by the button. */
  constructor(save) {
    this.cell = null;
    this.canvas = element("canvas", { width: 1, height: 1, role: "img", "aria-label": "Enlarged image" });
    this._title = element("h2");
    this._note = element("span", { class: "note" });
    this._full = button("1:1", "Show in full resolution", () => this._toggle(), { "aria-pressed": "false" });
    const saving = button("⤓", "Save what is seen as PNG", () => save(this.canvas, this.cell, this.frame));
    const closing = button("✕", "Close", () => this.element.close());
    const header = element("header", {}, this._title, this._note, this._full, saving, closing);
    const stage = element("div", { class: "stage", tabindex: "0", autofocus: true }, this.canvas);
    const closed = () => (this.cell = null);
    this.element = element("dialog", { class: "enlarged", "aria-label": "Enlarged image", onclose: closed }, header, stage);
  }

  open(cell) {
    this.cell = cell;
    this.canvas.width = this.canvas.height = 1;
    this._title.textContent = `${cell.name} · ${cell.series.run}`;
    if (!this.element.open) this.element.showModal();
  }

  show(images, step, compare) {
    if (!this.cell) return;
    this.frame = frameOf(this.cell.series, step, compare);
    const note = paint(this.canvas, images, this.frame, step, compare);
    this._note.textContent = [`step ${step}`, note].filter(Boolean).join(", ");
    this.canvas.setAttribute("aria-label", `${this._title.textContent}, ${this._note.textContent}`);
  }

  _toggle() { this._full.setAttribute("aria-pressed", String(this.element.classList.toggle("full"))); }
}
