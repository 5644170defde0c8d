"""One further training step on copies: the weights after it, and what gradient clipping removed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from .. import _keras
from .._autodiff import framework
from .._typing import Array
from .batches import fixed_rows, repeated
from .call_hooks import call_hooks
from .layers import has_own_train_step, list_layers
from .optimizers import CLIPS, NoStepError, copy_optimizer, copy_variable, loss_scale
from .reader import all_variables, compiled_or_eager


@dataclass(frozen=True)
class Stepped:
    """One variable after a step."""

    weights: Array  # in the variable's shape, float32
    norm: float  # of the gradient, divided by its largest magnitude
    clipped_norm: float  # of the clipped gradient, divided by the same number


class Step:
    """One further step of the model's loss and optimizer on rows of data; the model itself is unchanged.

    The optimizer is copied with its current moments, iterations and learning rate, and so are the weights that it
    updates. The loss is that of `compile`, with regularisers and added losses, computed as in training (dropout, batch
    statistics); sample and class weights are not known and count as 1. If the optimizer accumulates gradients over
    several batches, the step is its next update, as if each of these batches were the given rows.

    Args:
        model: compiled, with all its variables.
        inputs: as the model takes them.
        targets: y of these rows; `None` if the model has added losses only.
        variables: the trainable variables to return.
        clip: replaces the optimizer's own clipping, see `check_clip`; the attribute holds the one in effect.

    Raises:
        NoStepError: the model is not compiled or has a custom `train_step`, the data have no targets, or the optimizer
            or the loss cannot be copied.
    """

    def __init__(
        self, model: Any, inputs: Any, targets: Any, variables: Sequence[Any], clip: Mapping[str, float] | None = None
    ):
        _check(model, targets)
        self._model, self._without_targets = model, targets is None
        self._rows = (inputs, () if targets is None else targets)
        size = fixed_rows([model, *(ref.layer for ref in list_layers(model))])
        if size is not None:
            self._rows = repeated(self._rows, size)
        self._own = list(model.trainable_variables)
        numbers = {id(variable): number for number, variable in enumerate(self._own)}
        self._wanted = [numbers[id(variable)] for variable in variables]
        self._twins = [copy_variable(variable) for variable in self._own]
        self._theirs = getattr(model.optimizer, "inner_optimizer", model.optimizer)
        self._scaled = self._theirs is not model.optimizer or loss_scale(model.optimizer) != 1
        self._optimizer = copy_optimizer(self._theirs, self._own, self._twins, clip)
        try:
            self._loss = _keras.copy_compile_loss(model)
        except _keras.MissingNameError as error:
            raise NoStepError(str(error)) from error
        clips = {name: getattr(self._optimizer, name, None) or 0.0 for name in CLIPS}
        self.clip = {name: float(value) for name, value in clips.items() if value > 0}
        self._run: Callable[..., Any] | None = None

    def __call__(self) -> list[Stepped]:
        """The variables after the step that the model would make now.

        NoStepError: the optimizer's state differs in structure from its copy's.
        """
        self._copy_state()
        example = (*self._rows, np.asarray(loss_scale(self._model.optimizer), np.float32))
        eager, what = framework().Eager(self._body, self._touched), f'the training step of model "{self._model.name}"'
        run = self._run or compiled_or_eager(
            self._model, self._body, example, eager, fixed_rows=True, what=(what, "run")
        )
        found = run(*example)
        self._run = run
        return [Stepped(weights, *map(float, norms)) for weights, norms in found]

    @property
    def works(self) -> bool:
        """Whether a step has succeeded."""
        return self._run is not None

    def _body(self, inputs: Any, targets: Any, scale: Any) -> list[Any]:
        for twin, own in zip(self._twins, self._own, strict=True):
            twin.assign(own)
        gradients = self._gradients(inputs, targets, scale)
        kept = list(gradients.values())
        clipped = dict(zip(gradients, _keras.clip_gradients(self._optimizer, kept), strict=True))
        times = getattr(self._optimizer, "gradient_accumulation_steps", None) or 1
        fed = [keras.ops.multiply(gradient, times) for gradient in kept] if times > 1 else kept
        self._optimizer.apply(fed, [self._twins[number] for number in gradients])
        done = self._is_done(kept)
        return [(self._after(n, done), _norms(gradients.get(n), clipped.get(n))) for n in self._wanted]

    def _gradients(self, inputs: Any, targets: Any, scale: Any) -> dict[int, Any]:
        """Gradients by the model's own variables (their numbers), as `train_step` computes them, unscaled."""

        def loss() -> Any:
            predicted = self._model(inputs, training=True)
            y = None if self._without_targets else targets
            total = _keras.compute_loss(self._model, inputs, y, predicted)
            return keras.ops.multiply(total, keras.ops.cast(scale, total.dtype)) if self._scaled else total

        no_hooks = call_hooks(
            self._model, [], lambda ref, output, given: output
        )  # restores the losses that layers hold
        with _keras.using_compile_loss(self._model, self._loss), no_hooks:
            gradients = framework().loss_gradients(loss, self._own)
        found = {number: gradient for number, gradient in enumerate(gradients) if gradient is not None}
        if not found:
            raise NoStepError("the loss does not depend on any weight that is trained")
        return {n: keras.ops.divide(one, scale) for n, one in found.items()} if self._scaled else found

    def _is_done(self, gradients: Sequence[Any]) -> Any:
        """Whether the step is applied: dynamic loss scaling skips one whose gradients overflow."""
        if self._theirs is self._model.optimizer:
            return None
        return keras.ops.all([keras.ops.all(keras.ops.isfinite(framework().dense(one))) for one in gradients])

    def _after(self, number: int, done: Any) -> Any:
        after = keras.ops.convert_to_tensor(self._twins[number])
        if done is not None:
            after = keras.ops.where(done, after, keras.ops.convert_to_tensor(self._own[number]))
        return keras.ops.cast(after, "float32")

    def _copy_state(self) -> None:
        """Copy the current moments, iterations and learning rate; an optimizer has no moments before its first step."""
        state, copy = self._theirs.variables, self._optimizer.variables
        if self._theirs.built and [tuple(one.shape) for one in state] != [tuple(one.shape) for one in copy]:
            raise NoStepError(f"the state of the optimizer {type(self._theirs).__name__} cannot be copied")
        for mine, theirs in zip(copy, state, strict=self._theirs.built):
            mine.assign(theirs)
        times = getattr(self._optimizer, "gradient_accumulation_steps", None)
        if times:
            iterations, accumulators = _keras.accumulation_state(self._optimizer)
            iterations.assign(iterations // times * times + times - 1)
            for accumulator in accumulators:
                accumulator.assign(keras.ops.zeros_like(accumulator))

    def _touched(self) -> list[Any]:
        """All variables that a step may change."""
        metrics = [variable for metric in self._model.metrics for variable in metric.variables]
        return [*all_variables(self._model), *metrics, *self._twins, *self._optimizer.variables]


def check_clip(clip: Any) -> dict[str, float] | None:
    """Check the user's `clip`; `None` means the optimizer's own clipping.

    Raises:
        TypeError: not a dict of a number.
        ValueError: another key, several of them, or a number that is not positive and finite.
    """
    allowed = ", ".join(f'"{name}"' for name in CLIPS)
    if clip is None:
        return None
    if not isinstance(clip, Mapping):
        raise TypeError(f'clip={clip!r}: expected a dict with one of {allowed}, such as {{"clipnorm": 1.0}}.')
    unknown = [name for name in clip if name not in CLIPS]
    if unknown or len(clip) != 1:
        wrong = f"{unknown[0]!r} is none of them" if unknown else f"got {len(clip)}"
        raise ValueError(f'clip={clip!r}: expected exactly one of {allowed}, such as {{"clipnorm": 1.0}}; {wrong}.')
    ((name, value),) = clip.items()
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f'clip["{name}"]={value!r}: expected a positive number, got {type(value).__name__}.')
    if not 0 < value <= float(np.finfo(np.float32).max):  # a larger number clips nothing and overflows float32
        raise ValueError(f'clip["{name}"]={value!r}: expected a positive, finite number.')
    return {name: float(value)}


def _check(model: Any, targets: Any) -> None:
    if getattr(model, "optimizer", None) is None:
        raise NoStepError("the model is not compiled with an optimizer")
    if has_own_train_step(model):
        raise NoStepError("the model has a train_step of its own, which alone knows its loss")
    if targets is None and getattr(model, "loss", None) is not None:
        raise NoStepError("the data have no targets")
    if not model.trainable_variables:
        raise NoStepError("no weight of the model is trained")


def _norms(gradient: Any, clipped: Any) -> Any:
    """The norms of both, divided by the largest magnitude so that neither overflows; zeros without a gradient."""
    if gradient is None:
        return keras.ops.zeros((2,), "float32")
    whole, left = (keras.ops.cast(framework().dense(one), "float32") for one in (gradient, clipped))
    most = keras.ops.max(keras.ops.abs(whole))
    scale = keras.ops.where(most > 0, most, keras.ops.ones_like(most))
    return keras.ops.stack([keras.ops.sqrt(keras.ops.sum(keras.ops.square(one / scale))) for one in (whole, left)])
