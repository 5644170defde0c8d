// Saving what is shown as one page: how much of it, how large it becomes.

import { button, choice, element } from "./dom.js";
import { saveBlob } from "./download.js";

const FORMATS = [["png", "as logged"], ["webp", "WebP, smaller"], ["jpeg", "JPEG, smaller"]];
const EVERY = ["1", "2", "5", "10", "20", "50", "100"].map((number) => [number, number === "1" ? "all" : `one in ${number}`]);

export class ExportPanel {
  /** `series()` gives the numbers of the series that are shown. */
  constructor(source, series) {
    this._source = source;
    this._series = series;
    this._every = "1";
    this._format = "png";
    this._said = element("p", { role: "status" });
    this._save = button("Save", "Save as one HTML page", () => this._export());
    const set = (name) => (value) => ((this[name] = value), this._measure());
    this.element = element(
      "details",
      { ontoggle: () => this.element.open && this._measure() },
      element("summary", {}, "Export"),
      element(
        "div",
        { class: "panel" },
        choice("Steps", EVERY, this._every, set("_every")),
        choice("Images", FORMATS, this._format, set("_format")),
        this._said,
        this._save,
      ),
    );
  }

  get _selection() {
    return { every: Number(this._every), format: this._format, series: this._series() };
  }

  async _measure() {
    await this._attempt("Estimating the size ...", async () => {
      const { images, steps, size, allowed } = await this._source.exportSize(this._selection);
      const about = this._format === "png" ? "" : "about ";
      this._save.disabled = !allowed || !images;
      return `${images} images of ${steps} steps, ${about}${(size / 1e6).toFixed(1)} MB${allowed ? "" : ": too large"}`;
    });
  }

  async _export() {
    await this._attempt("Collecting ...", async () => {
      saveBlob(await this._source.exported(this._selection), "training.html");
      this._save.disabled = false;
      return "Saved.";
    });
  }

  async _attempt(meanwhile, work) {
    this._save.disabled = true;
    this._said.textContent = meanwhile;
    try {
      const said = await work();
      this._said.textContent = said;
    } catch (error) {
      this._said.textContent = `Not possible: ${error.message}`;
    }
  }
}
