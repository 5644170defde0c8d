"""The attribution methods by name, with their requirements, options and papers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .attribution import gradient, input_x_gradient, integrated_gradients, smooth_grad
from .attribution_checks import check_values
from .perturbation import occlusion, rise


@dataclass(frozen=True)
class AttributionMethod:
    """An attribution method.

    Attributes:
        function: `(callable, x, **options)`; those that need scores also take `spatial`.
        needs: What the callable returns: the gradient of each row's score with respect to the input; the same with the
            backward pass of guided backpropagation; or the score itself.
        largest: How channels are reduced: True by the value of largest magnitude, False by their sum, None where the
            method itself returns one value per position.
        paper: Authors, year and link.
    """

    function: Callable[..., NDArray[np.float32]]
    needs: Literal["gradients", "guided gradients", "scores"]
    largest: bool | None
    paper: str

    @property
    def options(self) -> dict[str, Any]:
        """Its options with their default values."""
        return dict(getattr(self.function, "__kwdefaults__", None) or {})


METHODS: dict[str, AttributionMethod] = {
    "gradient": AttributionMethod(gradient, "gradients", True, "Simonyan et al. 2014, https://arxiv.org/abs/1312.6034"),
    "input_x_gradient": AttributionMethod(
        input_x_gradient, "gradients", False, "Shrikumar et al. 2016, https://arxiv.org/abs/1605.01713"
    ),
    "guided_backprop": AttributionMethod(
        gradient, "guided gradients", True, "Springenberg et al. 2015, https://arxiv.org/abs/1412.6806"
    ),
    "smooth_grad": AttributionMethod(
        smooth_grad, "gradients", True, "Smilkov et al. 2017, https://arxiv.org/abs/1706.03825"
    ),
    "integrated_gradients": AttributionMethod(
        integrated_gradients, "gradients", False, "Sundararajan et al. 2017, https://arxiv.org/abs/1703.01365"
    ),
    "occlusion": AttributionMethod(
        occlusion, "scores", None, "Zeiler and Fergus 2014, https://arxiv.org/abs/1311.2901"
    ),
    "rise": AttributionMethod(rise, "scores", None, "Petsiuk et al. 2018, https://arxiv.org/abs/1806.07421"),
}
"""The methods by the name that `Attribution(method=...)` and `attribution(method=...)` take."""


def attribution_method(method: Any) -> AttributionMethod:
    """Look up a method by name; ValueError, which lists the known ones, for an unknown name."""
    if not isinstance(method, str) or method not in METHODS:
        raise ValueError(f"method={method!r}: expected one of {', '.join(map(repr, METHODS))}.")
    return METHODS[method]


def check_options(method: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Check the options of a method, as far as possible without the input, and add the defaults of the others.

    Raises:
        TypeError: An option that the method does not have (the error lists those it has), or of the wrong type.
        ValueError: An unknown method, or an option out of its range.

    Example:
        >>> check_options("integrated_gradients", {"steps": 64})
        {'baseline': 0.0, 'steps': 64}
    """
    defaults = attribution_method(method).options
    for name in options:
        if name not in defaults:
            known = f"expected one of {', '.join(defaults)}" if defaults else "it takes none"
            raise TypeError(f"{name}: not an option of method={method!r}; {known}.")
    check_values(**options)
    return {**defaults, **options}
