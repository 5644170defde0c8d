"""The headline of the overfitting sheet says the worst that the numbers show."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasviz_callbacks.draw.inputs import IntensityRange
from kerasviz_callbacks.draw.overfitting_headline import Answers, at_chance, headlines

NAN, INF = math.nan, math.inf


def said(loss, val_loss, answers=None, *, step=None, metric=None, axis="epoch", **others):
    """The two lines of a training whose losses are given by epoch."""
    curves = {
        key: (range(len(values)), values) for key, values in {"loss": loss, "val_loss": val_loss, **others}.items()
    }
    finite = [value if math.isfinite(value) else INF for value in val_loss]
    best = int(np.argmin(finite)) if finite and min(finite) < INF else None
    return headlines(curves, metric, best, len(loss) - 1 if step is None else step, answers, axis=axis)


LEARNED = Answers(accuracy=0.8, chance=0.1, rows=500, ratio=1.0, ranges=(IntensityRange(0, 1), IntensityRange(-1, 1)))
SCALED = IntensityRange(0.0, 1.0), IntensityRange(0.0, 255.0)


NO_LOSS = "No val_loss in the logs, so no best epoch: "


@pytest.mark.parametrize(
    ("loss", "val_loss", "answers", "expected"),
    [
        ([1, 0.5, NAN, NAN], [1, 0.9, NAN, NAN], LEARNED, "loss and val_loss are NaN since epoch 2."),
        ([1, 0.5, NAN, NAN], [1, 0.9, 0.8, NAN], LEARNED, "loss is NaN since epoch 2."),
        ([1, 0.5, 0.4, 0.3], [1, 0.9, INF, INF], LEARNED, "val_loss is infinite since epoch 2."),
        ([NAN, NAN], [NAN, NAN], Answers(0.1, 0.1, 500, 500), "loss and val_loss are NaN since epoch 0."),
        ([1, NAN, 0.4], [1, NAN, 0.8], LEARNED, "val_loss is at its lowest so far: 0.8 at epoch 2."),
        ([1, 0.5], [1, 0.9], Answers(0.1, 0.1, 500, 3), "3 of 500 answers are NaN."),
        ([2, 1, 0.1], [2.3, 2.4, 4], Answers(0.12, 0.1, 500),
         "Validation accuracy is at chance level: 0.12, majority class of the observed rows 0.1."),
        ([2, 1, 0.1], [2.3, 2.4, 4], Answers(0.12, 0.1, 500, weighted=True),
         "Validation accuracy is at chance level: 0.12 (unweighted), majority class of the observed rows 0.1."),
        ([1, 0.5], [20, 9], Answers(0.3, 0.1, 500, training=0.27, while_training=0.67),
         "Accuracy on training data is 0.27 in inference, 0.67 while training: batch normalization lags behind, or "
         "layers differ."),
        ([1, 0.5], [1, 0.9], Answers(0.3, 0.1, 500, training=0.5, while_training=0.67),
         "val_loss is at its lowest so far: 0.9 at epoch 1."),
        ([1, 0.5], [200, 90], Answers(0.8, 0.1, 500, 0, 9.0, SCALED),
         "val_loss is 180 times the loss since before training: "
         "training inputs 0 to 1, validation inputs 0 to 255."),
        ([1, 0.5], [20, 9], Answers(0.8, 0.1, 500), "val_loss is 18 times the loss since epoch 0."),
        ([1, 0.5], [2, 0.9], Answers(0.8, 0.1, 500, 0, 1.0, SCALED),
         "Training and validation differ: training inputs 0 to 1, validation inputs 0 to 255."),
        ([2.3, 2.31, 2.299], [2.3, 2.3, 2.29], Answers(), "Nothing is learned: loss 2.3 at epoch 0, now 2.3."),
        ([-5, -5, -5], [1, 1, 1], Answers(), "Nothing is learned: loss −5 at epoch 0, now −5."),
        ([1, 0.5, 0.1], [1, 0.4, 0.8], LEARNED, "Overfitting since epoch 1: val_loss 0.4 → 0.8 (+100%)."),
        ([1, 0.5, 0.1], [1, 0.4, 8], LEARNED, "Overfitting since epoch 1: val_loss 0.4 → 8 (20 times)."),
        ([1, 0.5, 0.1], [1, -0.4, 0.8], LEARNED, "Overfitting since epoch 1: val_loss −0.4 → 0.8."),
        ([1, 0.5, 0.9], [1, 0.4, 0.8], LEARNED, "Getting worse since epoch 1: val_loss 0.4 → 0.8 (+100%)."),
        ([1, 0.5, 0.1], [1, 0.4, 0.8], replace(LEARNED, training=0.80, training_at_best=0.88),
         "Getting worse since epoch 1: val_loss 0.4 → 0.8 (+100%); accuracy on training data fell too, 0.88 → 0.8."),
        ([1, 0.5, 0.1], [1, 0.4, 0.8], replace(LEARNED, training=0.97, training_at_best=0.98),
         "Overfitting since epoch 1: val_loss 0.4 → 0.8 (+100%)."),
        ([1, 0.5, 0.1], [1, 0.4, 0.8], replace(LEARNED, training=0.99, training_at_best=0.88),
         "Overfitting since epoch 1: val_loss 0.4 → 0.8 (+100%)."),
        ([1, 0.5, 0.4], [1, 0.4, 0.41], LEARNED, "val_loss was lowest at epoch 1: 0.4; now 0.41 (+2%)."),
        ([1, 0.5, 0.4], [1, 0.6, 0.5], LEARNED, "val_loss is at its lowest so far: 0.5 at epoch 2."),
        ([1, 0.5, 0.4], [], LEARNED,
         f"{NO_LOSS}fit needs validation_data, and a test_step that returns a loss."),
        ([1, 0.5, 0.4], [], Answers(own_loop=True),
         f'{NO_LOSS}pass it to on_epoch_end(epoch, {{"loss": ..., "val_loss": ...}}).'),
        ([], [], None, "Before training: no epoch has ended."),
        ([], [], Answers(0.1, 0.1, 500, 0, 9.0, SCALED),
         "Training and validation differ: training inputs 0 to 1, validation inputs 0 to 255."),
        ([], [], Answers(0.1, 0.1, 500, 500), "500 of 500 answers are NaN."),
    ],
)  # fmt: skip
def test_the_worst_comes_first(loss, val_loss, answers, expected):
    assert said(loss, val_loss, answers)[0] == expected


@pytest.mark.parametrize(
    ("worse", "milder"),
    [
        ("NaN", "chance"),
        ("chance", "times the loss"),
        ("times the loss", "Nothing is learned"),
        ("Nothing is learned", "Overfitting"),
    ],
)
def test_of_two_the_more_severe_is_said(worse, milder):
    """Histories that show all from the milder one on, and one more."""
    order = ["NaN", "chance", "times the loss", "Nothing is learned", "Overfitting"]
    shown = order[order.index(worse) :]
    loss = [2.3, 2.3, NAN] if worse == "NaN" else [2.3, 2.3, 2.3]
    val_loss = [46, 23, 69] if "times the loss" in shown else [2.3, 1.2, 4.0]
    found = said(loss, val_loss, Answers(0.1, 0.1, 500) if "chance" in shown else LEARNED)[0]
    assert worse in found
    assert milder not in found


FALLEN = [0.215, 0.1, 0.05, 0.0068]


@pytest.mark.parametrize(
    ("later", "alarm"),
    [
        ([0.0088], False),  # above the lowest by 29 %, but by 1 % of the fall
        ([0.0109], False),  # by 1.97 % of the fall
        ([0.0111], True),  # by 2.07 %
        ([0.0088, 0.0088], True),  # it lasts
        ([0.0088, NAN, 0.0088], True),
        ([0.0069, 0.0088], False),  # the first is within 5 % of the lowest
        ([0.0088, 0.0069], False),
        ([0.0088, 0.0043], False),
    ],
)
def test_a_rise_of_one_step_that_is_small_beside_the_fall_before_is_no_alarm(later, alarm):
    val_loss = FALLEN + later
    loss = [0.2 / (1 + step) for step in range(len(val_loss))]
    found = said(loss, val_loss, LEARNED)[0]
    assert found.startswith("Overfitting since epoch 3: val_loss 0.0068 → ") == alarm
    if later == [0.0088]:
        assert found == "val_loss was lowest at epoch 3: 0.0068; now 0.0088 (+29%)."


@given(st.lists(st.floats(0.01, 10), min_size=2, max_size=8))
def test_any_rise_that_lasts_is_said_and_so_is_one_from_the_first_step_on(val_loss):
    lowest = min(val_loss)
    loss = [2.0 / (1 + step) for step in range(len(val_loss) + 2)]
    assert "since epoch" in said(loss, [*val_loss, lowest * 1.06, lowest * 1.06], LEARNED)[0]
    assert "since epoch 0" in said([1, 0.5], [lowest, lowest * 1.06], LEARNED)[0]


def test_the_second_line_gives_the_metric_then_and_now_or_the_ranges_of_the_inputs():
    accuracies = {"acc": [0.5, 0.7, 0.9], "val_acc": [0.4, 0.7, 0.6]}
    assert (
        said([1, 0.5, 0.1], [1, 0.4, 0.8], LEARNED, metric="acc", **accuracies)[1]
        == "val_acc 0.7 → 0.6   acc 0.7 → 0.9"
    )
    assert said([1, 0.5, 0.1], [1, 0.4, 0.3], LEARNED, metric="acc", **accuracies)[1] == "val_acc 0.6   acc 0.9"
    scaled = Answers(0.1, 0.1, 500, ranges=SCALED)
    first, second = said([1, 0.5, 0.1], [9, 9, 9], scaled, metric="acc", **accuracies)
    assert "at chance level" in first
    assert second == "Inputs: training inputs 0 to 1, validation inputs 0 to 255."


@pytest.mark.parametrize(
    ("measured", "logged", "second"),
    [
        (0.7, 0.5, "val_acc 0.6   acc 0.5 (0.7 in inference)"),
        (0.5, 0.7, "val_acc 0.6   acc 0.7 (0.5 in inference)"),
        (0.55, 0.5, "val_acc 0.6   acc 0.5"),
        (0.3, 0.7, "val_acc 0.6   acc 0.7"),  # the headline says it
        (NAN, 0.5, "val_acc 0.6   acc 0.5"),
        (0.9, NAN, "val_acc 0.6   acc 0.5"),  # another metric than the accuracy of the observed output
    ],
)
def test_an_accuracy_of_training_that_inference_does_not_confirm_is_said_with_both(measured, logged, second):
    metrics = {"acc": [0.2, 0.5 if math.isnan(logged) else logged], "val_acc": [0.4, 0.6]}
    answers = replace(LEARNED, training=measured, while_training=logged)
    assert said([1, 0.5], [1, 0.9], answers, metric="acc", **metrics)[1] == second


def test_the_name_of_the_axis_is_said():
    losses = {"val_loss": ((0, 500, 1000), (0.8, 0.4, 0.4))}
    assert headlines({}, None, None, -1, axis="batch")[0] == "Before training: no batch has ended."
    assert headlines(losses, None, 500, 500, axis="batch")[0].endswith("0.4 at batch 500.")
    assert "at batch 500: 0.4; now 0.4" in headlines(losses, None, 500, 1000, axis="batch")[0]


@pytest.mark.parametrize(
    ("accuracy", "chance", "rows", "expected"),
    [
        (0.155, 0.1, 1000, True),  # 5.8 standard errors of coins, but the answers of a network are not independent
        (0.25, 0.1, 1000, False),
        (0.05, 0.001, 5000, False),  # fifty times the chance
        (0.53, 0.5, 1000, True),
        (0.62, 0.5, 1000, False),
        (0.62, 0.5, 20, True),  # within two standard errors, 0.22
        (0.03, 0.1, 1000, True),
        (NAN, 0.1, 1000, False),
        (0.9, 1.0, 1000, False),  # a single class
    ],
)
def test_chance_level(accuracy, chance, rows, expected):
    assert at_chance(accuracy, chance, rows) == expected


@pytest.mark.parametrize(
    ("found", "alarm"),
    [(0, True), (1, True), (4, False), (5, False)],
)
def test_of_unbalanced_rows_it_is_no_alarm_that_a_model_which_finds_the_rare_class_is_less_accurate(found, alarm):
    """Of 100 frequent rows and 5 rare ones: the accuracy of always saying the frequent class is 100 / 105."""
    wrong = 9 if found else 0
    accuracy, balanced = (100 - wrong + found) / 105, ((100 - wrong) / 100 + found / 5) / 2
    answers = Answers(accuracy, 100 / 105, 105, balanced=balanced, class_sizes=(100, 5))
    assert ("chance" in said([1, 0.5], [1, 0.9], answers)[0]) == alarm


def test_where_weights_count_in_one_loss_alone_its_fall_beside_a_rise_of_the_other_is_no_verdict():
    """Class weights move answers to the rare class: accuracy and val_loss, both unweighted, may get worse for that."""
    weighted = Answers(0.8, 0.5, 500, training=0.8, training_at_best=0.9, weighted=True, weighted_apart=True)
    rise = "since epoch 1: val_loss 0.4 → 0.6 (+50%)"
    assert said([1, 0.5, 0.3], [1, 0.4, 0.6], weighted)[0] == (
        f"Getting worse {rise}; loss fell, but weights may count in one of the two alone."
    )
    assert said([1, 0.5, 0.6], [1, 0.4, 0.6], weighted)[0] == f"Getting worse {rise}."
    alike = replace(weighted, weighted_apart=False)
    assert said([1, 0.5, 0.3], [1, 0.4, 0.6], alike)[0] == f"Overfitting {rise}."
    unweighted = replace(alike, weighted=False)
    assert "accuracy on training data fell too, 0.9 → 0.8" in said([1, 0.5, 0.3], [1, 0.4, 0.6], unweighted)[0]


@pytest.mark.parametrize(
    ("accuracy", "balanced", "alarm"),
    [(0.81, 0.5, True), (0.816, 0.51, True), (0.824, 0.533, False), (0.81, 0.533, False), (0.9, 0.75, False)],
)
def test_several_labels_that_are_answered_no_better_than_alike_for_all_rows_are_told(accuracy, balanced, alarm):
    """Of 10 labels and 500 rows two standard errors are 0.011; a few answers above the threshold are skill."""
    answers = Answers(accuracy, 0.81, 500, balanced=balanced, class_sizes=(405, 95), labels=10)
    told = said([1, 0.5], [1, 0.9], answers)[0]
    expected = f"Labels are answered hardly better than alike for all rows: {accuracy} of them are right, 0.81 if alike"
    assert (told == f"{expected}.") == alarm
    assert "chance" not in told


@pytest.mark.parametrize(
    ("accuracy", "near"), [(0.12, "at"), (0.16, "at"), (0.17, "hardly above"), (0.2, "hardly above")]
)
def test_skill_that_is_little_but_no_noise_is_not_called_chance(accuracy, near):
    told = said([1, 0.5], [1, 0.9], Answers(accuracy, 0.13, 500))[0]
    assert told.startswith(f"Validation accuracy is {near} chance level: {accuracy}, ")


@given(st.floats(0.02, 0.98), st.integers(20, 5000))
def test_answers_drawn_by_lot_are_at_chance_and_good_ones_are_not(chance, rows):
    assert at_chance(chance, chance, rows)
    assert not at_chance(chance + 0.9 * (1 - chance), chance, 5000)
