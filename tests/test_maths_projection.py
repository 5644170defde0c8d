"""The held plane: kept while it shows enough, fitted as scikit-learn would, turned as little as can be."""

import pickle
from collections import deque

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.linalg import orthogonal_procrustes
from sklearn.decomposition import PCA

from kerasviz_callbacks.maths import singular
from kerasviz_callbacks.maths.projection import Plane, hold_plane, project, shares


def cloud(n, d, seed=0, decay=1.0):
    """Random codes with a clear order of axes, in a random frame."""
    generator = np.random.default_rng(seed)
    frame = np.linalg.qr(generator.standard_normal((d, d)))[0]
    return (generator.standard_normal((n, d)) * np.arange(1, d + 1) ** -decay) @ frame + generator.standard_normal(d)


def walk(codes_of_steps):
    """Hold a plane along a training, as a view does."""
    plane, planes = None, []
    for step in range(len(codes_of_steps)):
        plane, fitted = hold_plane(plane, codes_of_steps[max(step - 4, 0) : step + 1], step)
        planes.append((plane, fitted))
    return planes


def training(steps=30, n=60, d=6, seed=0):
    """Codes that turn, grow and then collapse."""
    generator = np.random.default_rng(seed)
    codes = [generator.standard_normal((n, d)) * np.linspace(2, 1, d)]
    for step in range(1, steps):
        moved = codes[-1] + 0.25 * generator.standard_normal((n, d)) * np.roll(np.linspace(2, 0, d), step // 5)
        codes.append(moved * (0.4 if step > steps - 6 else 1.0))
    return codes


def condition_holds(basis, codes):
    covariance = np.cov(codes.T, bias=True)
    shown = np.trace(basis.T @ covariance @ basis)
    return shown >= 0.9 * np.linalg.eigvalsh(covariance)[-2:].sum() * (1 - 1e-9)


def same_plane(one, other):
    return np.allclose(one @ one.T, other @ other.T, atol=1e-6)


class TestFirstFit:
    @pytest.mark.parametrize(("n", "d"), [(100, 5), (20, 60), (300, 280)])
    def test_it_is_the_pca_of_scikit_learn_with_the_largest_entry_positive(self, n, d):
        codes = cloud(n, d)
        plane, fitted = hold_plane(None, [codes], step=3)
        axes = PCA(n_components=2, svd_solver="full").fit(codes).components_
        axes *= np.sign(axes[[0, 1], np.abs(axes).argmax(axis=1)])[:, None]
        assert fitted
        assert plane.fitted_at == 3
        np.testing.assert_allclose(plane.basis, axes.T, atol=1e-5)
        np.testing.assert_allclose(plane.basis.T @ plane.basis, np.eye(2), atol=1e-12)

    def test_worked_by_hand(self):
        codes = [[5, 1, -3], [5, 1, 3], [7, 1, 0], [3, 1, 0]]  # variances 2, 0, 4.5
        plane, _ = hold_plane(None, [codes], step=0)
        np.testing.assert_allclose(plane.basis, [[0, 1], [0, 0], [1, 0]], atol=1e-12)
        assert plane.largest_spread == pytest.approx(np.sqrt(6.5))
        np.testing.assert_allclose(project(codes, plane.basis), [[-3, 0], [3, 0], [0, 2], [0, -2]], atol=1e-12)

    @pytest.mark.parametrize(("n", "d"), [(1, 4), (2, 4), (2, 900), (300, 4), (300, 900)])
    def test_codes_on_a_point_or_a_line_still_get_a_plane(self, n, d):
        line = np.linspace(0, 1, n)[:, None] * np.arange(1, d + 1)
        for codes in (line, np.full((n, d), 0.1)):
            plane, _ = hold_plane(None, [codes], step=0)
            np.testing.assert_allclose(plane.basis.T @ plane.basis, np.eye(2), atol=1e-12)
            assert shares(codes, None, plane.basis)[0] == pytest.approx(1) or np.ptp(codes, axis=0).max() == 0

    def test_few_dimensions_in_a_wide_space_leave_no_ghosts(self):
        codes = cloud(500, 3) @ np.random.default_rng(1).standard_normal((3, 700))
        plane, _ = hold_plane(None, [codes], step=0)
        values = np.linalg.svd(codes - codes.mean(axis=0), compute_uv=False) ** 2
        shown = np.sum(project(codes, plane.basis) ** 2)
        np.testing.assert_allclose(plane.basis.T @ plane.basis, np.eye(2), atol=1e-12)
        assert shown == pytest.approx(values[:2].sum(), rel=1e-9)

    def test_a_sphere_in_a_wide_space_is_shown_as_well_as_can_be(self):
        codes = np.random.default_rng(0).standard_normal((600, 600))
        plane, _ = hold_plane(None, [codes], step=0)
        values = np.linalg.svd(codes - codes.mean(axis=0), compute_uv=False) ** 2
        assert np.sum(project(codes, plane.basis) ** 2) == pytest.approx(values[:2].sum(), rel=1e-9)


class TestHolding:
    def test_small_turns_keep_the_axes_to_the_byte(self):
        codes = cloud(100, 5)
        plane, _ = hold_plane(None, [codes], step=0)
        moved = codes + 0.02 * np.random.default_rng(1).standard_normal(codes.shape)
        kept, fitted = hold_plane(plane, [codes, moved], step=1)
        assert not fitted
        assert kept.fitted_at == 0
        assert kept.basis.tobytes() == plane.basis.tobytes()

    def test_a_new_plane_lies_where_the_pooled_steps_do_and_is_turned_onto_the_old_axes(self):
        first, second = cloud(100, 5, seed=0), cloud(100, 5, seed=1) * 10
        plane, _ = hold_plane(None, [first], step=0)
        turned, fitted = hold_plane(plane, [first, second], step=1)
        assert fitted
        assert turned.fitted_at == 1
        scaled = [c - c.mean(axis=0) for c in (first, second)]
        pooled = np.concatenate([c / np.sqrt(np.mean(np.sum(c**2, axis=1))) for c in scaled])
        axes = PCA(n_components=2, svd_solver="full").fit(pooled).components_.T
        assert same_plane(turned.basis, axes)
        np.testing.assert_allclose(turned.basis, axes @ orthogonal_procrustes(axes, plane.basis)[0], atol=1e-9)

    def test_only_the_last_five_steps_count(self):
        steps = [cloud(50, 4, seed) for seed in range(7)]
        plane = Plane(np.eye(4)[:, 2:], 0, 1.0)
        found = hold_plane(plane, steps, step=7)[0]
        assert found.basis.tobytes() == hold_plane(plane, steps[-5:], step=7)[0].basis.tobytes()
        assert found.basis.tobytes() == hold_plane(plane, deque(steps, maxlen=5), step=7)[0].basis.tobytes()

    def test_a_collapsed_cloud_keeps_its_axes_until_it_grows_again(self):
        first, other = cloud(100, 5, seed=0), cloud(100, 5, seed=1)
        plane, _ = hold_plane(None, [first], step=0)
        assert not condition_holds(plane.basis, other)
        tiny = other * (0.04 * plane.largest_spread / np.sqrt(other.var(axis=0).sum()))
        kept, fitted = hold_plane(plane, [first, tiny], step=1)
        assert not fitted
        assert kept.largest_spread == plane.largest_spread
        assert hold_plane(kept, [first, tiny, tiny * 2], step=2)[1]

    def test_the_largest_spread_is_remembered(self):
        codes = cloud(100, 5)
        plane, _ = hold_plane(None, [codes], step=0)
        wide, _ = hold_plane(plane, [codes, codes * 7], step=1)
        assert wide.largest_spread == pytest.approx(7 * plane.largest_spread)

    def test_a_start_without_spread_does_not_hold_its_axes(self):
        flat, codes = np.full((50, 4), 0.1), cloud(50, 4)
        plane, _ = hold_plane(None, [flat], step=0)
        assert hold_plane(plane, [flat, flat], step=1)[1] is False
        found, fitted = hold_plane(plane, [flat, codes], step=1)
        assert fitted
        np.testing.assert_allclose(found.basis, hold_plane(None, [codes], step=1)[0].basis, atol=1e-9)

    @given(st.integers(0, 50), st.integers(3, 8))
    def test_at_every_step_it_holds_or_was_fitted_or_the_spread_is_under_the_floor(self, seed, width):
        codes = training(seed=seed, d=width, steps=14, n=20)
        before = None
        for (plane, fitted), now in zip(walk(codes), codes, strict=True):
            spread = np.sqrt(np.sum(now.var(axis=0)))
            assert fitted or condition_holds(plane.basis, now) or spread < 0.05 * plane.largest_spread
            assert fitted == (before is None or plane.basis.tobytes() != before.tobytes())
            before = plane.basis
            np.testing.assert_allclose(before.T @ before, np.eye(2), atol=1e-12)

    def test_a_training_both_holds_and_fits(self):
        fitted = [fitted for _, fitted in walk(training())]
        assert 1 < sum(fitted) < len(fitted) / 2

    @pytest.mark.parametrize("width", [6, 300])
    def test_two_runs_give_the_same_bytes(self, width):
        codes = training(steps=6, n=80, d=width)
        one, two = walk(codes), walk([np.array(c, order="F") for c in codes])
        assert [p.basis.tobytes() for p, _ in one] == [p.basis.tobytes() for p, _ in walk(codes)]
        np.testing.assert_allclose([p.basis for p, _ in one], [p.basis for p, _ in two], atol=1e-6)

    def test_the_iterative_decomposition_agrees_with_the_full_one(self, monkeypatch):
        codes = training(steps=12, n=90, d=120)
        iterative = walk(codes)
        monkeypatch.setattr(singular, "_FULL_SVD_RANK", 1000)
        for (one, fitted), (two, fitted_too) in zip(iterative, walk(codes), strict=True):
            assert fitted == fitted_too
            np.testing.assert_allclose(one.basis, two.basis, atol=1e-9)

    def test_two_variables_are_their_own_axes_for_ever(self):
        codes = [cloud(30, 2, seed) for seed in range(5)]
        planes = walk(codes)
        assert [fitted for _, fitted in planes] == [True, False, False, False, False]
        assert all(plane.basis.tolist() == [[1, 0], [0, 1]] for plane, _ in planes)

    def test_a_plane_can_be_pickled(self):
        plane, _ = hold_plane(None, [cloud(30, 3)], step=2)
        again = pickle.loads(pickle.dumps(plane))
        assert again.basis.tobytes() == plane.basis.tobytes()
        assert (again.fitted_at, again.largest_spread) == (plane.fitted_at, plane.largest_spread)


class TestShares:
    def test_worked_by_hand(self):
        basis = np.eye(3)[:, :2]
        before = np.zeros((2, 3))
        codes = [[1, 2, 3], [-1, -2, -3]]
        assert shares(codes, before, basis) == pytest.approx((5 / 14, 5 / 14))
        assert shares(codes, codes, basis)[0] == pytest.approx(5 / 14)
        assert np.isnan(shares(codes, codes, basis)[1])
        assert np.isnan(shares(before, None, basis)).all()

    @given(hnp.arrays(np.float64, (2, 6, 4), elements=st.floats(-10, 10, width=32)))
    def test_they_are_shares_and_the_variance_is_that_of_scikit_learn(self, pair):
        now, before = pair
        basis = hold_plane(None, [now], step=0)[0].basis
        for share in shares(now, before, basis):
            assert np.isnan(share) or 0 <= share <= 1
        if np.ptp(now, axis=0).max() > 1e-3:
            ratio = PCA(n_components=2, svd_solver="full").fit(now).explained_variance_ratio_.sum()
            assert shares(now, before, basis)[0] == pytest.approx(ratio)


class TestErrors:
    def test_one_variable_is_no_plane(self):
        with pytest.raises(ValueError, match="at least 2 variables to span a plane, got 1"):
            hold_plane(None, [np.zeros((5, 1))], step=0)

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_codes_that_are_not_finite_are_refused(self, bad):
        codes = np.zeros((5, 3))
        codes[2, 1] = bad
        with pytest.raises(ValueError, match="codes: must be finite, 1 of 15 are not; leave this step out"):
            hold_plane(None, [codes], step=0)
        with pytest.raises(ValueError, match="codes: must be finite"):
            project(codes, np.eye(3)[:, :2])

    def test_shapes_that_do_not_fit_are_named(self):
        plane = Plane(np.eye(4)[:, :2], 0, 1.0)
        with pytest.raises(ValueError, match="plane: was fitted to 4 variables, the newest codes have 3"):
            hold_plane(plane, [cloud(9, 3)], step=1)
        with pytest.raises(ValueError, match=r"recent: every step must be \(9, 3\) as the newest, got \(8, 3\)"):
            hold_plane(None, [cloud(8, 3), cloud(9, 3)], step=1)
        with pytest.raises(ValueError, match=r"codes: must be \(n >= 1, d\), got \(0, 3\)"):
            hold_plane(None, [np.zeros((0, 3))], step=1)
        with pytest.raises(ValueError, match="recent: must hold the codes of at least the newest step"):
            hold_plane(None, [], step=1)
