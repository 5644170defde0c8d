// Saving what is shown as one page: how much of it, how large it becomes.

import { button, choice, element } from "./dom.js";
import { saveBlob } from "./download.js";

const FORMATS = [["png", "as logged"], ["webp", "WebP, smaller"], ["jpeg", "JPEG, smaller"]];
const EVERY = [1, 2, 5, 10, 20, 50, 100].map((number) => [String(number), number === 1 ? "all" : `one in ${number}`]);

export class ExportPanel {
  /** `series()` gives the numbers of the series that are shown. */
  constructor(source, series) {
    [this._source, this._series, this._every, this._format] = [source, series, "1", "png"];
    this._said = element("p", { role: "status" });
    this._save = button("Save", "Save as one HTML page", () => this._export());
    const every = choice("Steps", EVERY, this._every, (value) => ((this._every = value), this.measure()));
    const format = choice("Images", FORMATS, this._format, (value) => ((this._format = value), this.measure()));
    const panel = element("div", { class: "panel" }, every, format, this._said, this._save);
    this.element = element("details", { ontoggle: () => this.measure() }, element("summary", {}, "Export"), panel);
  }

  get _selection() { return { every: Number(this._every), format: this._format, series: this._series() }; }

  /** Say what an export would hold, if the panel is open. */
  measure() {
    if (!this.element.open) return;
    this._attempt("Estimating the size ...", async () => {
      const { images, steps, size, allowed } = await this._source.exportSize(this._selection);
      const about = this._format === "png" ? "" : "about ";
      const said = `${images} images of ${steps} steps, ${about}${(size / 1e6).toFixed(1)} MB`;
      return [allowed ? said : `${said}: too large`, allowed && images > 0];
    });
  }

  _export() {
    return this._attempt("Collecting ...", async () => {
      saveBlob(await this._source.exported(this._selection), "training.html");
      return ["Saved.", true];
    });
  }

  /** Do something and say how it went; whether it can be saved then. */
  async _attempt(meanwhile, work) {
    const turn = (this._turn = {});
    this._save.disabled = true;
    this._said.textContent = meanwhile;
    const [said, allowed] = await work().catch((error) => [`Not possible: ${error.message}`, false]);
    if (turn !== this._turn) return; // something else was chosen meanwhile
    this._said.textContent = said;
    this._save.disabled = !allowed;
  }
}
