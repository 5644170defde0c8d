"""The parts of a model: models that it holds as attributes, and what they are for."""

from __future__ import annotations

import math
from typing import Any

from .layers import children


def generators(model: Any) -> list[tuple[str, Any]]:
    """The parts that make pictures of a vector, by path: `(n, d)` in and `(n, h, w, 1, 3 or 4)` out.

    The model itself, with the path "", is one as well.
    """
    found: list[tuple[str, Any]] = []
    waiting = [("", model)]
    while waiting:
        path, part = waiting.pop(0)
        if _makes_pictures(part):
            found.append((path, part))
        else:
            parts = [one for one in children(part) if hasattr(one, "layers")]
            waiting += [(f"{path}/{one.name}" if path else one.name, one) for one in parts]
    return found


def _makes_pictures(part: Any) -> bool:
    try:
        inputs, outputs = list(part.inputs), list(part.outputs)
    except (AttributeError, TypeError, ValueError):  # subclassed, or not built
        return False
    if len(inputs) != 1 or len(outputs) != 1:
        return False
    fed, made = tuple(inputs[0].shape[1:]), tuple(outputs[0].shape[1:])
    larger = None not in (*fed, *made) and math.prod(made) > math.prod(fed)
    return len(fed) == 1 and larger and len(made) == 3 and made[-1] in (1, 3, 4) and "float" in str(inputs[0].dtype)
