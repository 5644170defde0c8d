"""What the tables of wrong requests share: a request, and that it is refused before anything is trained."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

import keras
import pytest
from harness import check_each, classifier, fit, pictures, same_weights

DATA = pictures()
VALIDATION = (DATA.x_val, DATA.y_val)
UNLABELLED = DATA.x_val


class Begun(keras.callbacks.Callback):
    """Records that a batch began."""

    batches = 0

    def on_train_batch_begin(self, batch, logs=None):
        self.batches += 1


@dataclass(frozen=True)
class Wrong:
    """A wrong request: what makes it, the error, and words that must be in it: argument, value, remedy."""

    make: Callable[..., keras.callbacks.Callback]
    error: type[Exception]
    words: tuple[str, ...]
    model: Callable[[], keras.Model] = classifier
    data: tuple = field(default=(DATA.x, DATA.y))


def anywhere(view, *args, **given):
    """A callback that is given its directory later."""
    return lambda where, **options: view(where, *args, **{**given, **options})


@cache
def shared(build):
    """One model for all that is refused: nothing trains it, as each of them shows."""
    return build()


def assert_all_refused(requests: dict[str, Wrong], where):
    """All of them under `on_error="warn"`, where one could be swallowed, and every tenth under `"raise"`."""

    def check(case):
        name, on_error = case
        directory = where / f"{list(requests).index(name)} {on_error}"
        directory.mkdir()
        assert_refused(requests[name], on_error, directory)

    check_each([*((name, "warn") for name in requests), *((name, "raise") for name in list(requests)[::10])], check)


def assert_refused(wrong: Wrong, on_error: str, where):
    """It raises in `fit`, in plain words; no batch began, no weight moved, nothing was written."""
    model, begun = shared(wrong.model), Begun()
    before = model.get_weights()
    callback = wrong.make(where, on_error=on_error)
    with pytest.raises(wrong.error) as raised:
        fit(model, *wrong.data, [begun, callback], epochs=1)
    assert type(raised.value) is wrong.error or wrong.error is OSError
    for words in wrong.words:
        assert words in str(raised.value), raised.value
    assert begun.batches == 0
    assert same_weights(model.get_weights(), before)
    assert not list(where.rglob("*tfevents*"))
