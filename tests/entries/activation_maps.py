"""`ActivationMaps` in the harness."""

import keras
import numpy as np
from harness import STEPS, Entry, Run, classifier, probe_pictures_stay, reach_of

import kerasviz_callbacks as kv
from kerasviz_callbacks.callback import Measured


def maps_are_the_chosen_channels(run: Run) -> None:
    """The maps are what the layers compute, in the channels that varied most in the untrained model."""
    probes = run.view.probes
    for step in STEPS:
        model = run.model_at(step)
        for source, probe in probes.items():
            by_kv = kv.activations(model, probe.inputs, ["conv1", "conv2", "answer"])
            for path, by_layer in by_kv.items():
                direct = keras.Model(model.input, model.get_layer(path).output)(probe.inputs).numpy()
                np.testing.assert_allclose(by_layer, direct, atol=1e-6)
                channels = run.view.memory.shared["channels"][path]
                shown = run.view.measured[source, step].data.maps[path]
                np.testing.assert_array_equal(shown, np.moveaxis(by_layer, -1, 1)[:, channels])
    first = kv.activations(run.model_at(-1), probes["validation"].inputs, ["conv2"])["conv2"]
    assert run.view.memory.shared["channels"]["conv2"].tolist() == list(range(5)), first.var(axis=(0, 1, 2))


def reach(measured: Measured) -> dict[str, float]:
    """Return the largest value of each layer; the softmax's scale is that of probabilities."""
    return {path: 1.0 if path == "answer" else reach_of(maps) for path, maps in measured.data.maps.items()}


ENTRY = Entry(
    kv.ActivationMaps,
    classifier,
    tags=frozenset({"activations/conv1", "activations/conv2", "activations/answer"}),
    scalars=frozenset(f"health/conv{n}/{name}" for n in (1, 2) for name in ("dead", "dormant", "sparsity")),
    poison="conv1",
    known=maps_are_the_chosen_channels,
    largest=reach,
    still=probe_pictures_stay,
)
