import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kerasviz_callbacks.maths.matrices import block_extremes, block_of, edges, fold, largest, unfolded_index

SIDES = st.integers(1, 7)
FLOATS = st.floats(-(2.0**100), 2.0**100, width=32) | st.sampled_from([np.nan, np.inf, -np.inf])


def test_a_kernel_is_folded_by_hand():
    kernel = np.arange(2 * 3 * 2).reshape(2, 3, 2)  # two positions, three inputs, two units
    np.testing.assert_array_equal(fold(kernel, (0, 1), (2,)), [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9], [10, 11]])
    np.testing.assert_array_equal(fold(kernel, (0, 2), (1,)), [[0, 2, 4], [1, 3, 5], [6, 8, 10], [7, 9, 11]])
    np.testing.assert_array_equal(fold(kernel, (0,), (1, 2)), [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]])
    np.testing.assert_array_equal(fold(np.arange(3), (), (0,)), [[0, 1, 2]])
    np.testing.assert_array_equal(fold(np.arange(3), (0,), ()), [[0], [1], [2]])


@pytest.mark.parametrize(("inputs", "outputs"), [((0,), (1,)), ((0, 1, 1), (2,)), ((0, 1), (3,))])
def test_axes_that_are_not_the_kernels_are_an_error(inputs, outputs):
    with pytest.raises(ValueError, match=r"inputs=.* outputs=.*must be the 3 axes of the kernel, each once"):
        fold(np.zeros((2, 3, 4)), inputs, outputs)


@given(st.lists(SIDES, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_every_entry_is_found_again_in_the_kernel(shape, chance):
    kernel = np.arange(np.prod(shape)).reshape(shape)
    axes = list(range(len(shape)))
    chance.shuffle(axes)
    cut = chance.randint(0, len(axes))
    inputs, outputs = tuple(axes[:cut]), tuple(axes[cut:])
    matrix = fold(kernel, inputs, outputs)
    assert sorted(matrix.ravel()) == list(range(kernel.size))
    for row in range(matrix.shape[0]):
        for column in range(matrix.shape[1]):
            assert kernel[unfolded_index(kernel.shape, inputs, outputs, row, column)] == matrix[row, column]


def test_a_spike_survives_shrinking_with_its_sign():
    matrix = np.zeros((100, 60), np.float32)
    matrix[37, 41], matrix[99, 0], matrix[0, 59] = -3, 2, 1
    small = block_extremes(matrix, 10, 6)
    wanted = np.zeros((10, 6))
    wanted[3, 4], wanted[9, 0], wanted[0, 5] = -3, 2, 1
    np.testing.assert_array_equal(small, wanted)
    assert small.dtype == np.float32


def test_of_a_number_and_its_negative_the_positive_is_shown():
    assert block_extremes([[-2.0, 2.0]], 1, 1) == [[2.0]]


@given(arrays(np.float32, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=FLOATS), SIDES, SIDES)
@settings(deadline=None)
def test_each_cell_is_the_extreme_of_its_block_by_a_plain_loop(matrix, rows, columns):
    small = block_extremes(matrix, rows, columns)
    down, across = edges(matrix.shape[0], rows), edges(matrix.shape[1], columns)
    assert (
        small.shape == (min(rows, matrix.shape[0]), min(columns, matrix.shape[1])) == (len(down) - 1, len(across) - 1)
    )
    for row in range(len(down) - 1):
        for column in range(len(across) - 1):
            block = matrix[down[row] : down[row + 1], across[column] : across[column + 1]].ravel().tolist()
            if any(np.isnan(block)):
                assert np.isnan(small[row, column])
            else:
                assert small[row, column] == max(block, key=lambda value: (abs(value), value))


@given(arrays(np.float32, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=FLOATS))
@settings(deadline=None)
def test_the_largest_is_found_and_its_block_shows_it_if_all_is_finite(matrix):
    found = largest(matrix)
    finite = np.abs(matrix[np.isfinite(matrix)])
    if not finite.size:
        assert found is None
        return
    assert abs(found.value) == finite.max()
    assert matrix[found.row, found.column] == found.value
    assert found[1:] == divmod(int(np.flatnonzero(np.abs(matrix) == finite.max())[0]), matrix.shape[1])
    if finite.size == matrix.size:
        cell = block_of(found.row, matrix.shape[0], 4), block_of(found.column, matrix.shape[1], 3)
        assert abs(block_extremes(matrix, 4, 3)[cell]) == finite.max()


@given(st.integers(1, 50), st.integers(1, 60))
def test_every_entry_lies_in_one_block_and_blocks_are_of_nearly_one_length(length, blocks):
    bounds = edges(length, blocks)
    assert (bounds[0], bounds[-1]) == (0, length)
    lengths = np.diff(bounds)
    assert lengths.min() >= 1
    assert np.ptp(lengths) <= 1
    for index in range(length):
        block = block_of(index, length, blocks)
        assert bounds[block] <= index < bounds[block + 1]
