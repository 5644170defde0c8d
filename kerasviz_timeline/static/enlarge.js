// One image as large as the window, which goes on following the slider.

import { paint } from "./cards.js";
import { button, element } from "./dom.js";

export class Enlarged {
  /** `save(canvas, cell)` is called by the button. */
  constructor(save) {
    this.cell = null;
    this.canvas = element("canvas", { width: 1, height: 1, role: "img", "aria-label": "Enlarged image" });
    this._title = element("h2");
    this._note = element("span", { class: "note" });
    this._fit = button("1:1", "Show in full resolution", () => this._toggle(), { "aria-pressed": "false" });
    this.element = element(
      "dialog",
      { class: "enlarged", "aria-label": "Enlarged image", onclose: () => (this.cell = null) },
      element(
        "header",
        {},
        this._title,
        this._note,
        this._fit,
        button("⤓", "Save what is seen as PNG", () => save(this.canvas, this.cell)),
        button("✕", "Close", () => this.element.close()),
      ),
      element("div", { class: "stage", tabindex: "0" }, this.canvas),
    );
  }

  open(cell) {
    this.cell = cell;
    this._title.textContent = `${cell.card.tag} · ${cell.series.run}`;
    if (!this.element.open) this.element.showModal();
  }

  show(images, step, compare) {
    if (!this.cell?.frame) return;
    const note = paint(this.canvas, images, this.cell.frame, step, compare);
    this._note.textContent = [`step ${step}`, note].filter(Boolean).join(", ");
    this.canvas.setAttribute("aria-label", `${this._title.textContent}, ${this._note.textContent}`);
  }

  _toggle() {
    const full = this.element.classList.toggle("full");
    this._fit.setAttribute("aria-pressed", String(full));
  }
}
