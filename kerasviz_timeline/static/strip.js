// The strip below the slider: curves of one scalar, with the step marked.

import { element } from "./dom.js";
import { positionAt } from "./series.js";

const HEIGHT = 48;
const COLOURS = ["#2f86d2", "#d9662b", "#2e9e63", "#a25bc0", "#c9485c", "#8a8a1f", "#3f98ad", "#9c7150"];

/** Where a step lies among the sorted steps of the slider, from 0 to 1; between two of them in proportion. */
export function shareOf(steps, step) {
  const last = steps.length - 1;
  const before = positionAt(steps, step);
  if (last < 1 || before < 0) return 0;
  return before === last ? 1 : (before + (step - steps[before]) / (steps[before + 1] - steps[before])) / last;
}

/** The value of a curve at a step: of the last point that is not later; null before the first. */
export function valueAt(curve, step) {
  return curve.findLast(([at]) => at <= step)?.[1] ?? null;
}

export class Strip {
  /** `pick(share)` is called with the place that is clicked, from 0 to 1. */
  constructor(pick) {
    this._curves = new Map();
    const onclick = (event) => {
      const box = this._canvas.getBoundingClientRect();
      pick(Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)));
    };
    this._canvas = element("canvas", { class: "strip", role: "img", "aria-label": "Curve", onclick });
    this._legend = element("div", { class: "legend" });
    this.element = element("div", { class: "curves", hidden: true }, this._canvas, this._legend);
  }

  /** Curves by run, each of `[step, value or null]`. */
  set(tag, curves) {
    this._tag = tag;
    this._curves = curves;
    this.element.hidden = !curves.size;
  }

  draw(steps, step) {
    if (this.element.hidden || !steps.length) return;
    const scale = window.devicePixelRatio || 1;
    const width = this._canvas.clientWidth;
    if (!width) return;
    this._canvas.width = width * scale;
    this._canvas.height = HEIGHT * scale;
    const context = this._canvas.getContext("2d");
    context.scale(scale, scale);
    const values = [...this._curves.values()].flat().flatMap(([, value]) => (value === null ? [] : [value]));
    const low = values.reduce((one, other) => Math.min(one, other), Infinity);
    const high = values.reduce((one, other) => Math.max(one, other), -Infinity);
    const y = (value) => 3 + (HEIGHT - 6) * (high > low ? (high - value) / (high - low) : 0.5);
    const texts = [];
    [...this._curves].forEach(([run, curve], place) => {
      context.strokeStyle = COLOURS[place % COLOURS.length];
      context.lineWidth = 1.5;
      context.beginPath();
      let pen = false;
      for (const [at, value] of curve) {
        if (value === null) pen = false;
        else {
          context[pen ? "lineTo" : "moveTo"](shareOf(steps, at) * width, y(value));
          pen = true;
        }
      }
      context.stroke();
      texts.push([run, COLOURS[place % COLOURS.length], valueAt(curve, step)]);
    });
    context.fillStyle = getComputedStyle(this._canvas).color;
    context.fillRect(Math.min(width - 2, shareOf(steps, step) * width), 0, 2, HEIGHT);
    this._label(texts);
  }

  _label(texts) {
    const shown = texts.map(([run, colour, value]) => [run, colour, value === null ? "–" : value.toPrecision(4)]);
    const entries = shown.map(([run, colour, value]) =>
      element("span", {}, element("i", { style: `background:${colour}` }), `${run} ${value}`),
    );
    this._legend.replaceChildren(...entries);
    const label = entries.map((entry) => entry.textContent).join(", ");
    this._canvas.setAttribute("aria-label", `${this._tag}: ${label}`);
  }
}
