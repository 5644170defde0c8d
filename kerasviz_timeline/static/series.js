// The log as the page knows it: series of images, their steps, and the cards that show them.

/** All steps of stretches `[first, stride, count]`. */
export function expand(stretches) {
  const steps = [];
  for (const [first, stride, count] of stretches) for (let i = 0; i < count; i++) steps.push(first + i * stride);
  return steps;
}

/** The position of the last of the sorted steps that is at most `step`; -1 if all are later. */
export function positionAt(steps, step) {
  let low = 0;
  let high = steps.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (steps[middle] <= step) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

// Views of kerasviz_callbacks in the order of what they answer: overfitting, answers, where it looks, codes, activations,
// weights. Other tags follow.
const ORDER = [
  ["overfitting", "data_map", "confusion", "predictions", "generated", "reconstructions"],
  ["grad_cam", "grad_cam++", "hires_cam", "layer_cam", "xgrad_cam", "eigen_cam", "score_cam", "ablation_cam"],
  ["integrated_gradients", "gradient", "input_x_gradient", "guided_backprop", "smooth_grad", "occlusion", "rise"],
  ["latent", "activations", "responses", "overlap", "filters", "weights", "coefficients"],
].flat();

const natural = new Intl.Collator("en", { numeric: true }).compare;

/** Names of runs without the directories that all of them share. */
export function shortNames(runs) {
  const parts = runs.map((run) => run.split("/"));
  let shared = 0;
  while (parts.length > 1 && parts.every((one) => one.length > shared + 1 && one[shared] === parts[0][shared])) shared++;
  return new Map(runs.map((run, place) => [run, parts[place].slice(shared).join("/")]));
}

/** Where a view among the others. A second view of a kind has "-2" behind its name. */
function rank(view) {
  const place = ORDER.indexOf(view.replace(/-\d+$/, ""));
  return place < 0 ? ORDER.length : place;
}

export class Log {
  constructor() {
    this.series = new Map(); // by number
    this._cards = null;
  }

  /** Take in rows `[number, run, tag, sample, version, stretches]`. True if there was something new. */
  update(rows) {
    const expanded = new Map(); // steps by their stretches: most series share theirs
    for (const [number, run, tag, sample, version, stretches] of rows) {
      const key = JSON.stringify(stretches);
      if (!expanded.has(key)) expanded.set(key, expand(stretches));
      const [known, steps] = [this.series.get(number), expanded.get(key)];
      // The same object for as long as a series lives, since cards and buttons hold it.
      if (!known || !known.steps.length !== !steps.length) this._cards = null;
      this.series.set(number, Object.assign(known ?? { number, run, tag, sample }, { version, steps }));
    }
    return rows.length > 0;
  }

  runs() {
    return [...new Set([...this.series.values()].filter((one) => one.steps.length).map((one) => one.run))].sort(natural);
  }

  /** One card for each tag and sample, in the order of the page; its series by run. */
  cards() {
    if (this._cards) return this._cards;
    const found = new Map();
    for (const one of this.series.values()) {
      if (!one.steps.length) continue;
      const key = JSON.stringify([one.tag, one.sample]);
      if (!found.has(key)) found.set(key, { key, tag: one.tag, sample: one.sample, series: [] });
      found.get(key).series.push(one);
    }
    const cards = [...found.values()];
    const names = shortNames(this.runs());
    for (const card of cards) {
      card.series.sort((one, other) => natural(one.run, other.run));
      card.view = card.tag.split("/")[0];
      card.rank = rank(card.view);
      card.names = names;
    }
    const byView = (one, other) => one.rank - other.rank || natural(one.view, other.view);
    const byTag = (one, other) => natural(one.tag, other.tag) || one.sample - other.sample;
    return (this._cards = cards.sort((one, other) => byView(one, other) || byTag(one, other)));
  }

  /** Cards whose tag contains every word of the filter, with the series of the runs that are not hidden. */
  shown(filter, hidden) {
    const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
    return this.cards()
      .filter((card) => words.every((word) => card.tag.toLowerCase().includes(word)))
      .map((card) => ({ ...card, series: card.series.filter((one) => !hidden.has(one.run)) }))
      .filter((card) => card.series.length);
  }
}

/** Every step of some cards, sorted. */
export function stepsOf(cards) {
  const lists = new Set(cards.flatMap((card) => card.series.map((one) => one.steps)));
  const all = new Set();
  for (const steps of lists) for (const step of steps) all.add(step);
  return [...all].sort((one, other) => one - other);
}
