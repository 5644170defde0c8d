"""Sample scores and training dynamics: against loops over recorded logits, and the `aum` package."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.special import expit, softmax
from sklearn.neighbors import NearestNeighbors

from kerasviz_callbacks.maths.classes import knn_agreement
from kerasviz_callbacks.maths.dynamics import SUMS, SampleDynamics, blank_sums, doubt, most_doubtful
from kerasviz_callbacks.maths.sample_scores import class_scores, label_scores

REAL = st.floats(-30, 30, width=32)
BAD = st.sampled_from([np.nan, np.inf, -np.inf])
LOSSES = st.lists(st.floats(0, 3) | st.just(math.nan), min_size=1, max_size=7)


@st.composite
def trainings(draw, elements=REAL):
    """Logits by epoch `(epochs, n, classes)`, labels, and the `val_loss` of each epoch, NaN where there is none."""
    losses = draw(LOSSES)
    n, classes = draw(st.integers(1, 6)), draw(st.integers(2, 4))
    logits = draw(arrays.arrays(np.float64, (len(losses), n, classes), elements=elements))
    return logits, draw(arrays.arrays(np.int64, n, elements=st.integers(0, classes - 1))), losses


def dynamics_of(logits, labels, losses, scores=class_scores):
    dynamics = SampleDynamics.of(np.size(labels))
    for step, (one, loss) in enumerate(zip(logits, losses, strict=True)):
        dynamics.add(scores(one, labels), step, loss)
    return dynamics


def has_answer(logits, label):
    """Nothing is NaN or plus infinity, and the label's logit is finite, as is another one."""
    usable = not np.isnan(logits).any() and not np.isposinf(logits).any()
    return usable and np.isfinite(logits[label]) and np.isfinite(np.delete(logits, label)).any()


def best_of(losses):
    """The first epoch of the lowest loss that is known."""
    known = [loss for loss in losses if not math.isnan(loss)]
    return losses.index(min(known)) if known else None


@given(trainings())
def test_every_figure_is_that_of_a_loop_over_the_recorded_logits(training):
    logits, labels, losses = training
    found, best = dynamics_of(logits, labels, losses), best_of(losses)
    assert (found.best_step, found.step, found.epochs) == (best, len(losses) - 1, len(losses))
    for row, label in enumerate(labels):
        rest = [other for other in range(logits.shape[2]) if other != label]
        probabilities = [softmax(z[row])[label] for z in logits]
        right = [z[row].argmax() == label for z in logits]
        margins = [z[row][label] - max(z[row][rest]) for z in logits]
        until = len(losses) if best is None else best + 1
        wanted = {
            "confidence": np.mean(probabilities),
            "variability": np.std(probabilities),
            "correctness": np.mean(right),
            "margin_to_the_end": np.mean(margins),
            "margin": np.mean(margins[:until]),
            "forgetting": sum(was and not is_now for was, is_now in itertools.pairwise(right)),
            "proposed": rest[int(np.argmax(logits[until - 1, row][rest]))],
            "learned": right[-1],
            "forgotten": any(right) and not right[-1],
            "never_learned": not any(right),
        }
        for name, value in wanted.items():
            assert getattr(found, name)[row] == pytest.approx(value, abs=1e-6), name
        assert found.doubtful[row] == (found.margin[row] < 0)
        assert found.margin[row] == pytest.approx(np.mean(margins[:until]), abs=1e-9)
        later = best is not None and best < len(losses) - 1
        assert found.memorised[row] == (later and found.doubtful[row] and right[-1] and not right[best])


@given(trainings(REAL | BAD))
def test_an_epoch_without_an_answer_is_counted_for_no_sample_and_each_is_in_one_group(training):
    logits, labels, losses = training
    found = dynamics_of(logits, labels, losses)
    known = np.array([[has_answer(*pair) for pair in zip(one, labels, strict=True)] for one in logits])
    np.testing.assert_array_equal(found.sums["epochs"], known.sum(axis=0))
    for name in ("confidence", "variability", "correctness", "margin", "margin_to_the_end"):
        until = slice(None) if name != "margin" or found.best_step is None else slice(found.best_step + 1)
        np.testing.assert_array_equal(np.isnan(getattr(found, name)), ~known[until].any(axis=0))
    groups = found.learned.astype(int) + found.forgotten + found.never_learned
    np.testing.assert_array_equal(groups, known[-1])
    for row in np.flatnonzero(known.any(axis=0)):
        probabilities = [softmax(logits[step, row])[labels[row]] for step in np.flatnonzero(known[:, row])]
        assert found.confidence[row] == pytest.approx(np.mean(probabilities), abs=1e-6)
        assert found.variability[row] == pytest.approx(np.std(probabilities), abs=1e-6)


@given(trainings(), st.randoms(use_true_random=False))
def test_permuted_rows_have_permuted_figures(training, random):
    logits, labels, losses = training
    order = list(range(len(labels)))
    random.shuffle(order)
    one, other = dynamics_of(logits, labels, losses), dynamics_of(logits[:, order], labels[order], losses)
    np.testing.assert_array_equal(one.sums[order], other.sums)


@given(trainings())
def test_of_two_classes_a_signed_logit_is_the_difference_of_two(training):
    logits, labels, _ = training
    yes = labels % 2
    two = np.stack([np.zeros_like(logits[0, :, 0]), logits[0, :, 0]], axis=1)
    one, other = class_scores(two, yes), label_scores(logits[0, :, 0], yes)
    np.testing.assert_allclose(one.margin, other.margin)
    np.testing.assert_allclose(one.probability, other.probability)
    np.testing.assert_array_equal(one.rival, other.rival)
    apart = logits[0, :, 0] != 0  # of equal logits the lower class is the answer, of a logit of 0 it is yes
    np.testing.assert_array_equal(one.right[apart], other.right[apart])


def test_labels_of_a_row_are_judged_one_by_one():
    found = label_scores([[2.0, -1.0], [0.0, 3.0]], [[1, 1], [0, 0]])
    np.testing.assert_allclose(found.margin, [2, -1, 0, -3])
    np.testing.assert_allclose(found.probability, expit([2, -1, 0, -3]))
    assert found.right.tolist() == [True, False, False, False]
    assert found.rival.tolist() == [0, 0, 1, 1]


def test_independent_logits_have_a_sigmoid_each():
    found = class_scores([[2.0, 1.0]], [0], independent=True)
    assert found.probability[0] == pytest.approx(expit(2.0))
    assert found.margin[0] == 1


@pytest.mark.parametrize("compressed", [True, False])
def test_margins_to_the_end_are_those_of_the_package_aum(compressed, tmp_path):
    torch = pytest.importorskip("torch")
    aum = pytest.importorskip("aum")
    draws = np.random.default_rng(0)
    logits, labels = draws.normal(size=(8, 40, 5)), draws.integers(0, 5, 40)
    calculator = aum.AUMCalculator(str(tmp_path), compressed=compressed)
    for one in logits:
        updated = calculator.update(torch.tensor(one), torch.tensor(labels), list(range(40)))
    found = dynamics_of(logits, labels, [1.0, 0.5, *[2.0] * 6])
    np.testing.assert_allclose(found.margin_to_the_end, [updated[row].aum for row in range(40)], atol=1e-6)
    assert not np.allclose(found.margin, found.margin_to_the_end)


def test_the_figures_of_a_row_by_hand():
    """Right, wrong, right, wrong, right; the lowest val_loss at epoch 1."""
    logits = np.array([[[2.0, 0]], [[0, 1.0]], [[3.0, 0]], [[0, 2.0]], [[5.0, 0]]])
    found = dynamics_of(logits, np.array([0]), [0.9, 0.5, 0.7, 0.5, 0.8])
    assert found.margin[0] == 0.5  # (2 - 1) / 2
    assert found.margin_to_the_end[0] == pytest.approx((2 - 1 + 3 - 2 + 5) / 5)
    assert found.forgetting[0] == 2
    assert found.correctness[0] == 0.6
    assert (found.best_step, found.best_loss) == (1, 0.5), "of equal losses the first"


def test_a_label_learned_by_heart_after_the_best_epoch_is_memorised():
    logits = np.array([[[0.0, 2], [0, 2], [2, 0]], [[0.0, 3], [0, 1], [3, 0]], [[4.0, 0], [0, 1], [4, 0]]])
    found = dynamics_of(logits, np.array([0, 0, 0]), [0.9, 0.5, 0.7])
    assert found.doubtful.tolist() == [True, True, False]
    assert found.memorised.tolist() == [True, False, False]
    at_best = dynamics_of(logits[:2], np.array([0, 0, 0]), [0.9, 0.5])
    assert not at_best.memorised.any()


def test_without_a_val_loss_the_margin_is_of_all_epochs():
    logits = np.array([[[0.0, 2]], [[4.0, 0]]])
    found = dynamics_of(logits, np.array([0]), [math.nan, math.nan])
    assert found.best_step is None
    assert found.margin[0] == found.margin_to_the_end[0] == 1
    assert not found.memorised.any()


def test_a_copy_is_not_changed_and_memory_does_not_grow_with_the_epochs():
    found = SampleDynamics.of(50_000)
    scores = label_scores(np.ones(50_000), np.ones(50_000))
    found.add(scores, 0, 1.0)
    kept = found.copy()
    for step in range(1, 5):
        found.add(scores, step, 1.0)
    assert kept.epochs == 1
    assert kept.sums["epochs"].max() == 1
    assert found.sums.nbytes == 50_000 * SUMS.itemsize < 10e6


def test_samples_without_an_epoch_have_no_figures():
    found = SampleDynamics.of(2)
    assert np.isnan(found.margin).all()
    assert np.isnan(found.confidence).all()
    assert not (found.learned | found.forgotten | found.never_learned | found.doubtful).any()
    assert found.proposed.tolist() == [-1, -1]
    assert blank_sums(2).tobytes() == found.sums.tobytes()


@given(arrays.arrays(np.float64, st.integers(0, 9), elements=st.floats(-3, 3) | st.just(np.nan)))
def test_the_most_doubtful_come_first_and_those_without_a_margin_last(margin):
    order = most_doubtful(margin)
    assert sorted(order.tolist()) == list(range(len(margin)))
    known = margin[order][: np.isfinite(margin).sum()]
    assert (np.diff(known) >= 0).all()
    assert np.isfinite(known).all()


def test_doubt_is_the_mean_of_two_ranks():
    margin = np.array([3.0, -1.0, 0.5, np.nan, -2.0])
    np.testing.assert_array_equal(doubt(margin), [1, 3, 2, np.nan, 4])
    disagreement = np.array([0.0, 0.9, 0.9, 0.1, 0.2])  # ranks among those with a margin: 1, 3.5, 3.5, 2
    np.testing.assert_array_equal(doubt(margin, disagreement), [1, 4, 2, np.nan, 3])  # of the sums 2, 6.5, 5.5, 6
    assert most_doubtful(margin, disagreement).tolist() == [1, 4, 2, 0, 3]
    equal = np.array([0, 0.2, 0, np.nan, 0.1])
    np.testing.assert_array_equal(doubt(margin, equal), [1, 3.5, 2, np.nan, 3.5])
    assert np.isnan(doubt(np.full(2, np.nan), np.ones(2))).all()


def test_rows_whose_neighbours_are_known_keep_the_places_that_they_have_together():
    """Else ties of the disagreement would put all of them behind the others, as more doubtful ones."""
    draws = np.random.default_rng(2)
    margin, disagreement = draws.normal(size=1000), np.full(1000, np.nan)
    compared = draws.permutation(1000)[:500]
    disagreement[compared] = (margin[compared] < 0).astype(float)  # two values alone
    ranks, alone = doubt(margin, disagreement), doubt(margin)
    np.testing.assert_allclose(np.sort(ranks[compared]), np.sort(alone[compared]))
    others = np.setdiff1d(np.arange(1000), compared)
    np.testing.assert_array_equal(ranks[others], alone[others])
    assert 0.4 < np.isin(most_doubtful(margin, disagreement)[:100], compared).mean() < 0.6


def test_an_excluded_class_is_a_logit_like_others_and_only_that_of_the_label_is_no_answer():
    logits = [[1.0, -np.inf, 0.5], [-np.inf, 1, 0], [np.inf, 1, 0], [np.nan, 1, 0], [1.0, -np.inf, -np.inf], [1, 0, 2]]
    found = class_scores(logits, [0, 0, 0, 1, 0, -1])
    np.testing.assert_array_equal(found.margin, [0.5, *[np.nan] * 5])
    assert found.right.tolist() == [True, *[False] * 5]
    assert found.probability[0] == pytest.approx(softmax([1, 0.5])[0])
    assert found.rival[0] == 2


def test_many_classes_are_compared_block_by_block(monkeypatch):
    draws = np.random.default_rng(3)
    logits, labels = draws.normal(size=(50, 7)), draws.integers(0, 7, 50)
    whole = class_scores(logits, labels)
    monkeypatch.setattr("kerasviz_callbacks.maths.sample_scores._BLOCK_VALUES", 20)  # two rows
    parts = class_scores(logits, labels)
    for name in ("probability", "right", "margin", "rival"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(parts, name))
    assert len(class_scores(np.zeros((0, 3)), []).margin) == 0


def test_a_sample_that_was_not_counted_up_to_the_best_epoch_has_no_margin():
    found = SampleDynamics.of(2)
    found.add(label_scores([np.nan, 1.0], [1, 1]), 0, 0.5)
    found.add(label_scores([-3.0, 2.0], [1, 1]), 1, 0.9)
    np.testing.assert_array_equal(found.margin, [np.nan, 1])
    np.testing.assert_array_equal(found.margin_to_the_end, [-3, 1.5])
    assert not found.doubtful.any()


def test_neighbours_are_those_of_scikit_learn():
    draws = np.random.default_rng(1)
    features, labels = draws.normal(size=(200, 6)), draws.integers(0, 3, 200)
    nearest = NearestNeighbors(n_neighbors=11).fit(features).kneighbors(features, return_distance=False)[:, 1:]
    np.testing.assert_allclose(knn_agreement(features, labels, 10), (labels[nearest] == labels[:, None]).mean(axis=1))
    assert np.isnan(knn_agreement(np.full((3, 2), np.nan), [0, 1, 0], 1)).all()
    assert np.isnan(knn_agreement([[1.0]], [0])).all()
