"""What Grad-CAM's pictures say beside the maps: notes, titles and captions."""

import keras
import numpy as np
import pytest
from keras import layers

import kerasviz_callbacks as kv
from kerasviz_callbacks.callback import explained_view
from kerasviz_callbacks.callback.snapshot import snapshot
from kerasviz_callbacks.draw.heat import heat_maps


@pytest.fixture
def drawn(monkeypatch):
    """A function that draws a view, and returns what each picture says with its description."""

    def of(view, model):
        said = []

        def noted(inputs, maps, **given):
            said.append({"inputs": inputs, "maps": maps, **given})
            return heat_maps(inputs, maps, **given)

        monkeypatch.setattr(explained_view, "heat_maps", noted)
        images = snapshot([view], model)
        return [one | {"about": image.description} for one, image in zip(said, images, strict=True)]

    return of


def against_and_for():
    """Class 0 is what the first pixel says for it, less what the others say against it; class 1 is half of them all."""
    model = keras.Sequential([keras.Input((4, 4, 1)), layers.Conv2D(1, 1, use_bias=False, name="maps")])
    model.add(layers.Flatten())
    model.add(layers.Dense(2, "softmax", use_bias=False))
    weights = np.full((16, 2), [-1.0, 0.5])
    weights[0] = [1.0, 0.5]
    model.set_weights([np.ones((1, 1, 1, 1)), weights])
    x = np.ones((3, 4, 4, 1))
    x[:2, 0, 0] = 100  # the two rows of class 0, whose mean gradient is negative
    return model, x


@pytest.mark.parametrize(("method", "note"), [("grad_cam", "empty: 2 of 3   (Flatten"), ("hires_cam", "")])
def test_empty_maps_are_counted_with_the_reason_that_is_known(drawn, tmp_path, method, note):
    model, x = against_and_for()
    [one] = drawn(kv.GradCAM(tmp_path, x, method=method), model)
    assert one["note"].startswith(note)
    assert ("hires_cam" in one["note"]) == bool(note)
    assert ("Before a `Flatten`" in one["about"]) == bool(note)
    assert [bool(values.any()) for values in one["maps"]] == [not note, not note, True]
