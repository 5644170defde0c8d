"""Names from outside in the Markdown of a description."""

from __future__ import annotations

import re
import unicodedata


def code_span(name: object) -> str:
    """A name as a code span of Markdown, whatever it holds: it is shown as it is and never read as Markdown or HTML.

    Line ends and tabs become spaces, and what is no character (controls, half a surrogate pair) a question mark in a
    diamond. The fence is longer than any run of backticks within, with a space beside one at an end:
    https://spec.commonmark.org/0.31.2/#code-spans

    Example:
        >>> code_span("conv1"), code_span("a`b")
        ('`conv1`', '``a`b``')
    """
    text = "".join(map(_shown, str(name))).strip()
    if not text:
        return "(no name)"
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    space = " " if "`" in (text[0], text[-1]) else ""
    return f"{fence}{space}{text}{space}{fence}"


def _shown(letter: str) -> str:
    if letter.isspace():
        return " "
    return "\N{REPLACEMENT CHARACTER}" if unicodedata.category(letter) in ("Cc", "Cs") else letter
