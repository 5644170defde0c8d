"""What is known of weights in the loss and the metrics of `fit`: a callback is never told `class_weight`."""

import warnings
from collections.abc import Mapping
from typing import Any

from ...callback import COMPARED_SOURCES
from ...probe import Probe


def weighting_in_words(model: Any, probes: Mapping[str, Probe], *, majority: bool) -> str:
    """Return which weights count in the curves of Keras; empty where nothing speaks for any.

    Args:
        model: the trained model; that it is compiled with `weighted_metrics` tells of weights.
        probes: by data source; sample weights may stand beside them.
        majority: whether the share of the most frequent class is shown, in which no weights count.
    """
    beside = [COMPARED_SOURCES[source] for source, probe in probes.items() if probe.sample_weighted]
    metrics = _has_weighted_metrics(model)
    if not beside and not metrics:
        return ""
    where = "loss and weighted_metrics" if metrics else "loss"
    if beside:
        without = ", not in the majority class's share" if majority else ""
        return f"sample weights of {' and '.join(beside)} data count in {where}{without}"
    without = " or in the majority class's share" if majority else ""
    return f"any weights of fit count in training's {where}, not in validation's{without}"


def _has_weighted_metrics(model: Any) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of lambdas, which cannot be saved safely
            config = model.get_compile_config()
    except Exception:  # whatever a loss of the user's own raises; it need not be serialisable
        return False
    return bool(config and config.get("weighted_metrics"))
