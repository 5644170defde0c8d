"""User-supplied names in Markdown descriptions."""

from __future__ import annotations

import re
import unicodedata


def code_span(name: object) -> str:
    """Format a name as a Markdown code span, so that it is shown literally and never parsed as Markdown or HTML.

    Whitespace becomes spaces; control characters and lone surrogates become U+FFFD. The fence is longer than any run
    of backticks in the name, and a name that begins or ends with a backtick is padded with spaces:
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
