"""A further training step of the kernels that are shown, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from ..probe.messages import short_message
from .layer_selection import reconstruction
from .optimizers import NoStepError
from .reader import Reader
from .step import Step, Stepped
from .weights import WeightMatrix


class TrialStep:
    """A further training step of a model, for the trainable ones of some kernels.

    Args:
        model: the model.
        matrices: the kernels, by path.
        clip: replaces the optimizer's own clipping; see `step.check_clip`.
    """

    def __init__(self, model: Any, matrices: Mapping[str, WeightMatrix], clip: Mapping[str, float] | None):
        trained = {id(variable) for variable in getattr(model, "trainable_variables", ())}
        # By path, why a kernel has no step, empty where it has one; why there is no step at all, empty if there is one.
        self.why = {path: "" if id(one.variable) in trained else "not trained" for path, one in matrices.items()}
        self.reason = ""
        self._model, self._clip = model, clip
        self._variables = {path: one.variable for path, one in matrices.items() if not self.why[path]}
        self._step: Step | None = None
        self._give_up("no data given")

    def begin(self, reader: Reader | None, inputs: Any, targets: Any, *, has_labels: bool) -> None:
        """Prepare the step on rows of inputs and of y (or `None`), which may hold class indices.

        There is no reader of a model without `call`, and no step.
        """
        self.why = {path: "" if path in self._variables else why for path, why in self.why.items()}
        self.reason = ""
        try:
            y = targets if reader is None else step_targets(reader, inputs, targets, has_labels=has_labels)
            self._step = Step(self._model, inputs, y, list(self._variables.values()), self._clip)
        except NoStepError as error:
            self._give_up(str(error))

    def __call__(self) -> dict[str, Stepped]:
        """The kernels after the step, by path; empty if there is no step.

        If the first step fails, `reason` says why and there is none; a later failure is raised.
        """
        if self._step is None:
            return {}
        try:
            return dict(zip(self._variables, self._step(), strict=True))
        except Exception as error:
            if self._step.works:
                raise
            self._give_up(short_message(error))
            return {}

    @property
    def clip(self) -> dict[str, float]:
        """The clipping in effect."""
        return {} if self._step is None else self._step.clip

    def _give_up(self, reason: str) -> None:
        self._step, self.reason = None, reason
        self.why = {path: why or reason for path, why in self.why.items()}


def step_targets(reader: Reader, inputs: Any, targets: Any, *, has_labels: bool) -> Any:
    """The targets of the loss: y (or `None`), or the inputs of an autoencoder whose y are labels for display only."""
    if targets is None or not has_labels or len(reader.output_shapes) != 1 or reader.head.kind == "softmax":
        return targets
    same = keras.tree.map_structure(lambda array: tuple(array.shape[1:]), targets) == reader.output_shapes[0]
    of_classes = "sparse" in str(getattr(reader.model.loss, "name", None) or reader.model.loss).lower()
    if same or of_classes or reconstruction(reader) is None:
        return targets
    return keras.tree.flatten(inputs)[0]
