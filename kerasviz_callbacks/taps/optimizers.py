"""Copies of optimizers with their state, for a step that leaves the original untouched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import keras

from .. import _keras
from .._autodiff import ImpossibleError
from ..probe.messages import short_message

CLIPS = ("clipnorm", "clipvalue", "global_clipnorm")


class NoStepError(ImpossibleError):
    """No further step of this model can be shown; the message says why."""


def loss_scale(optimizer: Any) -> float:
    """The factor by which the optimizer scales the loss against underflow in half precision."""
    return float(keras.ops.convert_to_numpy(optimizer.scale_loss(keras.ops.convert_to_tensor(1.0, "float32"))))


def copy_variable(variable: Any) -> Any:
    """A copy of a variable with its name and path, by which some optimizers tell variables apart."""
    with ExitStack() as scopes:
        for name in variable.path.split("/")[:-1]:
            scopes.enter_context(keras.name_scope(name))
        value = keras.ops.convert_to_tensor(variable)
        twin = keras.Variable(value, dtype=variable.dtype, name=variable.path.split("/")[-1])
    twin.constraint = variable.constraint
    return twin


def copy_optimizer(optimizer: Any, own: Sequence[Any], twins: Sequence[Any], clip: Mapping[str, float] | None) -> Any:
    """A copy of an optimizer, built for copies of the variables; NoStepError if it cannot be copied."""
    kind = type(optimizer).__name__
    if isinstance(optimizer, getattr(keras.optimizers, "MultiOptimizer", ())):  # not in Keras 3.10
        raise NoStepError(f"the optimizer {kind} delegates to other optimizers, which are not copied")
    try:
        copy = type(optimizer).from_config(optimizer.get_config())
    except Exception as error:
        raise NoStepError(f"the optimizer {kind} cannot be copied: {short_message(error)}") from error
    copy.loss_scale_factor = None
    if clip is not None:
        for name in CLIPS:
            setattr(copy, name, clip.get(name))
    try:
        _keras.copy_weight_decay_exclusions(optimizer, copy, list(zip(own, twins, strict=True)))
    except _keras.MissingNameError as error:
        raise NoStepError(str(error)) from error
    copy.build(list(twins))
    return copy
