// Tests of the front end's own logic: `node --test tests/timeline/`. What needs a browser is in test_timeline_tab.py.

import assert from "node:assert/strict";
import { test } from "node:test";

const at = (name) => import(new URL(`../../kerasviz_timeline/static/${name}`, import.meta.url));
const { expand, Log, positionAt, shortNames, stepsOf } = await at("series.js");
const { Cache, Images, keyOf } = await at("images.js");
const { overlay } = await at("difference.js");
const { fileName } = await at("download.js");
const { Address } = await at("address.js");
const { unpack } = await at("server_source.js");
const { decode, EmbeddedSource } = await at("embedded_source.js");
const { shareOf, valueAt } = await at("strip.js");
const { frameOf } = await at("cards.js");

test("stretches are expanded in their order", () => {
  assert.deepEqual(expand([[-1, 1, 4], [10, 0, 1], [20, 5, 3]]), [-1, 0, 1, 2, 10, 20, 25, 30]);
  assert.deepEqual(expand([]), []);
});

test("the position at a step is that of the last image that is not later", () => {
  const steps = [-1, 0, 3, 3, 9];
  const expected = new Map([[-2, -1], [-1, 0], [0, 1], [2, 1], [3, 3], [8, 3], [9, 4], [100, 4]]);
  for (const [step, position] of expected) assert.equal(positionAt(steps, step), position, `step ${step}`);
  assert.equal(positionAt([], 5), -1);
});

const row = (number, run, tag, steps = [[0, 1, 3]], sample = 0, version = 0) => [number, run, tag, sample, version, steps];

test("our views come in the order of what they answer, others behind them in natural order", () => {
  const log = new Log();
  const tags = ["mine/2", "filters/conv10", "filters/conv2", "grad_cam-2/a", "overfitting/summary", "mine/10", "grad_cam/a"];
  log.update(tags.map((tag, number) => row(number, "run", tag)));
  const seen = log.cards().map((card) => card.tag);
  const ours = ["overfitting/summary", "grad_cam/a", "grad_cam-2/a", "filters/conv2", "filters/conv10"];
  assert.deepEqual(seen, [...ours, "mine/2", "mine/10"]);
});

test("the filter takes every word, and hidden runs leave no empty card", () => {
  const log = new Log();
  log.update([row(0, "a", "grad_cam/conv2"), row(1, "b", "grad_cam/conv2"), row(2, "b", "filters/conv2"), row(3, "a", "x")]);
  const shown = (filter, ...hidden) => log.shown(filter, new Set(hidden)).map((card) => [card.tag, card.series.length]);
  assert.deepEqual(shown("conv2 CAM"), [["grad_cam/conv2", 2]]);
  assert.deepEqual(shown("", "b"), [["grad_cam/conv2", 1], ["x", 1]]);
  assert.deepEqual(shown("nothing"), []);
});

test("series are replaced as they grow, and vanish when they are empty", () => {
  const log = new Log();
  assert.equal(log.update([row(0, "run", "a", [[0, 1, 2]])]), true);
  assert.deepEqual(stepsOf(log.cards()), [0, 1]);
  log.update([row(0, "run", "a", [[0, 1, 5]]), row(1, "run", "b", [[3, 2, 2]])]);
  assert.deepEqual(stepsOf(log.cards()), [0, 1, 2, 3, 4, 5]);
  log.update([row(0, "run", "a", [])]);
  assert.deepEqual(log.cards().map((card) => card.tag), ["b"]);
  assert.equal(log.update([]), false);
});

test("a series stays the same object while it grows, since cards hold it", () => {
  const log = new Log();
  log.update([row(0, "run", "a", [[0, 1, 2]])]);
  const [series] = log.shown("", new Set())[0].series;
  log.update([row(0, "run", "a", [[0, 1, 5]], 0, 3)]);
  assert.deepEqual([series.steps.length, series.version], [5, 3]);
});

test("what is shown is not dropped, however large it is", () => {
  const dropped = [];
  const cache = new Cache(10, (value) => dropped.push(value));
  cache.kept = new Set(["a", "b"]);
  for (const key of ["a", "x", "b", "y"]) cache.set(key, key, 6);
  assert.deepEqual(dropped, ["x"]);
  assert.equal(cache.total, 18);
});

test("tags with names of properties are tags like others", () => {
  const log = new Log();
  log.update(["__proto__", "constructor", "toString"].map((tag, number) => row(number, "__proto__", tag)));
  assert.equal(log.cards().length, 3);
  assert.deepEqual(log.runs(), ["__proto__"]);
});

test("runs are called by what tells them apart", () => {
  const names = (...runs) => [...shortNames(runs).values()];
  assert.deepEqual(names("logs/views/train", "logs/views/validation"), ["train", "validation"]);
  assert.deepEqual(names("a/train", "b/train"), ["a/train", "b/train"]);
  assert.deepEqual(names("a", "a/b"), ["a", "a/b"]);
  assert.deepEqual(names("a/b"), ["a/b"]);
});

test("a cache drops what was longest unused, and tells of it", () => {
  const dropped = [];
  const cache = new Cache(10, (value) => dropped.push(value));
  cache.set("a", "A", 4);
  cache.set("b", "B", 4);
  cache.get("a");
  cache.set("c", "C", 4);
  assert.deepEqual(dropped, ["B"]);
  assert.deepEqual([cache.get("a"), cache.get("b"), cache.get("c"), cache.total], ["A", undefined, "C", 8]);
  cache.set("a", "A2", 5);
  assert.equal(cache.total, 9);
  cache.set("large", "L", 50); // alone it may be larger than all
  assert.deepEqual([cache.get("large"), cache.total], ["L", 50]);
});

test("images that are asked for twice travel once", async () => {
  const asked = [];
  const source = { images: async (wanted) => (asked.push(wanted), wanted.map(([, , place]) => (place < 9 ? Uint8Array.of(place) : null))) };
  const images = new Images(source);
  assert.deepEqual(await images.bytes(["1:0:2", "1:0:9"]), [Uint8Array.of(2), null]);
  assert.deepEqual(await images.bytes(["1:0:2", "1:0:3"]), [Uint8Array.of(2), Uint8Array.of(3)]);
  assert.deepEqual(asked, [[[1, 0, 2], [1, 0, 9]], [[1, 0, 3]]]);
  assert.equal(keyOf({ number: 7, version: 3 }, 5), "7:3:5");
});

test("an image that cannot be decoded is known as such, and a failed request can be repeated", async () => {
  let broken = true;
  const images = new Images({ images: async (wanted) => {
    if (broken) throw new Error("offline");
    return wanted.map(() => Uint8Array.of(1, 2, 3));
  } });
  globalThis.createImageBitmap = async () => {
    throw new Error("no image");
  };
  await assert.rejects(images.load(["1:0:0"]), /offline/);
  assert.equal(images.bitmap("1:0:0"), undefined);
  broken = false;
  await images.load(["1:0:0", "1:0:0"]);
  assert.equal(images.bitmap("1:0:0"), null);
});

test("a difference shows the largest change of a channel in one colour over the faded image", () => {
  const now = [100, 100, 100, 255, 255, 255, 255, 255, 0, 0, 0, 255];
  const before = [100, 100, 100, 255, 255, 0, 255, 255, 0, 51, 0, 255];
  const shown = [...overlay(now, before)];
  assert.deepEqual(shown.slice(0, 4), [209, 209, 209, 255]); // 255 - 0.3 * 155 = 208.5
  assert.deepEqual(shown.slice(4, 8), [217, 72, 15, 255]); // wholly changed
  assert.deepEqual(shown.slice(8), [186, 157, 146, 255]); // a fifth of the colour, four fifths of 178.5
});

test("names of files hold nothing that a file system minds", () => {
  assert.equal(fileName("grad_cam/conv 2:ü?"), "grad_cam_conv_2_ü_");
  for (const name of ["", "..", "/", "a".repeat(500)]) assert.match(fileName(name), /^[\p{L}\p{N}_+-][\p{L}\p{N}_.+-]{0,99}$/u);
});

test("the address keeps what is not ours", () => {
  const owner = { location: { hash: "#kerasviz_timeline&p.other.x=1&p.mine.step=3&p.mine.bad=%E0%A4%A&broken" }, history: {} };
  owner.history.replaceState = (state, title, hash) => (owner.location.hash = hash);
  const address = new Address(owner, "p.mine.");
  assert.deepEqual([...address.read()], [["step", "3"]]);
  address.writeNow([["step", ""], ["filter", "a&b=c d"]]);
  assert.equal(owner.location.hash, "#kerasviz_timeline&p.other.x=1&broken&p.mine.filter=a%26b%3Dc%20d");
  assert.deepEqual([...address.read()], [["filter", "a&b=c d"]]);
  owner.history.replaceState = () => {
    throw new Error("no address in a sandbox");
  };
  address.writeNow([["step", "1"]]);
});

test("an answer is taken apart, with null for what is gone", () => {
  const bytes = Uint8Array.of(2, 0, 0, 0, 7, 8, 0, 0, 0, 0, 1, 0, 0, 0, 9);
  assert.deepEqual(unpack(bytes.buffer), [Uint8Array.of(7, 8), null, Uint8Array.of(9)]);
});

test("an exported page gives its images, curves and descriptions", async () => {
  const texts = {
    log: JSON.stringify({ title: "T", series: [row(4, "r", "t")], descriptions: { t: "<p>x</p>" }, curves: { loss: { r: [[0, 1]] } } }),
    "images-4": "AQID,,/w==",
  };
  const source = new EmbeddedSource({ getElementById: (id) => ({ textContent: texts[id] }) });
  assert.deepEqual(await source.images([[4, 0, 0], [4, 0, 1], [4, 0, 2], [4, 0, 3]]), [Uint8Array.of(1, 2, 3), null, Uint8Array.of(255), null]);
  assert.equal(await source.description("t"), "<p>x</p>");
  assert.equal(await source.description("constructor"), "");
  assert.deepEqual([...(await source.curves("loss"))], [["r", [[0, 1]]]]);
  assert.deepEqual([...(await source.curves("toString"))], []);
  assert.deepEqual(decode("/w=="), Uint8Array.of(255));
});

test("the strip places steps as the slider does", () => {
  assert.deepEqual([-1, 0, 0.5, 1, 5, 9, 20].map((step) => shareOf([-1, 0, 1, 9], step)), [0, 1 / 3, 0.5, 2 / 3, 5 / 6, 1, 1]);
  assert.equal(shareOf([3], 3), 0);
  assert.deepEqual([-1, 0, 1, 2, 9].map((step) => valueAt([[0, 5], [1, null], [2, 7]], step)), [null, 5, null, 7, 7]);
});

test("a frame holds the last image, and compares it with the one before or the first", () => {
  const series = { number: 1, version: 2, steps: [0, 5, 10] };
  assert.equal(frameOf(series, -1, "off"), null);
  assert.deepEqual(frameOf(series, 7, "off"), { at: 5, now: "1:2:1", before: null, from: null });
  assert.deepEqual(frameOf(series, 10, "previous"), { at: 10, now: "1:2:2", before: "1:2:1", from: 5 });
  assert.deepEqual(frameOf(series, 10, "first"), { at: 10, now: "1:2:2", before: "1:2:0", from: 0 });
  assert.deepEqual(frameOf(series, 0, "first"), { at: 0, now: "1:2:0", before: null, from: null });
});
