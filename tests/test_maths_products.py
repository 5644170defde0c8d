"""Matrix products on one thread: the numbers of `@`, at every size, and no other thread at work."""

import subprocess
import sys

import numpy as np
import pytest

from kerasviz_callbacks.maths.products import product, squared_sum

ON_ONE_THREAD = """
import time
import numpy as np
from kerasviz_callbacks.maths.products import product, squared_sum

def others(compute):
    began, own = time.process_time(), time.thread_time()
    compute()
    time.sleep(0.2)
    return (time.process_time() - began) - (time.thread_time() - own)

a = np.random.default_rng(0).normal(size=(500, 300))
print(others(lambda: product(a, a.T)), others(lambda: product(a.T, a)), others(lambda: squared_sum(a)))
"""


@pytest.mark.parametrize(
    ("m", "k", "n"), [(1, 1, 1), (3, 2, 5), (64, 64, 64), (65, 129, 63), (500, 8, 500), (2, 1000, 3), (700, 1, 1)]
)
@pytest.mark.parametrize("order", ["C", "F"])
def test_it_is_the_product(m, k, n, order):
    draws = np.random.default_rng(m + k + n)
    left, right = (np.array(draws.integers(-9, 10, shape), np.float64, order=order) for shape in ((m, k), (k, n)))
    np.testing.assert_array_equal(product(left, right), left @ right)  # whole numbers: exact in any order
    assert squared_sum(left) == np.vdot(left, left)


@pytest.mark.parametrize(("m", "k", "n"), [(0, 3, 2), (3, 0, 2), (3, 2, 0)])
def test_nothing_is_multiplied_where_nothing_is(m, k, n):
    np.testing.assert_array_equal(product(np.ones((m, k)), np.ones((k, n))), np.zeros((m, n)))


def test_a_nan_stays_in_its_row_and_column():
    left = np.ones((200, 100))
    left[150, 7] = np.nan
    found = product(left, left.T)
    assert np.isnan(found[150]).all()
    assert np.isnan(found[:, 150]).all()
    assert np.count_nonzero(np.isnan(found)) == 2 * 200 - 1


@pytest.mark.parametrize("shapes", [((2, 3), (2, 3)), ((3,), (3, 2)), ((2, 3), (3,))])
def test_shapes_that_do_not_fit(shapes):
    with pytest.raises(ValueError, match=r"left, right: must be \(m, k\) and \(k, n\)"):
        product(*(np.ones(shape) for shape in shapes))


def test_no_other_thread_computes():
    done = subprocess.run([sys.executable, "-c", ON_ONE_THREAD], capture_output=True, text=True, check=True)
    assert max(map(float, done.stdout.split())) < 0.02, (
        "seconds of other threads; numpy's own product wakes them for 0.1"
    )
