"""Lines printed to the user."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    """Print a line; what the terminal cannot show, or would take as a command, is escaped."""
    shown = "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(shown.encode(encoding, "backslashreplace").decode(encoding), flush=True)
