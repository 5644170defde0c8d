"""Which metrics `OverfittingMonitor` adds to `logs`, and under which keys."""

from collections.abc import Sequence
from typing import Any

from ...callback import VALIDATION
from ...draw.overfitting_charts import METRICS


def log_key(name: str, source: str) -> str:
    """Return the key of a metric in `logs`."""
    return f"val_{name}" if source == VALIDATION else name


def checked_publish(publish: Any) -> Sequence[str]:
    """Return the names of the metrics to add to `logs`; raise a `TypeError` or `ValueError` on anything else."""
    if isinstance(publish, bool):
        return tuple(METRICS) if publish else ()
    if isinstance(publish, str) or not isinstance(publish, Sequence):
        raise TypeError(f"publish={publish!r}: expected True, False or a list of names, such as ['knn'].")
    for name in publish:
        if name not in METRICS:
            raise ValueError(f"publish={name!r}: no such metric; expected some of {', '.join(METRICS)}.")
    return tuple(publish)
