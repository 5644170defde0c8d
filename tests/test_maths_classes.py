"""How features lie by class: by hand, by scikit-learn, and what must always hold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import balanced_accuracy_score, silhouette_score
from sklearn.neighbors import NearestNeighbors

from kerasviz_callbacks.maths import classes
from kerasviz_callbacks.maths.classes import knn_accuracy, silhouette, within_to_between

METRICS = (knn_accuracy, silhouette, within_to_between)


def clouds(n=120, d=6, kinds=4, apart=1.0, seed=0):
    """Features of overlapping classes, and their labels."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, kinds, n)
    centres = generator.standard_normal((kinds, d)) * apart
    return centres[labels] + generator.standard_normal((n, d)), labels


def plain_knn(features, labels, k):
    """The definition, in whole numbers or nearly so."""
    distances = ((features[:, None] - features[None]) ** 2).sum(axis=2)
    np.fill_diagonal(distances, np.inf)
    near = np.argsort(distances, axis=1, kind="stable")[:, :k]
    share = np.mean(labels[near] == labels[:, None], axis=1)
    return np.mean([share[labels == label].mean() for label in np.unique(labels)])


class TestNeighbours:
    def test_worked_by_hand(self):
        features = np.array([[0.0], [1], [2], [10], [11]])
        labels = np.array([0, 0, 1, 1, 1])
        # k = 1; 1 is as far from 0 as from 2: the lower row wins
        assert knn_accuracy(features, labels, k=1) == pytest.approx(((1 + 1) / 2 + (0 + 1 + 1) / 3) / 2)
        # k = 2: (0,1) (0,1) (0,0) (1,1) (1,1)
        assert knn_accuracy(features, labels, k=2) == pytest.approx(((1 + 1) / 4 + (0 + 2 + 2) / 6) / 2)

    @pytest.mark.parametrize(("n", "d", "k"), [(200, 3, 5), (300, 64, 5), (60, 700, 7)])
    def test_it_agrees_with_scikit_learn(self, n, d, k):
        generator = np.random.default_rng(0)
        labels = generator.integers(0, 4, n)
        features = generator.standard_normal((n, d)).astype(np.float32) + labels[:, None] * 0.5 + 1000
        near = NearestNeighbors(n_neighbors=k).fit(features.astype(np.float64)).kneighbors()[1]
        share = np.mean(labels[near] == labels[:, None], axis=1)
        expected = np.mean([share[labels == label].mean() for label in range(4)])
        assert knn_accuracy(features, labels, k) == pytest.approx(expected, abs=1e-12)

    def test_of_a_rare_class_it_is_scikit_learns_balanced_accuracy(self):
        """With k = 1, a row is right if its neighbour's label is its own: the mean over classes of the recall."""
        features, labels = clouds(400, kinds=2)
        labels = labels * (np.arange(400) % 20 == 0)
        predicted = labels[NearestNeighbors(n_neighbors=1).fit(features).kneighbors()[1][:, 0]]
        found = knn_accuracy(features, labels, k=1)
        assert found == pytest.approx(balanced_accuracy_score(labels, predicted), abs=1e-12)
        assert found < 0.7 < np.mean(labels == predicted)

    def test_unrelated_features_give_one_over_the_classes_however_rare_one_is(self):
        generator, labels = np.random.default_rng(0), np.arange(2000) % 40 == 0
        assert knn_accuracy(generator.standard_normal((2000, 3)), labels) == pytest.approx(0.5, abs=0.02)

    @given(
        hnp.arrays(np.int64, st.tuples(st.integers(2, 12), st.integers(1, 3)), elements=st.integers(0, 2)),
        st.integers(1, 14),
        st.data(),
    )
    def test_equal_distances_go_to_the_lower_row(self, grid, k, data):
        labels = data.draw(hnp.arrays(np.int64, len(grid), elements=st.integers(0, 2)))
        expected = plain_knn(grid.astype(float), labels, min(k, len(grid) - 1))
        assert knn_accuracy(grid * 0.5 + 0.125, labels, k) == pytest.approx(expected)

    def test_where_all_features_are_the_same_the_row_number_decides(self):
        labels = np.repeat([0, 1], 250)
        features = np.full((500, 40), 0.1, np.float32)
        assert knn_accuracy(features, labels, k=5) == 0.5  # everybody's neighbours are the first rows

    def test_equal_rows_far_from_zero_stay_equal(self):
        features = np.repeat(np.random.default_rng(0).standard_normal((7, 33)) + 1e3, 30, axis=0)
        labels = np.random.default_rng(1).integers(0, 3, len(features))
        assert knn_accuracy(features, labels) == pytest.approx(plain_knn(features, labels, 5))

    def test_blocks_make_no_difference(self, monkeypatch):
        features = np.random.default_rng(0).standard_normal((90, 4))
        labels = np.arange(90) % 3
        whole = knn_accuracy(features, labels)
        monkeypatch.setattr(classes, "_BLOCK_VALUES", 7 * 90)
        assert knn_accuracy(features, labels) == whole

    def test_too_few_rows_are_nan_and_fewer_than_k_ask_all(self):
        assert np.isnan(knn_accuracy(np.zeros((1, 2)), [0]))
        assert np.isnan(knn_accuracy(np.zeros((0, 2)), []))
        assert knn_accuracy(np.zeros((3, 2)), [0, 0, 1], k=5) == pytest.approx((1 / 2 + 0) / 2)

    def test_wrong_arguments_are_named(self):
        with pytest.raises(ValueError, match=r"labels: must be one per row, \(3,\), got \(2,\)"):
            knn_accuracy(np.zeros((3, 2)), [0, 1])
        with pytest.raises(ValueError, match="k: must be at least 1, got 0"):
            knn_accuracy(np.zeros((3, 2)), [0, 1, 2], k=0)


class TestSilhouette:
    def test_worked_by_hand(self):
        # on a line: class 0 at 0 and 2, class 1 at 6 and 10
        features, labels = np.array([[0.0], [2], [6], [10]]), [0, 0, 1, 1]
        rows = [(8 - 2) / 8, (6 - 2) / 6, (5 - 4) / 5, (9 - 4) / 9]
        assert silhouette(features, labels) == pytest.approx(np.mean(rows), abs=1e-14)

    def test_a_row_alone_in_its_class_counts_as_nothing(self):
        features, labels = np.array([[0.0], [2], [10]]), [0, 0, 1]
        assert silhouette(features, labels) == pytest.approx(((10 - 2) / 10 + (8 - 2) / 8 + 0) / 3)

    @pytest.mark.parametrize(("n", "d", "kinds"), [(40, 2, 2), (300, 48, 10), (90, 500, 7)])
    @pytest.mark.parametrize("away", [0.0, 1000.0])
    def test_it_agrees_with_scikit_learn(self, n, d, kinds, away):
        features, labels = clouds(n, d, kinds)
        assert silhouette(features + away, labels) == pytest.approx(silhouette_score(features, labels), abs=1e-9)

    def test_classes_far_apart_and_tight_are_one_and_swapped_labels_below_zero(self):
        features, labels = clouds(apart=1e4)
        assert silhouette(features, labels) > 0.999
        assert silhouette(features, np.roll(labels, 1)) < 0


class TestWithinToBetween:
    def test_worked_by_hand(self):
        # means 1 and 8, of all 4.5; within 1 + 1 + 4 + 4, between 2 * 3.5^2 twice
        features, labels = np.array([[0.0], [2], [6], [10]]), [0, 0, 1, 1]
        assert within_to_between(features, labels) == pytest.approx(10 / (4 * 3.5**2), abs=1e-14)

    def test_it_is_the_sum_as_it_is_written(self):
        features, labels = clouds()
        centre = features.mean(axis=0)
        means = {label: features[labels == label].mean(axis=0) for label in np.unique(labels)}
        within = sum(np.sum((row - means[label]) ** 2) for row, label in zip(features, labels, strict=True))
        between = sum(np.sum(labels == label) * np.sum((mean - centre) ** 2) for label, mean in means.items())
        assert within_to_between(features, labels) == pytest.approx(within / between, rel=1e-12)

    def test_it_splits_the_whole_variance(self):
        """Within and between add up to the whole: the metric follows from scikit-learn's share explained by classes."""
        from sklearn.linear_model import LinearRegression

        features, labels = clouds()
        one_hot = np.eye(4)[labels]
        explained = LinearRegression().fit(one_hot, features).predict(one_hot)
        rest = np.sum((features - explained) ** 2) / np.sum((explained - features.mean(axis=0)) ** 2)
        assert within_to_between(features, labels) == pytest.approx(rest, rel=1e-9)

    def test_one_point_a_class_is_zero_and_one_point_for_all_is_nan(self):
        labels = np.arange(30) % 3
        assert within_to_between(np.eye(3)[labels], labels) == pytest.approx(0, abs=1e-30)
        assert np.isnan(within_to_between(np.full((30, 3), 0.1), labels))
        assert np.isnan(within_to_between(np.random.default_rng(0).standard_normal((30, 3)), np.zeros(30)))


@given(
    hnp.arrays(np.float64, st.tuples(st.integers(2, 9), st.integers(1, 4)), elements=st.integers(-4, 4)),
    st.data(),
)
def test_ranges_hold_and_neither_place_unit_nor_order_count(features, data):
    labels = data.draw(hnp.arrays(np.int64, len(features), elements=st.integers(0, 2)))
    order = data.draw(st.permutations(range(len(features))))
    for metric, low, high in ((silhouette, -1, 1), (within_to_between, 0, np.inf)):
        value = metric(features, labels)
        assert np.isnan(value) or low <= value <= high
        for other in (metric(features * 4 + 3, labels), metric(features[order], labels[order])):
            np.testing.assert_allclose(other, value, atol=1e-7, rtol=1e-9)


@pytest.mark.parametrize("metric", METRICS)
def test_what_is_not_finite_is_nan_and_so_is_nothing(metric):
    features, labels = clouds()
    for bad in (np.nan, np.inf):
        spoilt = features.copy()
        spoilt[3, 1] = bad
        assert np.isnan(metric(spoilt, labels))
    assert np.isnan(metric(np.zeros((0, 3)), []))
    assert np.isnan(metric(np.zeros((4, 0)), np.zeros(4)))


@pytest.mark.parametrize("metric", [silhouette, within_to_between])
def test_one_class_alone_has_no_metric_and_neither_have_as_many_classes_as_rows(metric):
    assert np.isnan(metric(clouds()[0], np.zeros(120)))
    assert np.isnan(metric(clouds()[0], np.arange(120)))


@pytest.mark.parametrize("metric", [silhouette, within_to_between])
def test_blocks_make_no_difference(metric, monkeypatch):
    features, labels = clouds(90)
    whole = metric(features, labels)
    monkeypatch.setattr(classes, "_BLOCK_VALUES", 7 * 90)
    assert metric(features, labels) == pytest.approx(whole, abs=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_wrong_shapes_are_named(metric):
    with pytest.raises(ValueError, match=r"features: must be \(n, d\), got \(3, 2, 2\); flatten"):
        metric(np.zeros((3, 2, 2)), [0, 1, 2])
    with pytest.raises(ValueError, match=r"labels: must be one per row, \(3,\), got \(2,\)"):
        metric(np.zeros((3, 2)), [0, 1])
