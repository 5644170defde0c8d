"""The overfitting sheet and its charts: what stands where, and what its texts say."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasviz_callbacks.draw import curves, text
from kerasviz_callbacks.draw.colour import NON_FINITE
from kerasviz_callbacks.draw.curves import AXIS, FOOT, HEAD, SETS, Chart, Curve, StepAxis, paint_chart, paint_dot
from kerasviz_callbacks.draw.overfitting import (
    MAX_DEGRADED,
    DegradedExample,
    PerClassScores,
    Summary,
    overfitting_sheet,
)
from kerasviz_callbacks.draw.overfitting_charts import (
    METRICS,
    choose_log,
    extend_axis,
    loss_charts,
    metric_charts,
    most_degraded,
    per_class_scores,
)
from kerasviz_callbacks.draw.overlay import overlay
from kerasviz_callbacks.draw.text import INK, write
from kerasviz_callbacks.draw.tiles import fit
from kerasviz_callbacks.draw.volumes import flat_maps

HEIGHT, WIDTH = HEAD + 101 + FOOT, AXIS + 200  # a plot of 101 x 200: ten epochs of 20 pixels


def charted(curves, *, low=0.0, high=1.0, best=None, now=9, log=False, level=None):
    """The plot of a chart."""
    canvas = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    paint_chart(
        canvas, Chart("title", curves, low, high, "words", "hint", log=log, level=level), StepAxis(0, 9, best, now)
    )
    return canvas[HEAD : HEAD + 101, AXIS:]


def row_of(share):
    """Where a share of the axis lies: three pixels are left free above and below."""
    return 3 + (1 - share) * 94


def rows_of(plot, ink, column):
    """Where a colour stands in a column."""
    return np.flatnonzero((plot[:, column] == ink).all(axis=-1))


@pytest.mark.parametrize("value", [0.25, 0.5, 0.75])
def test_a_line_lies_where_its_value_is(value):
    plot = charted({"validation": Curve(range(10), [value] * 10)})
    for column in (30, 95, 170):
        assert rows_of(plot, SETS["validation"], column).mean() == pytest.approx(row_of(value), abs=1)


def test_a_line_rises_with_its_values_and_begins_at_its_first_step():
    plot = charted({"validation": Curve([2, 4, 6], [0.2, 0.4, 0.6])})
    for step, value in ((2, 0.2), (3, 0.3), (5, 0.5)):
        found = rows_of(plot, SETS["validation"], int((step + 0.5) * 20))
        assert found.mean() == pytest.approx(row_of(value), abs=2)
    seen = np.flatnonzero((plot == SETS["validation"]).all(axis=-1).any(axis=0))
    assert (seen.min(), seen.max()) == (pytest.approx(50, abs=2), pytest.approx(130, abs=2))


@pytest.mark.parametrize(("value", "share"), [(1.0, 0.5), (10.0, 0.75), (0.01, 0.0)])
def test_on_a_logarithmic_axis_powers_of_ten_are_as_far_apart(value, share):
    plot = charted({"validation": Curve(range(10), [value] * 10)}, low=0.01, high=100.0, log=True)
    assert rows_of(plot, SETS["validation"], 95).mean() == pytest.approx(row_of(share), abs=1)


def test_training_is_dashed_and_validation_lies_over_it():
    curve = Curve(range(10), [0.5] * 10)
    alone = charted({"training": curve})
    inked = (alone[50] == SETS["training"]).all(axis=-1)
    assert 0.3 < inked[10:190].mean() < 0.7
    both = charted({"training": curve, "validation": curve})
    assert (both[50, 15:185] == SETS["validation"]).all()


def test_the_dashes_of_a_steep_line_are_as_long_as_those_of_a_flat_one():
    plot = charted({"training": Curve([4, 5], [0.0, 1.0])})
    near = np.array([(plot[row, 85:115] == SETS["training"]).all(axis=-1).any() for row in range(5, 96)])
    lengths = np.diff(np.flatnonzero(np.diff(near.astype(int))))
    assert 0.3 < near.mean() < 0.75
    assert len(lengths) >= 8
    assert lengths.max() <= 12


def test_a_level_is_a_dotted_line_right_across():
    plot = charted({}, level=0.25)
    row = (plot[int(row_of(0.25))] == INK).all(axis=-1)
    assert row.mean() == pytest.approx(0.4, abs=0.01)
    assert not (np.delete(plot, int(row_of(0.25)), axis=0) == INK).all(axis=-1).any()


def test_the_best_epoch_is_an_upright_line_and_the_ground_since_it_is_tinted():
    plot = charted({"validation": Curve(range(8), [0.5] * 8)}, best=3, now=7)
    upright = np.flatnonzero((plot == INK).all(axis=-1).any(axis=0))
    assert upright.tolist() == [70]
    assert (plot[5, 20] == 255).all()
    assert (plot[5, 100] != 255).any()
    assert (plot[5, 160] == 255).all(), "nothing is known of later epochs"


def test_a_value_that_is_no_number_is_a_column_and_breaks_the_line():
    values = [0.5] * 4 + [np.nan, np.inf] + [0.5] * 4
    plot = charted({"validation": Curve(range(10), values)})
    marked = np.flatnonzero((plot[5:95] == NON_FINITE).all(axis=-1).all(axis=0))
    assert (marked.min(), marked.max()) == (80, 119)
    assert len(rows_of(plot, SETS["validation"], 60))
    assert not len(rows_of(plot, SETS["validation"], 100))


def test_where_nothing_could_be_measured_is_a_gap_without_the_colour_of_nan():
    plot = charted({"validation": Curve(range(10), [0.5] * 4 + [None, None] + [0.5] * 4)})
    assert not (plot == NON_FINITE).all(axis=-1).any()
    assert not len(rows_of(plot, SETS["validation"], 100))
    assert len(rows_of(plot, SETS["validation"], 60))
    (drift,) = metric_charts(["cam_drift"], {"validation": {"cam_drift": ((0, 1), (0.0, None))}}, {})
    assert drift.subtitle == "now too few maps"


@pytest.mark.parametrize("values", [[0.5], [np.nan, 0.5, np.nan]])
@pytest.mark.parametrize("name", ["training", "validation"])
def test_a_point_alone_is_a_disc_over_the_line_of_the_best_epoch(name, values):
    plot = charted({name: Curve(range(len(values)), values)}, best=len(values) // 2)
    column = 10 + 20 * (len(values) // 2)
    assert (plot[48:52, column - 2 : column + 2] == SETS[name]).all()
    assert (plot == SETS[name]).all(axis=-1).sum() == pytest.approx(np.pi * 4**2, rel=0.3)


def test_the_best_value_has_a_ring():
    plain, ringed = (charted({"validation": Curve(range(10), [0.5] * 10, best)}, best=None) for best in (None, 4))
    changed = np.argwhere((plain != ringed).any(axis=-1))
    assert changed.mean(axis=0) == pytest.approx([50, 90], abs=1.5)
    assert (ringed[50, 90] == 255).all(), "it is hollow"


def test_a_dot_is_round_and_cut_at_the_edge():
    canvas = np.full((30, 30, 3), 255, np.uint8)
    paint_dot(canvas, 15, 15, (0, 0, 0), radius=5)
    assert (canvas < 128).all(axis=-1).sum() == pytest.approx(np.pi * 25, rel=0.1)
    np.testing.assert_array_equal(canvas, canvas[::-1])
    paint_dot(canvas, -2, 29, (0, 0, 0))
    paint_dot(canvas, 300, -300, (0, 0, 0))


# From histories to charts.


def test_each_axis_holds_what_was_seen_and_only_grows():
    scales = {}
    seen = {"knn": [0.5, 0.62, 0.41], "silhouette": [-0.02, 0.3, 0.1], "nc1": [40.0, 0.8, 3.0], "cam_drift": [0.4]}
    windows = []
    for step in range(3):
        for name, values in seen.items():
            extend_axis(scales, name, values[min(step, len(values) - 1)], METRICS[name].window)
        charts = {chart.title: chart for chart in metric_charts(list(seen), {"validation": {}}, scales)}
        windows.append({name: (chart.low, chart.high) for name, chart in charts.items()})
    for name, values in seen.items():
        low, high = windows[-1][name]
        assert low <= min(values) <= max(values) <= high
        for (low, high), (low_later, high_later) in zip(
            [one[name] for one in windows], [one[name] for one in windows[1:]], strict=False
        ):
            assert low_later <= low < high <= high_later
    assert windows[-1]["nc1"] == (0.1, 100.0)
    assert windows[-1]["cam_drift"][0] == 0


def test_the_subtitle_gives_the_best_value_its_epoch_and_the_newest_value():
    history = {"knn": ((-1, 0, 1, 2), (0.3, 0.6, 0.7, 0.65)), "nc1": ((-1, 0, 1), (4.0, 0.75, np.nan))}
    knn, nc1, drift = metric_charts(["knn", "nc1", "cam_drift"], {"validation": history}, {})
    assert knn.subtitle == "best 0.7 at 1   now 0.65"
    assert nc1.subtitle == "best 0.75 at 0   now NaN"
    assert (knn.curves["validation"].best, nc1.curves["validation"].best) == (1, 0)
    (sure,) = metric_charts(["overconfidence"], {"validation": {"overconfidence": ((0, 1, 2), (-0.3, -0.02, 0.1))}}, {})
    assert sure.subtitle == "best -0.02 at 1   now 0.1".replace("-", "−")
    assert (drift.subtitle, drift.curves["validation"].best) == ("", None)


def test_an_untrained_model_that_is_hardly_confident_is_not_the_best_calibrated_one():
    history = {"overconfidence": ((-1, 0, 1), (-0.001, -0.2, 0.1)), "knn": ((-1, 0, 1), (0.7, 0.6, 0.5))}
    sure, knn = metric_charts(["overconfidence", "knn"], {"validation": history}, {})
    assert (sure.curves["validation"].best, sure.subtitle) == (1, "best trained 0.1 at 1   now 0.1")
    assert knn.curves["validation"].best == -1, "features may be better before training than after it"
    before = {"overconfidence": ((-1,), (-0.001,))}
    (sure,) = metric_charts(["overconfidence"], {"validation": before}, {})
    assert (sure.curves["validation"].best, sure.subtitle) == (None, "now −0.001")


def test_metrics_of_frozen_features_say_so_and_have_no_best_step():
    history = {"knn": ((-1, 0), (0.7, 0.7)), "cam_true_vs_predicted": ((-1, 0), (0.4, 0.3))}
    knn, cam = metric_charts(list(history), {"validation": history}, {}, frozen=["knn", "nc1"])
    assert (knn.hint, knn.subtitle, knn.curves["validation"].best) == ("features are frozen", "now 0.7", None)
    assert (cam.hint, cam.curves["validation"].best) == ("0 if alike", None)


def test_a_loss_begins_at_zero_and_an_accuracy_ends_at_one():
    scales = {}
    for key, value in (("loss", 2.3), ("accuracy", 0.4), ("accuracy", 0.6)):
        extend_axis(scales, key, value)
    steps = (0, 1)
    logged = {"loss": (steps, (2.3, 1.0)), "val_loss": (steps, (2.2, 1.5)), "accuracy": (steps, (0.4, 0.6))}
    loss, accuracy = loss_charts(logged | {"val_accuracy": ((), ())}, ["accuracy"], scales, 1)
    assert (loss.low, accuracy.low, accuracy.high) == (0, 0, 1)
    assert 2.3 <= loss.high <= 2.3 * 1.25
    assert loss.subtitle == "validation 1.5  training 1"
    assert accuracy.subtitle == "training 0.6"
    extend_axis(scales, "loss", -0.5)
    assert loss_charts(logged, [], scales, 1)[0].low <= -0.5
    (later,) = loss_charts(logged | {"loss": ((0, 1, 2), (2.3, 1.0, 0.5))}, [], scales, 2)
    assert later.subtitle == "validation 1.5 (at 1)  training 0.5", "validation_freq skips epochs"


def test_chance_is_marked_in_the_chart_of_an_accuracy_alone():
    logged = dict.fromkeys(("loss", "val_loss", "acc", "val_acc", "mae", "val_mae"), ((0,), (0.5,)))
    loss, accuracy = loss_charts(logged, ["acc"], {}, 0, chance=0.1)
    assert (loss.level, accuracy.level, accuracy.level_name) == (None, 0.1, "majority class 0.1")
    assert loss_charts(logged, ["mae"], {}, 0, chance=0.1)[1].level is None


@pytest.mark.parametrize(
    ("key", "own"),
    [
        ("binary_accuracy", True),
        ("kind_sparse_categorical_accuracy", True),
        ("other_accuracy", False),
        ("contrastive_accuracy", False),
        ("sparse_top_k_categorical_accuracy", False),
    ],
)
def test_chance_is_marked_only_where_the_classes_of_this_output_are_told(key, own):
    logged = dict.fromkeys(("loss", "val_loss", key, f"val_{key}"), ((0,), (0.5,)))
    assert loss_charts(logged, [key], {}, 0, chance=0.1, output="kind")[1].level == (0.1 if own else None)


@pytest.mark.parametrize("title", ["accuracy", "binary_accuracy", "sparse_categorical_accuracy"])
def test_chance_is_named_beside_the_title_or_where_that_is_long_at_its_line(title, monkeypatch):
    told = []
    monkeypatch.setattr(curves, "write", lambda *a, **style: told.append(a[2]) or write(*a, **style))
    canvas = np.full((216, 312, 3), 255, np.uint8)
    chart = Chart(title, {}, 0.0, 1.0, level=0.66, level_name="majority 0.66")
    paint_chart(canvas, chart, StepAxis(0, 9, None, 9))
    assert [text for text in told if "majority" in str(text)] == [f"{'dotted: ' * (title == 'accuracy')}majority 0.66"]


@pytest.mark.parametrize("value", [1.23e-4, -2.0e-4, 0.0123, 123456.0])
def test_no_number_of_a_chart_is_cut(value, monkeypatch):
    told = []
    monkeypatch.setattr(text, "_print", lambda canvas, place, line, *_: told.append(line))
    steps = (0, 1)
    logged = {"loss": (steps, (value, value)), "val_loss": ((0,), (value,))}
    (chart,) = loss_charts(logged, [], {"window loss up": abs(value), "window loss down": abs(value)}, 1)
    paint_chart(np.full((216, 312, 3), 255, np.uint8), chart, StepAxis(0, 9, None, 9))
    assert chart.subtitle in told
    assert not any("…" in line for line in told)
    assert len([line for line in told if line.startswith("\N{MINUS SIGN}")]) >= 1, "ticks below 0"


@pytest.mark.parametrize(
    ("value", "written"),
    [(0.0001, "1e−4"), (-0.000123, "−1.2e−4"), (0.00999e-1, "1e−3"), (0.0123, "0.0123"), (0, "0"), (np.nan, "NaN")],
)
def test_small_numbers_are_written_short(value, written):
    assert text.short_number(value) == written


@pytest.mark.parametrize(
    ("training", "validation", "log"),
    [
        ([2.0, 1.0, 0.5], [2.0, 1.2, 1.1], False),
        ([2.0, 0.1, 1e-4], [2.0, 1.2, 1.9], False),  # memorised: both can be read from 0 up
        ([1.4, 0.6, 0.4], [107.0, 90.0, 73.0], True),
        ([1.4, 900.0, 1.0], [1.5, 2.0, 1.2], True),  # a spike
        ([5e4, 40.0, 2.0], [5e4, 30.0, 3.0], True),  # fallen by decades
        ([0.0, 0.6, 0.4], [107.0, 90.0, 73.0], False),
        ([-0.6, 1.4, 0.4], [107.0, 90.0, 73.0], False),
        ([np.nan], [np.nan], False),
        ([], [], False),
    ],
)
def test_an_axis_is_logarithmic_where_curves_differ_by_decades_and_stays_so(training, validation, log):
    scales = {}
    for end in range(1, len(training) + 1):
        choose_log(scales, "loss", [training[:end], validation[:end]])
        extend_axis(scales, "loss", max(training[end - 1], validation[end - 1]))
    steps = range(len(training))
    curves = {"loss": (steps, training), "val_loss": (steps, validation)}
    (chart,) = loss_charts(curves, [], scales, 2)
    assert chart.log == log
    if log:
        assert chart.hint == "log scale"
        assert chart.low <= min(training + validation) < max(training + validation) <= chart.high
        choose_log(scales, "loss", [[1.0], [1.0]])
        assert loss_charts(curves, [], scales, 2)[0].log, "kept"


def test_the_texts_name_the_axis():
    (drift,) = metric_charts(["cam_drift"], {"validation": {}}, {}, axis="batch")
    assert drift.hint == "0 at the best batch so far"
    assert "batch 500" in per_class_scores([0, 1], [0.1, 0.2], [0.3, 0.4], str, best=500, axis="batch").legend


def test_class_scores_are_means_by_class_and_of_many_classes_those_that_dropped_most():
    labels, now, then = [0, 0, 2, 2], [0.1, 0.3, 0.8, 1.0], [0.5, 0.7, 0.7, 0.9]
    class_scores = per_class_scores(labels, now, then, "class {}".format, best=4)
    assert class_scores.names == ["class 0", "class 2"]
    assert class_scores.now == pytest.approx([0.2, 0.9])
    assert class_scores.then == pytest.approx([0.6, 0.8])
    assert "epoch 4" in class_scores.legend
    many = np.arange(40)
    lost = per_class_scores(many, np.where(many % 3 == 0, 0.1, 0.9), np.full(40, 0.5), str, best=0)
    assert lost.names == [str(number) for number in range(0, 36, 3)]
    assert per_class_scores(None, now, then, str, best=4) is None


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=30))
def test_the_most_degraded_rows_are_those_whose_score_dropped_most(pairs):
    now, then = (np.array([pair[at] for pair in pairs]) for at in (0, 1))
    chosen = most_degraded(now, then, 0.01)
    drop = then - now
    assert list(drop[chosen]) == sorted((one for one in drop if one > 0.01), reverse=True)[:MAX_DEGRADED]


def test_an_example_whose_drawn_slice_alone_is_empty_is_not_called_an_empty_map(monkeypatch):
    shown, told = degraded(), []
    monkeypatch.setattr(text, "_print", lambda canvas, place, line, *_: told.append(line))
    volumes = np.zeros((MAX_DEGRADED, 3, 7, 7), np.float32)
    volumes[:, 2] = shown.now
    volumes[1] = 0
    shown = replace(shown, then=volumes[:, ::-1], now=volumes, slices=np.full(MAX_DEGRADED, 2))
    sheet = overfitting_sheet(summary(degraded=shown), caption="c")
    pictures = fit(shown.pictures, 112)
    hot = overlay(pictures, volumes[:, 2], scale=1.0)
    assert [holds(sheet, tile) for tile in hot] == [1, 0, 1, 1]
    assert [line for line in told if "empty" in line] == [
        "empty here",
        "empty map",
        "empty here",
        "empty here",
        "empty map",
    ]


def test_maps_of_signals_and_volumes_become_flat():
    assert flat_maps(np.zeros((3, 7))).shape == (3, 1, 7)
    assert flat_maps(np.arange(2 * 5 * 3 * 4).reshape(2, 5, 3, 4)).tolist() == (
        np.arange(120).reshape(2, 5, 3, 4)[:, 2].tolist()
    )
    assert flat_maps(np.arange(12).reshape(2, 3, 1, 2), np.array([2, 0])).tolist() == [[[4, 5]], [[6, 7]]]


# The sheet.


def summary(**given):
    curves = {"validation": Curve(range(10), np.linspace(0.2, 0.8, 10)), "training": Curve(range(10), [0.5] * 10)}
    charts = [Chart(name, curves, 0.0, 1.0) for name in ("loss", "accuracy")]
    metrics = [Chart(name, curves, 0.0, 1.0) for name in METRICS]
    ready = {"headline": ("one", "two"), "losses": charts, "metrics": metrics, "steps": StepAxis(-1, 9, 3, 9)}
    return Summary(
        **ready, **{"sets": ["validation", "training"], "heading": "fell", "placeholder": "nothing", **given}
    )


def degraded(count=MAX_DEGRADED, maps=True, seed=0):
    generator = np.random.default_rng(seed)
    pictures = generator.integers(0, 255, (count, 28, 28, 3)).astype(np.uint8)
    then, now = generator.random((2, count, 7, 7)).astype(np.float32)
    return DegradedExample(
        pictures, then if maps else None, now if maps else None, 1.0, [("shirt  0.9 → 0.1", "now: coat")] * count
    )


CLASS_SCORES = PerClassScores(
    ["shirt", "coat"], np.array([0.9, 0.4]), np.array([0.3, 0.6]), "by class", "ring and disc"
)


def holds(sheet, tile):
    """How often a tile stands on the sheet."""
    height, width = tile.shape[:2]
    first = np.argwhere((sheet[: -height + 1, : -width + 1] == tile[0, 0]).all(axis=-1))
    return sum(np.array_equal(sheet[y : y + height, x : x + width], tile) for y, x in first)


def test_every_picture_stands_there_with_its_heat_then_and_now():
    shown = degraded()
    sheet = overfitting_sheet(summary(class_scores=CLASS_SCORES, degraded=shown), caption="overfitting of a model")
    pictures = fit(shown.pictures, 112)
    for index in range(MAX_DEGRADED):
        assert holds(sheet, pictures[index]) == 1
        for maps in (shown.then, shown.now):
            assert holds(sheet, overlay(pictures, maps, scale=1.0)[index]) == 1


def test_examples_without_pictures_are_lines_close_together_and_have_no_legend_of_maps():
    shown = degraded()
    shown = DegradedExample(None, shown.then, shown.now, 1.0, shown.titles)
    sheet = overfitting_sheet(summary(degraded=shown), caption="c")
    none = overfitting_sheet(summary(degraded=DegradedExample(None, None, None, 0.0, [])), caption="c")
    changed = np.flatnonzero((sheet != none).any(axis=(1, 2)))
    assert changed.max() - changed.min() < MAX_DEGRADED * 60
    np.testing.assert_array_equal(sheet[-40:], none[-40:])


def test_why_there_is_no_example_is_said_in_whole(monkeypatch):
    why, told = "an answer that is too long for a single line of the narrow part beside the classes", []
    monkeypatch.setattr(text, "_print", lambda canvas, place, line, *_: told.append(line))
    none = DegradedExample(None, None, None, 0.0, [])
    overfitting_sheet(summary(degraded=none, class_scores=CLASS_SCORES, placeholder=why), caption="c")
    assert why in " ".join(told)


def test_its_size_does_not_depend_on_what_has_degraded():
    sizes = set()
    for one in (degraded(), degraded(3), degraded(1, maps=False), DegradedExample(None, None, None, 0.0, [])):
        sizes.add(overfitting_sheet(summary(class_scores=CLASS_SCORES, degraded=one), caption="c").shape)
    assert len(sizes) == 1


def test_a_class_is_a_ring_where_it_was_and_a_disc_where_it_is():
    sheet = overfitting_sheet(summary(class_scores=CLASS_SCORES, degraded=degraded(0)), caption="c")
    still = PerClassScores(CLASS_SCORES.names, None, CLASS_SCORES.now, "by class", "ring and disc")
    alone = overfitting_sheet(summary(class_scores=still, degraded=degraded(0)), caption="c")
    changed = np.argwhere((sheet != alone).any(axis=-1))
    across = 12 + 112 + np.array([0.3, 0.9, 0.4, 0.6]) * (256 - 22 - 112)  # margin, names, plot
    assert changed[:, 1].min() == pytest.approx(across.min(), abs=6)
    assert changed[:, 1].max() == pytest.approx(across.max(), abs=6)


def test_heat_that_is_no_number_is_counted_and_an_empty_map_is_told_in_words():
    shown = degraded()
    shown.now[0, 0, 0] = np.nan
    shown.then[1] = 0
    plain, marked = (overfitting_sheet(summary(degraded=one), caption="c") for one in (degraded(), shown))
    assert (marked == NON_FINITE).all(axis=-1).sum() > (plain == NON_FINITE).all(axis=-1).sum()
    laid = overlay(fit(shown.pictures, 112), shown.then, scale=1.0)[1]
    assert holds(marked, laid) == 0
    assert (marked[-40:] != plain[-40:]).any(), "the strip counts it"


def test_scores_out_of_range_are_drawn_at_the_edge():
    far = PerClassScores(
        ["shirt", "coat"], np.array([1e306, 0.4]), np.array([0.3, -1e300]), "by class", "ring and disc"
    )
    edge = PerClassScores(["shirt", "coat"], np.array([1.0, 0.4]), np.array([0.3, 0.0]), "by class", "ring and disc")
    one, other = (overfitting_sheet(summary(class_scores=scores), caption="c") for scores in (far, edge))
    np.testing.assert_array_equal(one, other)


def test_a_title_is_made_smaller_where_its_hint_would_be_dropped(monkeypatch):
    told = []
    monkeypatch.setattr(curves, "write", lambda *a, **style: told.append(a[2]) or write(*a, **style))
    canvas = np.full((150, 312, 3), 255, np.uint8)
    steps, values = (-1, 0, 1), (0.0, 0.5, 0.2)
    (chart,) = metric_charts(["cam_true_vs_predicted"], {"validation": {"cam_true_vs_predicted": (steps, values)}}, {})
    assert chart.curves["validation"].best is None, "it is low too where maps do not tell right from wrong"
    paint_chart(canvas, chart, StepAxis(-1, 1, None, 1))
    assert told[:3] == ["cam_true_vs_predicted", "0 if alike", "now 0.2"]


@pytest.mark.parametrize("name", ["overconfidence", "silhouette", "cam_drift"])
def test_a_disc_at_the_largest_value_is_seen_whole(name):
    scales = {}
    extend_axis(scales, name, 1.25**-4)  # where the axis ended
    (chart,) = metric_charts([name], {"validation": {name: ((0,), (1.25**-4,))}}, scales)
    canvas = np.full((150, 312, 3), 255, np.uint8)
    curves_of = {key: replace(curve, best=None) for key, curve in chart.curves.items()}
    paint_chart(canvas, replace(chart, curves=curves_of), StepAxis(-1, 2, None, 0))
    rows = np.flatnonzero((canvas[HEAD:-FOOT, AXIS + 99 : AXIS + 102] == SETS["validation"]).all(axis=-1).any(axis=1))
    assert 7 <= len(rows) <= 9


def test_before_training_no_chart_is_named_after_a_loss_that_may_not_come():
    nothing = dict.fromkeys(("loss", "val_loss"), ((), ()))
    assert loss_charts(nothing, [], {}, -1) == []
    assert [chart.title for chart in loss_charts(nothing, [], {}, 0)] == ["loss"]
