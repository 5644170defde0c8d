"""The strongest direction of a matrix, against the whole decomposition and by what it must be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kerasviz_callbacks.maths.singular import first_component, right_singular_vectors


def matrices(elements):
    shapes = hnp.array_shapes(min_dims=2, max_dims=2, max_side=12)
    return hnp.arrays(np.float64, shapes, elements=elements)


def _made(singular, rows, columns):
    """A matrix of these singular values, in directions drawn at random; the first right one."""
    generator = np.random.default_rng(3)
    left = np.linalg.qr(generator.standard_normal((rows, len(singular))))[0]
    right = np.linalg.qr(generator.standard_normal((columns, len(singular))))[0]
    return left * singular @ right.T, right[:, 0]


@pytest.mark.parametrize("shape", [(1, 4), (4, 1), (1, 1), (3, 3), (9, 5), (5, 9), (64, 200), (200, 64), (150, 150)])
@pytest.mark.parametrize("rectified", [True, False])
def test_it_is_that_of_the_whole_decomposition(shape, rectified):
    matrix = np.random.default_rng(1).standard_normal(shape)
    matrix = np.abs(matrix) if rectified else matrix
    expected = np.linalg.svd(matrix)[2][0]
    found = right_singular_vectors(matrix, 1)[:, 0]
    np.testing.assert_allclose(found * np.sign(found @ expected), expected, atol=1e-10)


@pytest.mark.parametrize(("rows", "columns"), [(300, 200), (200, 300)])
@pytest.mark.parametrize(
    "singular",
    [
        [5.0, 1.0, 1e-3],
        [1.0, 1 - 1e-4, 0.9],
        np.logspace(0, -12, 60),
        np.linspace(1, 0.99, 100),
    ],
    ids=["few", "close", "falling", "crowded"],
)
def test_a_few_close_and_crowded_singular_values(rows, columns, singular):
    matrix, expected = _made(np.array(singular), rows, columns)
    found = right_singular_vectors(matrix, 1)[:, 0]
    np.testing.assert_allclose(found * np.sign(found @ expected), expected, atol=1e-8)


@pytest.mark.parametrize("shape", [(1, 4), (4, 1), (5, 9), (33, 33), (64, 200), (200, 64)])
@pytest.mark.parametrize("count", [2, 3])
def test_several_are_those_of_the_whole_decomposition_in_its_order(shape, count):
    matrix = np.random.default_rng(1).standard_normal(shape)
    expected = np.linalg.svd(matrix, full_matrices=False)[2][:count].T
    found = right_singular_vectors(matrix, count)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found * np.sign(np.sum(found * expected, axis=0)), expected, atol=1e-9)


def test_a_zero_matrix_and_one_of_lower_rank_than_asked_give_orthonormal_vectors():
    for matrix in (np.zeros((50, 60)), np.outer(np.arange(50.0), np.ones(60))):
        found = right_singular_vectors(matrix, 2)
        np.testing.assert_allclose(found.T @ found, np.eye(2), atol=1e-12)
        assert found.tobytes() == right_singular_vectors(matrix, 2).tobytes()


def test_a_direction_at_right_angles_to_the_mean_and_to_the_longest_row_is_found():
    matrix = np.zeros((9, 2))
    matrix[:8, 0] = np.tile([1.0, -1.0], 4)  # of strength sqrt 8, mean 0
    matrix[8, 1] = 2  # longest row, and the only one with a mean
    np.testing.assert_allclose(np.abs(right_singular_vectors(matrix, 1)[:, 0]), [1, 0], atol=1e-12)


def test_of_two_equal_ones_it_takes_one_of_their_plane_and_always_the_same():
    matrix = np.diag([3.0, 3.0, 1.0])
    found = right_singular_vectors(matrix, 1)[:, 0]
    assert found[2] == pytest.approx(0, abs=1e-12)
    assert np.linalg.norm(found) == pytest.approx(1)
    assert found.tobytes() == right_singular_vectors(matrix.copy(), 1)[:, 0].tobytes()


@given(matrices(st.integers(-3, 3).map(float)))
def test_no_direction_is_stronger(matrix):
    """Small whole numbers make ranks that are short and values that are equal, where the direction is not unique."""
    if matrix.any():
        found = right_singular_vectors(matrix, 1)[:, 0]
        assert np.linalg.norm(found) == pytest.approx(1)
        assert np.linalg.norm(matrix @ found) == pytest.approx(np.linalg.norm(matrix, 2), rel=1e-10)


@given(matrices(st.floats(-(2.0**127), 2.0**127, width=32)))
def test_a_component_has_that_strength_in_any_unit_and_a_sum_of_0_or_more(matrix):
    line = first_component(matrix)
    largest = np.abs(matrix).max()
    if largest == 0:
        assert not line.any()
    else:
        strongest = np.linalg.norm(matrix / largest, 2)
        assert np.linalg.norm(line / largest) == pytest.approx(strongest, rel=1e-10)
        assert line.sum() >= -1e-11 * np.abs(line).sum()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_of_what_is_not_finite_it_is_nan(bad):
    matrix = np.ones((3, 2))
    matrix[1, 1] = bad
    assert np.isnan(first_component(matrix)).all()


def test_a_component_worked_by_hand():
    np.testing.assert_allclose(first_component(np.array([[3.0, 4.0], [-6.0, -8.0]])), [-5, 10], atol=1e-12)
    np.testing.assert_allclose(first_component(np.array([[-3.0, -4.0], [3.0, 4.0]])), [5, -5], atol=1e-12)
