"""What draws outputs of models, and clouds of points, takes any numbers and texts, as in `test_fuzz_draw.py`."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from test_fuzz_draw import (
    CAPTIONS,
    FEW,
    FLOATS,
    LONG,
    NOTES,
    RANGES,
    SCALES,
    SIDES,
    Case,
    check_part,
    check_picture,
    names,
    numbers,
    pictures,
    strip,
)

from kerasviz_callbacks.draw import (
    confusion,
    curves,
    data_map,
    generated,
    heat,
    points,
    predicted_tiles,
    predictions,
    sheet,
)
from kerasviz_callbacks.draw.colour import NON_FINITE

INKS = st.tuples(*[st.integers(0, 255)] * 3)
SIZES = st.tuples(st.integers(1, 60), st.integers(1, 60))
LEGENDS = RANGES.map(lambda ends: sheet.Scale(*ends, "RdBu_r", "words"))
TWO_LINES = st.tuples(CAPTIONS, CAPTIONS)


def keys():
    return st.lists(st.builds(predictions.Key, CAPTIONS, INKS), max_size=3) | st.just(
        [predictions.Key(f"class {number}", (9, 9, 9)) for number in range(40)]
    )


def a_confusion_sheet(values, counts, examples, shown, texts, *, high, names, titles, most, room, **given):
    """The whole sheet: as many matrices as there are titles, and any number of examples and of pairs."""
    matrices = [
        (title, confusion.Matrix(one, number, names)) for title, one, number in zip(titles, values, counts, strict=True)
    ]
    confused = confusion.Confused(
        [texts] * min(shown, len(examples)), examples[:shown], most, [texts[0]] * (shown + 3), room
    )
    return confusion.confusion_sheet(matrices, confused, texts, high=high, unit=titles[0], **given)


def of_confusions(matrices):
    return Case(
        a_confusion_sheet,
        st.tuples(matrices, st.integers(1, 4), SIDES, SIDES, st.integers(0, confusion.MAX_EXAMPLES)),
        lambda m, k, h, w, e: {
            "values": numbers(m, k, k),
            "counts": numbers(m, k, k, types=(np.int32, np.int64, np.uint8)),
            "examples": pictures(e, h, w),
        },
        lambda m, k, h, w, e: {
            "caption": CAPTIONS,
            "titles": names(m),
            "names": names(k),
            "most": st.just(e),
            "room": st.sampled_from([0, 2]),
        },
        strip(high=SCALES, shown=st.integers(0, 6), texts=TWO_LINES, bad=NOTES),
    )


def a_data_map(spread, mean, right, shares, examples, marks, *, most, texts, alert, **given):
    """The whole sheet, from any numbers; some samples are shown below, with or without a picture."""
    count = min(most, len(examples))
    shown = data_map.DataMapSheet(
        headline=texts,
        alert=alert,
        variability=spread,
        confidence=mean,
        correctness=right,
        marked=[mark % len(mean) for mark in marks],
        steps=curves.StepAxis(-1, max(len(shares), 3), 1 if alert else None, len(shares)),
        shares=shares,
        share_steps=range(-1, len(shares) - 1),
        things=texts[0],
        heading=texts[1],
        titles=[(*texts, *texts)] * count,
        pictures=examples[:count] if most else None,
        most=most,
    )
    assert data_map.correctness_colours().shape == (257, 3)
    return data_map.data_map_sheet(shown, **given)


def of_clouds(n, k):
    titles = st.none() | st.lists(st.tuples(CAPTIONS, CAPTIONS), min_size=n, max_size=n)
    return {"caption": CAPTIONS, "titles": titles, "signed": st.booleans(), "points": RANGES}


CASES = {
    "prediction_rows": Case(
        lambda first, second, titles, given_scores, score, **given: predictions.prediction_rows(
            [predictions.Column(*column) for column in zip(titles, (first, second), strict=True)],
            scores=[score] * len(first) if given_scores else None,
            **given,
        ),
        st.tuples(st.integers(1, 9), SIDES, st.sampled_from([1, 2, 9, 400])),
        lambda n, h, w: {"first": pictures(n, h, w), "second": pictures(n, h, w)},
        lambda n, h, w: {
            "caption": CAPTIONS,
            "titles": names(2),
            "names": st.none() | names(n),
            "keys": keys(),
            "given_scores": st.booleans(),
        },
        strip(bad=NOTES, score=CAPTIONS, legend=st.none() | LEGENDS),
    ),
    "sample_grid": Case(
        lambda samples, real, value, reference, words, **given: generated.sample_grid(
            samples, real if len(real) else None, generated.Diversity(value, reference, words[0], words), **given
        ),
        st.tuples(st.sampled_from([1, 2, 5, 17, 40]), st.integers(0, 5), SIDES, LONG),
        lambda n, m, h, w: {"samples": pictures(n, h, w), "real": pictures(m, w, h)},
        lambda n, m, h, w: {"caption": CAPTIONS},
        strip(
            bad=NOTES,
            value=SCALES | st.floats(),
            reference=SCALES | st.floats(),
            words=TWO_LINES,
            legend=st.none() | LEGENDS,
        ),
    ),
    "confusion_sheet": of_confusions(st.just(1)),
    "confusion_sheet of several": of_confusions(st.integers(2, 7)),
    "data_map_sheet": Case(
        a_data_map,
        st.tuples(LONG, st.integers(1, 9), st.integers(1, 4), SIDES, SIDES),
        lambda n, t, k, h, w: {
            "spread": numbers(n, types=FLOATS),
            "mean": numbers(n, types=FLOATS),
            "right": numbers(n, types=FLOATS),
            "shares": numbers(t, 3, types=FLOATS),
            "examples": pictures(k, h, w),
        },
        lambda n, t, k, h, w: {"caption": CAPTIONS, "most": st.integers(0, data_map.MAX_DOUBTFUL)},
        strip(marks=st.lists(st.integers(0, 5000), max_size=16), texts=TWO_LINES, alert=st.booleans(), bad=NOTES),
    ),
    "heat_maps of clouds": Case(
        heat.heat_maps,
        st.tuples(FEW, LONG),
        lambda n, k: {"inputs": numbers(n, k, 3), "maps": numbers(n, k)},
        of_clouds,
        strip(scale=SCALES),
        ("maps",),
    ),
}


@pytest.mark.parametrize("case", list(CASES))
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_a_picture_of_any_numbers(case, data):
    check_picture(CASES[case], data)


def class_numbers(*shape, least, count):
    sides = st.tuples(*shape)
    return sides.flatmap(lambda own: hnp.arrays(np.int64, own, elements=st.integers(least, count - 1)))


def part_mask_tiles(capture):
    count, size = capture(st.integers(1, 30)), capture(SIZES)
    masks = capture(class_numbers(FEW, SIDES, LONG, least=predicted_tiles.BAD, count=count))
    return predicted_tiles.mask_tiles(masks, count, size), (len(masks), *size, 3)


def part_wrong_tiles(capture):
    shape, size = capture(st.tuples(FEW, SIDES, LONG)), capture(SIZES)
    fixed = [st.just(side) for side in shape]
    true = capture(class_numbers(*fixed, least=predicted_tiles.NO_CLASS, count=3))
    found = capture(class_numbers(*fixed, least=predicted_tiles.BAD, count=3))
    return predicted_tiles.wrong_tiles(true, found, size), (shape[0], *size, 3)


def part_label_tiles(capture):
    size, labels = capture(SIZES), capture(class_numbers(FEW, SIDES, LONG, st.integers(1, 12), least=-2, count=2))
    return predicted_tiles.label_tiles(labels, size), (len(labels), *size, 3)


def part_wrong_label_tiles(capture):
    shape, size = capture(st.tuples(FEW, SIDES, LONG, st.integers(1, 4))), capture(SIZES)
    fixed = [st.just(side) for side in shape]
    true = capture(class_numbers(*fixed, least=predicted_tiles.NO_CLASS, count=2))
    found = capture(class_numbers(*fixed, least=predicted_tiles.BAD, count=2))
    return predicted_tiles.wrong_label_tiles(true, found, size), (shape[0], *size, 3)


def part_box_tile(capture):
    ground, true = capture(pictures(SIDES, SIDES)), capture(st.none() | numbers(st.integers(0, 4), 4))
    found = capture(numbers(st.integers(0, 4), 4))
    tile = predicted_tiles.box_tile(ground, true, found)
    assert np.isfinite(found.astype(float)).all() or (tile[0, 0] == NON_FINITE).all()
    return tile, ground.shape


def part_point_tile(capture):
    ground, count = capture(pictures(SIDES, SIDES)), capture(st.integers(0, 4))
    true, found = capture(st.none() | numbers(count, 2)), capture(numbers(count, 2))
    tile = predicted_tiles.point_tile(ground, true, found)
    assert np.isfinite(found.astype(float)).all() or (tile[0, 0] == NON_FINITE).all()
    return tile, ground.shape


def part_forecast_tile(capture):
    horizon, size = capture(LONG), capture(st.tuples(st.integers(1, 80), st.integers(2, 200)))
    true, found = capture(st.none() | numbers(horizon)), capture(numbers(horizon))
    aligned = capture(st.booleans())
    fed = capture(numbers(horizon if aligned else LONG))
    return predicted_tiles.forecast_tile(fed, true, found, capture(RANGES), size, aligned=aligned), (*size, 3)


def part_answer_tile(capture):
    count = capture(st.integers(0, 4))
    shares = capture(st.lists(st.floats(), min_size=count, max_size=count))
    true, size = capture(st.none() | st.integers(0, 3)), capture(SIZES)
    return predicted_tiles.answer_tile(capture(names(count)), shares, true, size), (*size, 3)


def part_sized(capture):
    before, size = capture(pictures(FEW, LONG, SIDES)), capture(SIZES)
    marked = before.copy()
    marked[0, 0, 0] = NON_FINITE
    assert (predictions.sized(marked, size)[0, 0, 0] == NON_FINITE).all()
    return predictions.sized(before, size), (len(before), *size, 3)


def part_projections(capture):
    clouds = capture(numbers(FEW, LONG, 3))
    maps = capture(st.none() | numbers(*clouds.shape[:2]))
    size = capture(st.integers(3, 90))
    scale, signed = capture(SCALES), capture(st.booleans())
    found = points.projections(clouds, *capture(RANGES), size=size, maps=maps, scale=scale, signed=signed)
    return found, (len(clouds), size, 3 * size + 4, 3)


PARTS = {name.removeprefix("part_"): part for name, part in list(globals().items()) if name.startswith("part_")}


@pytest.mark.parametrize("part", list(PARTS))
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_a_part_of_any_numbers(part, data):
    check_part(PARTS[part], data)
