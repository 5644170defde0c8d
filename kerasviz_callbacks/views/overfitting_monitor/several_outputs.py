"""What is said of a model with several outputs: which of them is judged, and which the loss is of."""

from typing import Any

from ...taps.heads import loss_of
from ...taps.layers import has_own_train_step
from ...taps.reader import Reader


def judged_output_in_words(reader: Reader) -> str:
    """Return which output is judged, the first; empty of a single one."""
    count, name = len(reader.output_shapes), reader.first_output
    if count < 2:
        return ""
    return f"judged: {f'output {name}' if name is not None else 'the first output'}, one of {count}"


def loss_in_words(reader: Reader, model: Any) -> str:
    """Return which outputs of the trained model the loss is of; empty of a single one, and where that is not known."""
    count, names = len(reader.output_shapes), reader.output_names
    if count < 2 or reader.model is not model or has_own_train_step(model):
        return ""
    in_loss = [number for number in range(count) if loss_of(model, names, number) is not None]
    if len(in_loss) == 1 and len(names) == count:
        return f"of output {names[in_loss[0]]}"
    return "" if not in_loss else "sum over outputs" if len(in_loss) == count else f"sum over {len(in_loss)} outputs"
