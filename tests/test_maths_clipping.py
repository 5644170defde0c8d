import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasviz_callbacks.maths.clipping import share_removed

POSITIVE = st.floats(1e-30, 1e30)


@pytest.mark.parametrize(("norm", "clipped", "share"), [(4, 1, 0.75), (1, 1, 0), (5, 0, 1), (2, 2.0000001, 0)])
def test_by_hand(norm, clipped, share):
    assert share_removed(norm, clipped) == share


@pytest.mark.parametrize("pair", [(0, 0), (np.nan, 1), (1, np.nan), (np.inf, 1), (np.inf, np.inf)])
def test_without_a_gradient_nothing_can_be_said(pair):
    assert np.isnan(share_removed(*pair))


@given(POSITIVE, st.floats(0, 1), POSITIVE)
def test_it_is_a_share_whatever_the_unit(norm, part, unit):
    share = share_removed(norm, norm * part)
    assert 0 <= share <= 1
    assert share == pytest.approx(1 - part, abs=1e-12)
    assert share_removed(norm * unit, norm * part * unit) == pytest.approx(share, abs=1e-9)


def test_keras_own_clipping_by_norm_leaves_what_it_says():
    gradient = np.random.default_rng(0).normal(size=(7, 5))
    clipped = keras.optimizers.SGD(clipnorm=1.5)._clip_gradients([keras.ops.convert_to_tensor(gradient)])[0]
    norm = np.linalg.norm(gradient)
    assert share_removed(norm, np.linalg.norm(clipped)) == pytest.approx(1 - 1.5 / norm)
