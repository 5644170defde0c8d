"""The symbols of the first trace of a model, so that later questions need no trace of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

from .output_recorder import Call, OutputRecorder
from .scores import PREDICTED, Score, score


@dataclass(frozen=True)
class ModelTrace:
    """A trace with the symbolic outputs of the layers and of the model."""

    trace: Any
    recorder: OutputRecorder
    outputs: Any

    def connected(self, calls: Sequence[Call], wanted: Score) -> list[bool]:
        """As `Reader.connected`, without another trace."""

        def scored() -> Any:
            rows = keras.ops.shape(keras.tree.flatten(self.outputs)[0])[:1]
            return score(wanted, self.outputs, keras.ops.full(rows, PREDICTED, "int32"))

        found: list[bool] = self.trace.depends(scored, [self.recorder.tensor(call.path) for call in calls])
        return found
