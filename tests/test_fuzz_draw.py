"""Every drawing function takes any numbers: no error, no warning, bytes `(h, w, 3)`, one size, inputs left alone.

Arrays are of any type, with NaN, infinity, denormal and huge numbers, sides of 1 or very long; captions and names any
text. For whole pictures, the size and the caption depend on shapes and texts alone, never on values, and the strip
counts the values that are not finite. What each picture shows is tested in `test_draw_*.py`; what draws outputs of
models, and clouds of points, is in `test_fuzz_draw_outputs.py`.
"""

import inspect
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from unittest import mock

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageDraw

from kerasviz_callbacks import draw
from kerasviz_callbacks.draw import (
    activations,
    clouds,
    coefficients,
    colour,
    curves,
    filters,
    heat,
    inputs,
    lines,
    overfitting,
    overfitting_charts,
    overfitting_headline,
    overlap,
    overlay,
    profiles,
    reconstructions,
    responses,
    rows,
    sheet,
    stack,
    stamp,
    text,
    ticks,
    tiles,
    traces,
    trails,
    volumes,
    weights,
)

TYPES = [np.float16, np.float32, np.float64, np.int8, np.uint8, np.int32, np.int64, np.uint64, np.bool_]
FLOATS = [np.float16, np.float32, np.float64]
SIDES = st.sampled_from([1, 2, 3, 5, 8, 17])
LONG = st.sampled_from([1, 2, 3, 7, 400, 5000])
FEW = st.integers(1, 5)
CAPTIONS = st.text(max_size=40) | st.sampled_from(["", "w" * 2000, "one\ntwo\nthree", "\0\ud800\N{SNOWMAN}\t"])
NOTES = st.text(max_size=20) | st.sampled_from(["", "x" * 500])
SCALES = st.sampled_from([0.0, 5e-324, 1e-30, 0.5, 1.0, 3e38, 1e300, 1.7e308]) | st.floats(0, 1e6)
EXTREMES = [0.0, -0.0, 1.0, -1.0, 0.3, np.nan, np.inf, -np.inf]


@st.composite
def numbers(draw_one, *shape, types=tuple(TYPES)):
    """An array of a shape; the sides may be strategies."""
    sides = tuple(draw_one(side) if isinstance(side, st.SearchStrategy) else side for side in shape)
    dtype = np.dtype(draw_one(st.sampled_from(types)))
    elements = None
    if dtype.kind == "f":
        bits = dtype.itemsize * 8
        elements = st.sampled_from(EXTREMES) | st.floats(width=bits)
    return draw_one(hnp.arrays(dtype, sides, elements=elements))


def pictures(*shape):
    """Bytes `(..., 3)`."""
    return numbers(*shape, 3, types=(np.uint8,))


def names(count):
    return st.lists(CAPTIONS, min_size=count, max_size=count)


class Case:
    """How a function that draws a whole picture is called.

    Attributes:
        function: the function.
        shapes: a strategy of the sides that the arrays share.
        arrays: sides -> by argument, strategies of the arrays of numbers.
        others: sides -> by argument, strategies of the arguments on which the size of the picture may depend.
        free: by argument, strategies of the arguments on which neither size nor caption may depend.
        counted: the arguments whose values are counted where they are not finite; none: `bad` is passed in.
    """

    def __init__(self, function, shapes, arrays, others=None, free=None, counted=()):
        self.function, self.shapes, self.arrays = function, shapes, arrays
        self.others, self.free, self.counted = others or (lambda *sides: {}), free or {}, counted


def blocks(count):
    """The names of each row or column as a block of its own, or none."""
    return st.none() | st.tuples(st.text(max_size=8), st.lists(st.text(max_size=8), min_size=count, max_size=count))


def strip(**more):
    return {"note": NOTES, **more}


def heated(positions):
    def arrays(n, pixels, cells, channels):
        inputs = numbers(n, *pixels, channels, types=FLOATS) if len(pixels) == 1 else pictures(n, *pixels)
        return {"inputs": inputs, "maps": numbers(n, *cells)}

    def others(n, pixels, cells, channels):
        titles = st.none() | st.lists(st.tuples(CAPTIONS, CAPTIONS), min_size=n, max_size=n)
        split = st.tuples(st.integers(1, n - 1), CAPTIONS, CAPTIONS) if n > 1 else st.nothing()
        halves = split.map(lambda part: ((part[1], part[0]), (part[2], n - part[0])))
        return {"caption": CAPTIONS, "titles": titles, "signed": st.booleans(), "halves": st.none() | halves}

    sides = st.tuples(*[SIDES] * positions) if positions > 1 else st.tuples(LONG)
    shapes = st.tuples(FEW, sides, sides, FEW)
    return Case(heat.heat_maps, shapes, arrays, others, strip(scale=SCALES), ("maps",))


def of_units(n, units, classes):
    return {
        "caption": CAPTIONS,
        "neurons": st.just(list(range(units))),
        "classes": names(classes),
        "labels": st.none() | names(n),
    }


def a_curve(capture, values):
    steps = sorted(capture(st.sets(st.integers(-1, 30), min_size=len(values), max_size=len(values))))
    return curves.Curve(steps, [float(value) for value in values], capture(st.none() | st.sampled_from(steps)))


def an_overfitting_sheet(losses, training, maps, then, heights, seen, wide, *, scale, words, names, best, **given):
    """The whole sheet, from any numbers."""
    steps = range(-1, len(losses) - 1)
    scales = {}
    histories = {"validation": {"nc1": (steps, losses), "knn": (steps, losses)}, "training": {"nc1": (steps, training)}}
    logged = {"loss": (steps, losses), "val_loss": (steps, training), "acc": (steps, losses), "val_acc": ([], [])}
    for value in losses:
        for name, window in (("nc1", "log"), ("knn", "share"), ("loss", "signed"), ("acc", "signed")):
            overfitting_charts.extend_axis(scales, name, float(value), window)
    chosen = overfitting_charts.most_degraded(heights, seen, 0.1)
    assert overfitting_charts.is_accuracy("val_acc")
    assert len(set(chosen.tolist())) == len(chosen) <= overfitting.MAX_DEGRADED
    class_scores = overfitting_charts.per_class_scores(np.arange(len(heights)) % 3, heights, seen, str, best=best)
    shown = overfitting.Summary(
        headline=overfitting_headline.headlines(logged, "acc", best, len(losses) - 2),
        losses=overfitting_charts.loss_charts(logged, ["acc"], scales, len(losses) - 2),
        metrics=overfitting_charts.metric_charts(["knn", "nc1"], histories, scales),
        steps=curves.StepAxis(-1, 12, best, len(losses) - 2),
        sets=["validation", "training"],
        class_scores=class_scores,
        degraded=overfitting.DegradedExample(
            wide,
            then,
            maps,
            scale,
            [words] * len(wide),
        ),
        heading=words[0],
        placeholder=words[1],
        memorised=(words[0], [words[1]] * len(heights)) if best else None,
    )
    return overfitting.overfitting_sheet(shown, **given)


CASES = {
    "overfitting_sheet": Case(
        an_overfitting_sheet,
        st.tuples(st.integers(1, 9), st.integers(1, 9), SIDES, SIDES, SIDES),
        lambda t, n, h, w, k: {
            "losses": numbers(t, types=FLOATS),
            "training": numbers(t, types=FLOATS),
            "maps": numbers(n, h, types=FLOATS),
            "then": numbers(n, h, types=FLOATS),
            "heights": numbers(k, types=FLOATS),
            "seen": numbers(k, types=FLOATS),
            "wide": pictures(n, h, w),
        },
        lambda t, n, h, w, k: {
            "caption": CAPTIONS,
            "words": st.tuples(CAPTIONS, CAPTIONS),
            "names": names(k),
            "best": st.none() | st.integers(-1, t - 2),
        },
        strip(scale=SCALES),
    ),
    "filter_tiles": Case(
        filters.filter_tiles,
        st.tuples(FEW, SIDES, LONG),
        lambda n, h, w: {"kernels": numbers(n, h, w)},
        lambda n, h, w: {"caption": CAPTIONS, "colours": st.sampled_from(["RdBu_r", "grey", "viridis"])},
        strip(scale=SCALES),
        ("kernels",),
    ),
    "filter_tiles in colour": Case(
        filters.filter_tiles,
        st.tuples(FEW, SIDES, SIDES),
        lambda n, h, w: {"kernels": numbers(n, h, w, 3)},
        lambda n, h, w: {"caption": CAPTIONS},
        strip(scale=SCALES),
        ("kernels",),
    ),
    "filter_matrix": Case(
        filters.filter_matrix,
        st.tuples(FEW, FEW, SIDES, SIDES),
        lambda r, c, h, w: {"kernels": numbers(r, c, h, w)},
        lambda r, c, h, w: {"caption": CAPTIONS},
        strip(scale=SCALES),
        ("kernels",),
    ),
    "heat_maps of pictures": heated(2),
    "heat_maps of signals": heated(1),
    "heat_maps of volumes": heated(3),
    "activation_tiles": Case(
        activations.activation_tiles,
        st.tuples(FEW, FEW, SIDES, SIDES),
        lambda n, c, h, w: {"pictures": pictures(n, SIDES, SIDES), "maps": numbers(n, c, h, w)},
        lambda n, c, h, w: {"caption": CAPTIONS, "channels": st.just(list(range(c))), "labels": st.none() | names(n)},
        strip(low=SCALES.map(lambda scale: -scale), high=SCALES, least=st.none() | st.just(0.0)),
        ("maps",),
    ),
    "activation_tiles of signals": Case(
        activations.activation_tiles,
        st.tuples(FEW, FEW, LONG),
        lambda n, c, t: {"maps": numbers(n, c, t)},
        lambda n, c, t: {"pictures": st.none(), "caption": CAPTIONS, "channels": st.just(list(range(c)))},
        strip(low=SCALES.map(lambda scale: -scale), high=SCALES, least=st.none() | st.just(0.0)),
        ("maps",),
    ),
    "response_matrix": Case(
        activations.response_matrix,
        st.tuples(SIDES, SIDES),
        lambda n, units: {"values": numbers(n, units)},
        lambda n, units: {
            "caption": CAPTIONS,
            "labels": st.none() | names(n),
            "channels": st.sampled_from([None, range(0, units * 10**9, 10**9)]),
            "names": st.none() | names(units) if units <= activations.MOST_NAMED else st.none(),
        },
        strip(low=SCALES.map(lambda scale: -scale), high=SCALES, least=st.none() | st.just(0.0)),
        ("values",),
    ),
    "response_strengths": Case(
        responses.response_strengths,
        st.tuples(SIDES, SIDES, FEW),
        lambda n, units, classes: {"strengths": numbers(n, units), "means": numbers(classes, units)},
        of_units,
        strip(high=SCALES),
        ("strengths",),
    ),
    "overlap_matrix": Case(
        overlap.overlap_matrix,
        st.tuples(SIDES),
        lambda c: {
            "correlation": numbers(c, c, types=FLOATS),
            "largest": numbers(c, types=FLOATS),
            "constant": numbers(c, types=(np.bool_,)),
        },
        lambda c: {"caption": CAPTIONS, "channels": st.sampled_from([range(c), range(0, c * 10**9, 10**9)])},
        strip(pairs=st.sampled_from([(), [(0, 0)]])),
    ),
    "coefficient_panels": Case(
        lambda weights, directions, lengths, turns, scale, done, **given: coefficients.coefficient_panels(
            [
                coefficients.Heat("a", weights, sheet.Scale(-scale, scale, "RdBu_r"), [(0.5, "1")], "input"),
                coefficients.Heat("b", directions, sheet.Scale(-scale, scale, "RdBu_r"), [], "input"),
                coefficients.Heat("c", lengths, sheet.Scale(0, scale, "viridis"), [(0.0, "0"), (1.0, "1")], "epoch"),
                coefficients.Heat(
                    "d", turns, sheet.Scale(-8, 0, "inferno"), [], "epoch", np.arange(turns.shape[1]) < done
                ),
            ],
            **given,
        ),
        st.tuples(SIDES, SIDES, SIDES),
        lambda units, across, steps: {
            "weights": numbers(units, across),
            "directions": numbers(units, across),
            "lengths": numbers(units, steps),
            "turns": numbers(units, steps),
        },
        lambda units, across, steps: {"caption": CAPTIONS, "units": st.just(list(range(units)))},
        strip(scale=SCALES, done=SIDES, bad=NOTES),
    ),
    "weight_panels": Case(
        lambda before, after, scale, marked, **given: weights.weight_panels(
            [
                weights.Panel("before", before, scale, (len(before) - 1, 0) if marked else None),
                weights.Panel("after", after, scale),
            ],
            **given,
        ),
        st.tuples(SIDES, SIDES),
        lambda r, c: {"before": numbers(r, c), "after": numbers(r, c)},
        lambda r, c: {
            **{"inputs": st.just(r), "outputs": st.just(c), "caption": CAPTIONS},
            **{"row_blocks": blocks(r), "column_blocks": blocks(c)},
            "row_name": st.sampled_from(["in", "row"]),
        },
        strip(scale=SCALES, marked=st.booleans(), bad=NOTES),
    ),
    "profiles": Case(
        lambda low, high, quantiles, **given: profiles.profiles(
            quantiles, window=profiles.Window(-low, high, -1, max(7, int(given["steps"][-1]))), **given
        ),
        st.tuples(st.integers(1, 8), FEW),
        lambda t, k: {"quantiles": numbers(t, 5, k, types=FLOATS), "active": numbers(t, k, types=(np.bool_,))},
        lambda t, k: {
            "steps": st.just(np.arange(-1, t - 1)),
            "units": st.just(list(range(k))),
            "title": CAPTIONS,
        },
        strip(low=SCALES, high=SCALES, bad=NOTES),
    ),
    "profiles with lines": Case(
        lambda quantiles, lines, low, high, words, **given: profiles.profiles(
            quantiles,
            np.ones(quantiles.shape[::2], bool),
            np.arange(len(quantiles)),
            window=profiles.Window(-low, high, 0, 8),
            units=range(quantiles.shape[2]),
            lines=profiles.Lines(lines, np.arange(len(lines)) * 2, *words),
            **given,
        ),
        st.tuples(st.integers(1, 8), st.integers(1, 4), FEW),
        lambda t, s, k: {"quantiles": numbers(t, 5, k, types=FLOATS), "lines": numbers(s, 5, k, types=FLOATS)},
        lambda t, s, k: {"title": CAPTIONS, "words": names(2)},
        strip(low=SCALES, high=SCALES, bad=NOTES),
    ),
    "trajectory": Case(
        trails.trajectory,
        st.tuples(FEW, SIDES | st.just(0), FEW),
        lambda t, n, k: {
            "tails": numbers(t, n, 2, types=FLOATS),
            "means": numbers(t, k, 2, types=FLOATS),
            "classes": hnp.arrays(np.int64, n, elements=st.integers(-1, k - 1)),
        },
        lambda t, n, k: {"title": CAPTIONS, "names": st.none() | names(k)},
        strip(half_width=SCALES | st.sampled_from([np.inf, np.nan])),
    ),
    "trajectories": Case(
        lambda left, right, means, classes, heading, **given: trails.trajectories(
            [clouds.Cloud.of(left, means, classes, heading), clouds.Cloud.of(right, means, None, "b")], **given
        ),
        st.tuples(FEW, SIDES, SIDES, FEW),
        lambda t, n, m, k: {
            "left": numbers(t, n, 2, types=FLOATS),
            "right": numbers(t, m, 2, types=FLOATS),
            "means": numbers(t, k, 2, types=FLOATS),
            "classes": hnp.arrays(np.int64, n, elements=st.integers(-1, k - 1)),
        },
        lambda t, n, m, k: {"title": CAPTIONS, "names": st.none() | names(k), "heading": CAPTIONS},
        strip(half_width=SCALES),
    ),
    "reconstruction_tiles": Case(
        reconstructions.reconstruction_tiles,
        st.tuples(FEW, SIDES, SIDES),
        lambda n, h, w: {
            "pictures": pictures(n, h, w),
            "reconstructions": pictures(n, h, w),
            "errors": numbers(n, h, w, types=FLOATS),
        },
        lambda n, h, w: {"caption": CAPTIONS, "names": st.none() | names(n)},
        strip(scale=SCALES, bad=NOTES),
    ),
    "reconstruction_traces": Case(
        reconstructions.reconstruction_traces,
        st.tuples(FEW, LONG, FEW),
        lambda n, t, c: {
            "signals": numbers(n, t, c),
            "reconstructions": numbers(n, t, c),
            "errors": numbers(n, t, types=FLOATS),
        },
        lambda n, t, c: {"caption": CAPTIONS, "names": st.none() | names(n)},
        strip(low=SCALES.map(lambda scale: -scale), high=SCALES, scale=SCALES, bad=NOTES),
    ),
    "walk_tiles": Case(
        reconstructions.walk_tiles,
        st.tuples(FEW, FEW, SIDES, SIDES),
        lambda n, p, h, w: {"ends": pictures(n, 2, h, w), "walks": pictures(n, p, h, w)},
        lambda n, p, h, w: {
            "caption": CAPTIONS,
            "names": st.none() | st.lists(st.tuples(CAPTIONS, CAPTIONS), min_size=n, max_size=n),
        },
        strip(bad=NOTES),
    ),
    "sheet": Case(
        sheet.sheet,
        st.tuples(SIDES, LONG),
        lambda h, w: {"body": pictures(h, w)},
        lambda h, w: {"caption": CAPTIONS},
        strip(bad=NOTES, legend=SCALES.map(lambda scale: sheet.Scale(-scale, scale, "RdBu_r"))),
    ),
    "stamped": Case(
        stamp.stamped,
        st.tuples(SIDES, LONG),
        lambda h, w: {"picture": pictures(h, w)},
        free={
            "step": st.integers(-1, 2**31),
            "first": st.just(-1),
            "last": st.integers(-1, 2**31),
        },
    ),
}


def spied(found):
    """Collects, while a picture is drawn, how its strip counts the values that are not finite."""
    true = sheet.Sheet.finished

    def noting(page, **given):
        found.append(given.get("bad", ""))
        return true(page, **given)

    return mock.patch.object(sheet.Sheet, "finished", noting)


def not_finite(*arrays):
    """Counted the slow way."""
    values = [float(value) for array in arrays for value in np.asarray(array, np.float64).ravel()]
    nan, inf = sum(value != value for value in values), sum(abs(value) == np.inf for value in values)
    return ", ".join(f"{count:,} {what}" for count, what in ((nan, "NaN"), (inf, "inf")) if count)


@pytest.mark.fault("any shapes, types, NaN and texts, to every drawing function", "pictures; NaN is counted")
@pytest.mark.parametrize("case", list(CASES))
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_a_picture_of_any_numbers(case, data):
    check_picture(CASES[case], data)


def check_picture(one, data):
    sides = data.draw(one.shapes)
    given = {name: data.draw(strategy) for name, strategy in one.others(*sides).items()}
    arrays = {name: data.draw(strategy) for name, strategy in one.arrays(*sides).items()}
    free = {name: data.draw(strategy) for name, strategy in one.free.items()}
    before, said = {name: array.copy() for name, array in arrays.items()}, []
    with spied(said):
        picture = one.function(**arrays, **given, **free)
    assert picture.dtype == np.uint8
    assert picture.ndim == 3
    assert picture.shape[2] == 3
    for name, array in arrays.items():
        assert array.tobytes() == before[name].tobytes(), name
    if one.counted:
        assert said == [not_finite(*(arrays[name] for name in one.counted))]
    others = {name: np.zeros_like(array) for name, array in arrays.items()}
    again = one.function(**others, **given, **{name: data.draw(strategy) for name, strategy in one.free.items()})
    assert again.shape == picture.shape
    caption = given.get("caption", given.get("title"))
    if caption is not None:
        top = sheet.header_height(picture.shape[1], caption)
        np.testing.assert_array_equal(again[:top], picture[:top])


# The parts that pictures are made of: each is called with what `capture` draws, and says which shape must come out.

FACTORS = st.integers(1, 4)
SIZES = st.tuples(st.integers(1, 9), st.integers(1, 9))
RANGES = st.tuples(SCALES, SCALES).map(lambda pair: (-pair[0], pair[1]))


def of_any_shape(**given):
    return hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=6).flatmap(lambda s: numbers(*s, **given))


def part_share(capture):
    values, (low, high) = capture(of_any_shape()), capture(RANGES)
    found = colour.share(values, low, high)
    known = found[np.isfinite(np.asarray(values, np.float64))]
    assert ((known >= 0) & (known <= 1)).all()
    assert np.isnan(found).sum() == found.size - known.size
    return found, values.shape


def part_colourise(capture):
    values, (low, high) = capture(of_any_shape()), capture(RANGES)
    found = colour.colourise(
        values, low, high, capture(st.sampled_from(["viridis", "grey", "RdBu_r", "inferno", "jet"]))
    )
    bad = ~np.isfinite(np.asarray(values, np.float64))
    np.testing.assert_array_equal((found == colour.NON_FINITE).all(axis=-1), bad)
    return found, (*values.shape, 3)


def part_rgb(capture):
    values = capture(numbers(SIDES, SIDES, 3))
    return colour.rgb(values, *capture(RANGES)), values.shape


def part_blend(capture):
    below, above = capture(pictures(3, 4)), capture(pictures(3, 4))
    return colour.blend(below, above, capture(hnp.arrays(np.float64, (3, 4, 1), elements=st.floats(0, 1)))), (3, 4, 3)


def part_look_up(capture):
    shares = capture(hnp.arrays(np.float64, (3, 4), elements=st.floats(0, 1) | st.just(np.nan)))
    return colour.look_up(shares, colour.table("viridis")), (3, 4, 3)


def part_counts(capture):
    values = capture(of_any_shape())
    assert colour.count_non_finite(values) == not_finite(values)
    return colour.at_least_float(values), values.shape


def part_enlarge(capture):
    before, factor = capture(pictures(FEW, SIDES, SIDES)), capture(FACTORS)
    n, h, w, _ = before.shape
    return tiles.enlarge(before, factor), (n, h * factor, w * factor, 3)


def part_resize(capture):
    values, size = capture(numbers(FEW, LONG, SIDES)), capture(SIZES)
    found = tiles.resize(values, size)
    exact = tiles.at_least_float(values)
    for before, after in zip(exact, found, strict=True):
        if np.isfinite(before).all():
            assert before.min() <= after.min() <= after.max() <= before.max()
    return found, (len(values), *size)


def part_shrink(capture):
    values, size = capture(numbers(FEW, LONG, SIDES)), capture(SIZES)
    return tiles.shrink(values, size), (len(values), *np.minimum(values.shape[1:], size))


def part_shrink_pictures(capture):
    before, size = capture(pictures(FEW, LONG, SIDES)), capture(SIZES)
    return tiles.shrink_pictures(before, size), (len(before), *np.minimum(before.shape[1:3], size), 3)


def part_fit(capture):
    before, largest = capture(pictures(FEW, LONG, SIDES)), capture(st.integers(1, 200))
    found = capture(st.sampled_from([tiles.fit, reconstructions.fit_marked]))(before, largest)
    assert max(found.shape[1:3]) <= largest
    return found, (len(before), *found.shape[1:3], 3)


def part_place(capture):
    canvas = np.zeros((30, 30, 3), np.uint8)
    tiles.place(canvas, capture(pictures(st.integers(1, 20), st.integers(1, 20))), 5, 5)
    return canvas, (30, 30, 3)


def part_envelope(capture):
    signals, width = capture(numbers(FEW, LONG)), capture(st.integers(1, 300))
    least, most = traces.envelope(signals, width)
    assert (np.isnan(least) | (least <= most)).all()
    return least, (len(signals), width)


def part_bars(capture):
    signals, size = capture(numbers(FEW, LONG)), capture(SIZES)
    return traces.bars(signals, *capture(RANGES), size, capture(st.sampled_from(["RdBu_r", "viridis"]))), (
        len(signals),
        *size,
        3,
    )


def part_traces(capture):
    signals, (low, high) = capture(numbers(FEW, LONG, FEW)), capture(RANGES)
    return traces.trace_pictures(signals, low=low, high=high), (len(signals), 48, 96, 3)


def part_lines(capture):
    ground, signal = capture(pictures(20, 30)), capture(numbers(LONG, FEW))
    return traces.draw_lines(
        ground, signal, *capture(RANGES), [(0, 0, 0)], capture(st.sampled_from([None, (9, 9, 9)]))
    ), (
        20,
        30,
        3,
    )


def part_overlay(capture):
    below, maps = capture(pictures(2, SIDES, SIDES)), capture(numbers(2, SIDES, SIDES))
    return overlay.overlay(below, maps, scale=capture(SCALES), signed=capture(st.booleans())), below.shape


def part_opacity(capture):
    values = capture(hnp.arrays(np.float64, (3, 4), elements=st.floats(0, 1)))
    return overlay.opacity(values), (3, 4)


def part_legend(capture):
    return overlay.evidence_scale(capture(SCALES), capture(st.booleans())).bar(20, 4), (4, 20, 3)


def part_shown(capture):
    first, images = capture(numbers(FEW, SIDES, SIDES, FEW)), capture(numbers(FEW, SIDES, SIDES, FEW))
    return inputs.IntensityRange.of(first)(images), (*images.shape[:3], 3)


def part_extremes(capture):
    series = capture(hnp.arrays(np.float64, (3, 6), elements=st.floats(-1e300, 1e300) | st.just(np.nan)))
    low, high = lines.extremes(series, np.cumsum(capture(hnp.arrays(float, 6, elements=st.floats(0.001, 20)))), 40)
    assert low.shape == high.shape
    return low, (3, 40)


def part_coverage(capture):
    top, bottom = (capture(hnp.arrays(np.float64, (2, 7), elements=st.floats(-99, 99) | st.just(np.nan))) for _ in "ab")
    return lines.coverage(top, bottom, 9), (2, 9, 7)


def part_signals(capture):
    signals = capture(numbers(FEW, LONG, FEW))
    over = capture(st.sampled_from([None, signals]))
    return reconstructions.signal_tiles(signals, *capture(RANGES), over=over, size=(20, 30)), (len(signals), 20, 30, 3)


def part_errors(capture):
    errors, size = capture(numbers(FEW, SIDES, SIDES, types=FLOATS)), capture(SIZES)
    return reconstructions.error_tiles(errors, capture(SCALES), size), (len(errors), *size, 3)


def part_error_areas(capture):
    errors, size = capture(numbers(FEW, LONG, types=FLOATS)), capture(SIZES)
    return reconstructions.error_areas(errors, capture(SCALES), size), (len(errors), *size, 3)


def part_strengths(capture):
    strengths = capture(numbers(SIDES, SIDES))
    return responses.strengths_as_colours(strengths, capture(SCALES)), (*strengths.shape, 3)


def part_stacked(capture):
    parts, headed = [capture(pictures(SIDES, LONG)) for _ in range(3)], capture(st.booleans())
    found = stack.stacked(parts, [capture(CAPTIONS) for _ in parts] if headed else None)
    return found, (found.shape[0], max(part.shape[1] for part in parts), 3)


def part_on_paper(capture):
    return stack.on_paper(capture(pictures(SIDES, SIDES)), 20, 30), (20, 30, 3)


def part_words(capture):
    words, width = capture(CAPTIONS), capture(st.integers(0, 400))
    paper = Image.new("RGB", (200, 30))
    assert text.clean(words) == "" or text.clean(words).isprintable()
    short = text.shorten(text.clean(words), width, 10)
    assert text.text_width(short, 10) <= width
    assert short in ("", text.clean(words)) or short.endswith("…")
    assert text.write(ImageDraw.Draw(paper), (3, 20), words, width=width) <= width
    lines = text.wrapped(words, width, 10)
    assert " ".join(lines) == " ".join(text.clean(words).split())
    assert all(" " not in line or text.text_width(line, 10) <= width for line in lines)
    assert 350 / width * text.card_size(width) >= 7.9 if width > 350 else text.card_size(width) == 11
    assert rows.label_width(11) == 92 < rows.label_width(22)
    starts = rows.groups([words, "a", "a"])
    rows.write_rows(ImageDraw.Draw(paper), [words, "a", "a"], np.array([5.0, 9.0, 20.0]), 50, starts)
    return np.asarray(paper), (30, 200, 3)


def part_numbers(capture):
    value = capture(st.floats() | SCALES)
    assert 0 < len(text.format_number(value)) <= len("-1.23e-300")
    assert text.join_notes(capture(CAPTIONS), capture(CAPTIONS)) is not None
    assert text.shape_text((None, 3)) == "None × 3"
    return colour.class_colours(capture(st.integers(0, 300)))[:1], None


def part_apart(capture):
    points = capture(hnp.arrays(np.float64, (5, 2), elements=st.floats(0, 300) | st.just(np.nan)))
    return clouds.spread_apart(points, 10.0, 300.0), (5, 2)


def part_cloud(capture):
    n, k = capture(st.integers(0, 5)), capture(st.integers(1, 3))
    classes = capture(st.none() | hnp.arrays(np.int64, n, elements=st.integers(-1, k - 1)))
    cloud = clouds.Cloud.of(capture(numbers(FEW, n, 2)), capture(st.none() | numbers(FEW, k, 2)), classes)
    paper = Image.new("RGB", (40, 40))
    clouds.write_number(ImageDraw.Draw(paper), 20, 20, k, (0, 0, 0))
    half_width = capture(SCALES.filter(lambda scale: scale > 1e-300))
    window = clouds.draw_cloud(cloud, [(1, 2, 3)] * 3, side=50, half_width=half_width)
    assert 0 <= cloud.skipped <= n
    assert cloud.class_count <= k
    return np.asarray(window), (50, 50, 3)


def part_axes(capture):
    count, first = capture(st.integers(1, 10**6)), capture(st.integers(-1, 10**6))
    last = first + capture(st.integers(0, 10**6))
    for axis in (coefficients.step_ticks(first, last), coefficients.input_ticks(count)):
        assert len(axis) <= 7
        assert all(0 < place < 1 and name for place, name in axis)
    assert lines.horizon(last, first) >= first
    assert coefficients.unit_height(capture(st.integers(1, 128))) >= 1
    assert min(weights.cell_size(*capture(st.tuples(st.integers(1, 512), st.integers(1, 512))))) >= 1
    assert ticks.round_length(capture(SCALES.filter(bool))) > 0
    assert len(volumes.depth_slices(count)) == min(count, 4)
    assert sheet.type_size(count) > 0
    assert stamp.stamp_height(count) > 0
    assert sheet.header_height(count, capture(CAPTIONS)) >= 0
    columns = tiles.compact(capture(st.integers(1, 200)), 8, 8)
    assert tiles.Grid(5, columns, 3, 3).rows == -(-5 // columns)
    assert tiles.whole_factor(count, 100) >= 1
    return sheet.blank(3, sheet.footer_height(100)), None


def part_charts(capture):
    canvas = np.full((150, 270, 3), 255, np.uint8)
    values = [capture(numbers(st.integers(1, 9), types=FLOATS)) for _ in range(2)]
    known = {name: a_curve(capture, one) for name, one in zip(("validation", "training"), values, strict=True)}
    low, high = capture(RANGES)
    log = capture(st.booleans())
    if log:
        low, high = 10.0 ** -capture(st.integers(0, 9)), 10.0 ** capture(st.integers(0, 9))
    chart = curves.Chart(capture(CAPTIONS), known, low, high, capture(CAPTIONS), capture(CAPTIONS), log=log)
    curves.paint_chart(canvas, chart, curves.StepAxis(-1, 30, capture(st.none() | st.integers(-1, 30)), 30))
    return canvas, (150, 270, 3)


def part_dots(capture):
    canvas = np.zeros((20, 20, 3), np.uint8)
    place = (capture(st.floats(-30, 50)), capture(st.floats(-30, 50)))
    curves.paint_dot(canvas, *place, (9, 9, 9), hollow=capture(st.booleans()))
    curves.paint_key(canvas, *place, ["validation", "training"])
    return canvas, (20, 20, 3)


PARTS = {name.removeprefix("part_"): part for name, part in list(globals().items()) if name.startswith("part_")}


@pytest.mark.parametrize("part", list(PARTS))
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_a_part_of_any_numbers(part, data):
    check_part(PARTS[part], data)


def check_part(part, data):
    captured = []

    def capture(strategy):
        value = data.draw(strategy)
        if isinstance(value, np.ndarray):
            captured.append((value, value.tobytes()))
        return value

    found, shape = part(capture)
    assert shape is None or found.shape == tuple(shape)
    assert found.dtype == np.uint8 or found.dtype.kind == "f"
    for value, before in captured:
        assert value.tobytes() == before


# Functions that are fuzzed in other files, beside what they are compared with, or called by a function that is named.
ELSEWHERE = {
    "marks.fill": "test_draw_marks.py",
    "marks.frame": "test_draw_marks.py",
    "marks.hatching": "test_draw_marks.py",
    "tiles.place_all": "test_draw_tiles.py",
    "trails.extend_window": "test_draw_trails.py",
    "ticks.round_ticks": "test_draw_ticks.py",
    "ticks.integer_ticks": "test_draw_ticks.py",
    "ticks.numbered_cells": "test_draw_ticks.py",
    "ticks.round_up": "test_draw_ticks.py",
    "text.plural": "test_draw_colour.py",
    "text.counted_rows": "test_draw_colour.py",
    "colour.luminance": "test_draw_colour.py",
    "colour.is_signed": "called by colourise",
    "heat.mark_empty": "called by heat_maps",
    "overlay.outline": "test_draw_pictures.py",
    "overlay.weak_maps": "test_draw_pictures.py",
    "reconstructions.shrink_marked": "called by predictions.sized",
    "overfitting_headline.at_chance": "test_draw_overfitting_headline.py",
    "overfitting_charts.choose_log": "test_draw_overfitting.py",
    "overfitting_charts.is_accuracy_of": "called by loss_charts",
    "text.short_number": "test_draw_overfitting.py",
    "predictions.nearest": "test_draw_pictures.py",
    "predicted_tiles.touches": "test_draw_pictures.py",
    "predictions.tile_size": "test_draw_pictures.py",
    "confusion.cell_size": "test_confusion_matrix.py",
    "inputs.common_range": "test_inputs_shown.py",
    "inputs.far_apart": "test_inputs_shown.py",
    "token_tiles.hatch_padding": "test_token_tiles.py",
    "token_tiles.readable": "test_token_tiles.py",
    "token_tiles.token_tiles": "test_token_tiles.py",
    "volumes.is_depth_last": "test_volumes.py",
    "volumes.slices_first": "test_volumes.py",
    "volumes.middle_slice": "test_volumes.py",
    "volumes.hottest_slices": "test_volumes.py",
    "volumes.flat_maps": "test_draw_overfitting.py",
}


def test_every_public_function_is_among_them():
    """Functions are looked up by name in both files, so that a new one cannot be forgotten."""
    whole = Path(__file__).read_text()
    here = whole.partition("ELSEWHERE = {")[0] + Path(__file__).with_name("test_fuzz_draw_outputs.py").read_text()
    modules = [import_module(f"{draw.__name__}.{found.name}") for found in iter_modules(draw.__path__)]
    public = {
        f"{module.__name__.rpartition('.')[2]}.{name}"
        for module in modules
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_")
    }
    assert len(public) > 60
    assert {name for name in public if name not in here} == set(ELSEWHERE)
    for name, file in ELSEWHERE.items():
        if file.endswith(".py"):
            assert f"{name.partition('.')[2]}(" in (Path(__file__).parent / file).read_text()
