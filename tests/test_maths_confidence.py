"""How sure a model is beside how often it is right: by hand, by scikit-learn, and what must always hold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import softmax as scipy_softmax
from sklearn.metrics import accuracy_score

from kerasviz_callbacks import Probe
from kerasviz_callbacks.maths.confidence import multiclass_scores, multilabel_scores, overconfidence, sigmoid, softmax

logits = hnp.arrays(np.float64, st.tuples(st.integers(1, 8), st.integers(2, 5)), elements=st.floats(-30, 30))


def test_classes_worked_by_hand():
    answer_scores = multiclass_scores(
        [[0.7, 0.2, 0.1], [0.5, 0.3, 0.2], [0.1, 0.1, 0.8], [0.6, 0.4, 0.0]], [0, 1, 2, 1]
    )
    assert answer_scores.predicted.tolist() == [0, 0, 2, 0]
    assert answer_scores.right.tolist() == [True, False, True, False]
    assert answer_scores.true.tolist() == [0.7, 0.3, 0.8, 0.4]
    assert answer_scores.wrong_rows.tolist() == [False, True, False, True]
    assert overconfidence(answer_scores) == pytest.approx((0.7 + 0.5 + 0.8 + 0.6) / 4 - 0.5)


def test_labels_worked_by_hand():
    answer_scores = multilabel_scores([[0.9, 0.2], [0.4, 0.5]], [[1, 1], [0, 1]])
    assert answer_scores.confidence == pytest.approx([0.9, 0.8, 0.6, 0.5])
    assert answer_scores.right.tolist() == [True, False, True, True]
    assert answer_scores.true == pytest.approx([(0.9 + 0.2) / 2, (0.6 + 0.5) / 2])
    assert answer_scores.wrong_rows.tolist() == [True, False]
    assert answer_scores.predicted is None
    assert overconfidence(answer_scores) == pytest.approx(0.7 - 0.75)


def test_sure_and_wrong_is_one_and_unsure_and_right_is_below_zero():
    assert overconfidence(multiclass_scores(np.eye(3), [1, 2, 0])) == 1
    assert overconfidence(multiclass_scores([[0.4, 0.3, 0.3]], [0])) == pytest.approx(-0.6)


@given(logits, st.data())
def test_it_agrees_with_scikit_learn_and_stays_in_its_range(values, data):
    labels = data.draw(hnp.arrays(np.int64, len(values), elements=st.integers(0, values.shape[1] - 1)))
    shares = scipy_softmax(values, axis=1)
    expected = shares.max(axis=1).mean() - accuracy_score(labels, shares.argmax(axis=1))
    found = overconfidence(multiclass_scores(shares, labels))
    assert found == pytest.approx(expected, abs=1e-12)
    assert -1 <= found <= 1


def test_a_model_that_is_as_sure_as_it_should_be_is_at_zero():
    generator = np.random.default_rng(0)
    shares = generator.dirichlet(np.ones(4), 40_000)
    labels = (shares.cumsum(axis=1) > generator.random((len(shares), 1))).argmax(axis=1)  # true as often as it says
    assert overconfidence(multiclass_scores(shares, labels)) == pytest.approx(0, abs=0.01)


def test_a_calibrated_model_is_at_zero_on_a_balanced_choice_only_if_its_rows_are_weighted_back():
    """Of 40,000 rows 5 % are positive, not all of them to be told; half the chosen ones are."""
    generator = np.random.default_rng(0)
    positive = generator.beta(0.25, 4.75, 40_000)
    shares, labels = np.stack([1 - positive, positive], axis=1), (generator.random(40_000) < positive).astype(int)
    assert overconfidence(multiclass_scores(shares, labels)) == pytest.approx(0, abs=0.005)
    probe = Probe(shares, labels, count=3000)
    assert np.bincount(probe.labels).tolist() == [1500, 1500]
    chosen = multiclass_scores(probe.images, probe.labels)
    assert overconfidence(chosen) > 0.2
    assert overconfidence(chosen, probe.row_weights) == pytest.approx(0, abs=0.01)


def test_weights_count_rows_as_often_as_they_say():
    answers = [[0.7, 0.3], [0.8, 0.2], [0.4, 0.6]]
    found = overconfidence(multiclass_scores(answers, [0, 1, 1]), [1, 2, 3])
    assert found == pytest.approx((1 * 0.7 + 2 * 0.8 + 3 * 0.6) / 6 - 4 / 6)
    several = multilabel_scores([[0.9, 0.2], [0.4, 0.5]], [[1, 1], [0, 1]])
    assert overconfidence(several, [3, 1]) == pytest.approx((3 * (0.85 - 0.5) + (0.55 - 1)) / 4)


@given(logits)
def test_probabilities_are_those_of_the_formulas(values):
    for dtype in (np.float64, np.float16):  # whatever the type, computed in float64
        given = values.astype(dtype).astype(np.float64)
        powers = np.exp(given)
        shares = softmax(values.astype(dtype))
        assert shares.dtype == np.float64
        np.testing.assert_allclose(shares, powers / powers.sum(axis=1, keepdims=True), rtol=1e-12)
        np.testing.assert_allclose(sigmoid(values.astype(dtype)), 1 / (1 + np.exp(-given)), rtol=1e-12)


def test_probabilities_of_huge_logits_do_not_overflow():
    assert softmax([[1e300, 0.0]]).tolist() == [[1.0, 0.0]]
    assert sigmoid([1e300, -1e300]).tolist() == [1.0, 0.0]


def test_what_is_not_finite_is_nan_and_wrong():
    answer_scores = multiclass_scores([[np.nan, np.nan], [0.2, 0.8]], [0, 1])
    assert answer_scores.right.tolist() == [False, True]
    assert np.isnan(overconfidence(answer_scores))
    assert np.isnan(overconfidence(multiclass_scores(np.zeros((0, 3)), [])))
    assert np.isnan(softmax([[np.nan, 0.0], [np.inf, 0.0]])).all()
    assert np.isnan(overconfidence(multilabel_scores([[np.nan, 0.5]], [[1, 0]])))


def test_an_answer_of_nan_is_never_right():
    several = multilabel_scores([[np.nan, 0.9], [0.1, np.nan]], [[0, 1], [0, 0]])
    assert several.right.tolist() == [False, True, True, False]
    assert several.wrong_rows.tolist() == [True, True]
    assert multiclass_scores([[np.nan, 0.9], [0.1, 0.9]], [0, 1]).right.tolist() == [False, True]
