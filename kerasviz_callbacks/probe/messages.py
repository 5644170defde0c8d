"""What an error says, in one line, to stand in an error or a warning of ours."""

import re

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_PREAMBLE = re.compile(r"Exception encountered when calling .*")  # Keras' own, with what it is about two lines below
_PLACE = re.compile(r"^\{\{.*?\}\} ")  # where in TensorFlow's graph


def short_message(error: BaseException) -> str:
    """The line of an error that says what is wrong, without what Keras and TensorFlow put round it.

    Args:
        error: of any kind; of one without text the name of its type is given.
    """
    text = error.args[0] if isinstance(error, KeyError) and error.args else error  # `str` of a KeyError is a `repr`
    lines = [_PLACE.sub("", _COLOURS.sub("", line).strip()) for line in str(text).splitlines()]
    telling = [line for line in lines if line and not _PREAMBLE.fullmatch(line)]
    return (telling or [type(error).__name__])[0]
