"""`Coefficients` in the harness."""

from types import SimpleNamespace

import numpy as np
from harness import STEPS, Entry, Run, autoencoder, reached

import kerasviz_callbacks as kv
from kerasviz_callbacks.draw.sheet import footer_height

CODES = 2  # the number of the bottleneck's kernel among the model's weights


def lengths_and_turns_are_the_units_own(run: Run) -> None:
    """The bottleneck is found; its units' lengths and turns are those of a plain loop, step by step."""
    units = {step: run.weights[step][CODES].astype(np.float64).T for step in STEPS}
    for number, step in enumerate(STEPS):
        shown = run.view.measured["model", step].data
        assert shown.span == (-1, STEPS[-1])
        np.testing.assert_array_equal(shown.weights, units[step])
        assert shown.has_length.tolist() == [other <= step for other in STEPS]
        assert shown.has_turn.tolist() == [-1 < other <= step for other in STEPS]
        for unit, weights in enumerate(units[step]):
            length = sum(weight**2 for weight in weights) ** 0.5
            np.testing.assert_allclose(shown.lengths[unit, number], length, rtol=1e-6)
            np.testing.assert_allclose(shown.directions[unit], weights / length, rtol=1e-6)
            if number:
                before = units[step - 1][unit]
                cosine = weights @ before / np.sqrt((weights @ weights) * (before @ before))
                np.testing.assert_allclose(shown.turns[unit, number], np.log10(1 - cosine), atol=1e-5)
    last = run.view.measured["model", STEPS[-1]].scalars
    np.testing.assert_allclose(last["health/codes/norm"], shown.lengths[:, -1].mean(), rtol=1e-6)
    np.testing.assert_allclose(last["health/codes/turn"], (10 ** shown.turns[:, -1]).mean(), rtol=1e-5)


def coefficients_reach(measured) -> dict[str, float]:
    shown = measured.data
    now = shown.lengths[:, shown.has_length][:, -1]
    parts = {"codes": shown.weights, "codes direction": shown.directions, "codes length": now}
    return reached(SimpleNamespace(data=parts))


ENTRY = Entry(
    kv.Coefficients,
    autoencoder,
    target="x",
    tags=frozenset({"coefficients/codes"}),
    scalars=frozenset({"health/codes/norm", "health/codes/turn"}),
    poison="codes",
    sources=("model",),
    needs_data=False,
    known=lengths_and_turns_are_the_units_own,
    largest=coefficients_reach,
    still=lambda run, tag, picture: picture[40 : -footer_height(picture.shape[1]), :44],
)
