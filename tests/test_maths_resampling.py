"""Linear resizing beside numpy's interpolation and TensorFlow's."""

import numpy as np
import pytest
import tensorflow as tf

from kerasviz_callbacks.maths.resampling import resize


@pytest.mark.parametrize("sides", [(2, 3), (5, 7), (1, 1), (9, 20)], ids=str)
def test_pictures_are_resized_as_tensorflow_does_up_and_down(sides):
    picture = np.random.default_rng(1).random((5, 7))
    expected = tf.image.resize(picture[..., None], sides, "bilinear").numpy()[..., 0]
    np.testing.assert_allclose(resize(picture, sides), expected, atol=1e-6)


def test_signals_and_volumes_are_linear_along_each_axis():
    """Between the middles of their cells, and level beyond the outermost."""
    values, sides = np.random.default_rng(3).random((2, 3, 5)), (4, 6, 5)
    expected = values
    for axis, side in enumerate(sides):
        count = values.shape[axis]
        new, old = (np.arange(side) + 0.5) / side, (np.arange(count) + 0.5) / count
        expected = np.apply_along_axis(lambda line, p=new, m=old: np.interp(p, m, line), axis, expected)
    np.testing.assert_allclose(resize(values, sides), expected, atol=1e-12)
    np.testing.assert_allclose(resize(values[0, 0], (9,)), resize(values, (2, 3, 9))[0, 0], atol=1e-12)
