"""The message of an error in one line, for use in our own errors and warnings."""

import re

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
# Keras' own first line; the message follows two lines below.
_PREAMBLE = re.compile(r"Exception encountered when calling .*")
_PLACE = re.compile(r"^\{\{.*?\}\} ")  # the position in TensorFlow's graph


def short_message(error: BaseException) -> str:
    """The line of an error message that says what is wrong, without what Keras and TensorFlow add; else its type."""
    text = error.args[0] if isinstance(error, KeyError) and error.args else error  # `str` of a KeyError is a `repr`
    lines = [_PLACE.sub("", _COLOURS.sub("", line).strip()) for line in str(text).splitlines()]
    telling = [line for line in lines if line and not _PREAMBLE.fullmatch(line)]
    return (telling or [type(error).__name__])[0]
