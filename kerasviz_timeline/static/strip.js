// The strip below the slider: curves of one scalar, with the step marked.

import { element } from "./dom.js";
import { positionAt } from "./series.js";

const HEIGHT = 48;
const NAMED = 8; // curves in the legend
const COLOURS = ["#2f86d2", "#d9662b", "#2e9e63", "#a25bc0", "#c9485c", "#8a8a1f", "#3f98ad", "#9c7150"];

/** Where a step lies among the sorted steps of the slider, from 0 to 1; between two of them in proportion. */
export function shareOf(steps, step) {
  const last = steps.length - 1;
  const before = positionAt(steps, step);
  if (last < 1 || before < 0) return 0;
  return before === last ? 1 : (before + (step - steps[before]) / (steps[before + 1] - steps[before])) / last;
}

/** The value of a curve at a step: of the last point that is not later; null before the first. */
export function valueAt(curve, step) { return curve.findLast(([at]) => at <= step)?.[1] ?? null; }

export class Strip {
  /** `pick(share)` is called with the place that is clicked, from 0 to 1. */
  constructor(pick) {
    [this._curves, this._drawn] = [[], []];
    const onclick = (event) => {
      const box = this._canvas.getBoundingClientRect();
      pick(Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)));
    };
    this._canvas = element("canvas");
    this._marker = element("div", { class: "marker" });
    const attributes = { class: "strip", role: "img", "aria-label": "Curve", onclick };
    this._strip = element("div", attributes, this._canvas, this._marker);
    this._legend = element("div", { class: "legend" });
    this.element = element("div", { class: "curves", hidden: true }, this._strip, this._legend);
  }

  /** Curves by run, each of `[step, value or null]`. */
  set(tag, curves) {
    [this._tag, this._curves, this._drawn] = [tag, [...curves], []];
    this.element.hidden = !curves.size;
  }

  /** Show the curves over the steps of the slider, with one step marked. */
  draw(steps, step) {
    const width = this._canvas.clientWidth;
    if (this.element.hidden || !steps.length || !width) return;
    if (this._drawn[0] !== steps || this._drawn[1] !== width) this._drawCurves(steps, width);
    this._drawn = [steps, width];
    this._marker.style.left = `${100 * shareOf(steps, step)}%`;
    const named = this._curves.slice(0, NAMED).map(([run, curve], place) => {
      const value = valueAt(curve, step);
      const mark = element("i", { style: `background:${COLOURS[place % COLOURS.length]}` });
      return element("span", {}, mark, `${run} ${value === null ? "–" : value.toPrecision(4)}`);
    });
    this._strip.setAttribute("aria-label", `${this._tag}: ${named.map((one) => one.textContent).join(", ")}`);
    if (this._curves.length > NAMED) named.push(element("span", {}, `and ${this._curves.length - NAMED} more`));
    this._legend.replaceChildren(...named);
  }

  _drawCurves(steps, width) {
    const scale = window.devicePixelRatio || 1;
    [this._canvas.width, this._canvas.height] = [width * scale, HEIGHT * scale];
    const context = this._canvas.getContext("2d");
    context.scale(scale, scale);
    const values = this._curves.flatMap(([, curve]) => curve.map(([, value]) => value)).filter((value) => value !== null);
    const low = values.reduce((one, other) => Math.min(one, other), Infinity);
    const high = values.reduce((one, other) => Math.max(one, other), -Infinity);
    const y = (value) => 3 + (HEIGHT - 6) * (high > low ? (high - value) / (high - low) : 0.5);
    context.lineWidth = 1.5;
    this._curves.forEach(([, curve], place) => {
      context.strokeStyle = COLOURS[place % COLOURS.length];
      context.beginPath();
      let pen = "moveTo";
      for (const [at, value] of curve) {
        if (value !== null) context[pen](shareOf(steps, at) * width, y(value));
        pen = value === null ? "moveTo" : "lineTo";
      }
      context.stroke();
    });
  }
}
