"""Tables of measurements and their limits, as Markdown."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = (
    "tensorflow",
    "keras",
    "numpy",
    "pillow",
    "isal",
    "google-crc32c",
    "tensorboard",
    "tf-explain",
    "tf-keras-vis",
    "xplique",
)


@dataclass(frozen=True)
class Row:
    """One row of a table.

    Attributes:
        what: what was measured.
        found: the result, as text.
        limit: the limit, as text; empty if there is none.
        met: whether the result is within the limit.
    """

    what: str
    found: str
    limit: str = ""
    met: bool = True


def at_most(what: str, value: float, most: float, unit: str = "x", detail: str = "") -> Row:
    """Return a row of a value with an upper limit."""
    found = f"{value:.3g} {unit}".rstrip() + (f" ({detail})" if detail else "")
    return Row(what, found, f"at most {most:g} {unit}", value <= most)


def at_least(what: str, value: float, least: float, unit: str, detail: str = "") -> Row:
    """Return a row of a value with a lower limit."""
    found = f"{value:.3g} {unit}".rstrip() + (f" ({detail})" if detail else "")
    return Row(what, found, f"at least {least:g} {unit}", value >= least)


def ms(seconds: float) -> str:
    """Return a time in milliseconds, as text."""
    return f"{1e3 * seconds:.3g} ms"


def markdown(title: str, about: str, rows: Sequence[Row]) -> str:
    """Return a section with its table."""
    marks = ["" if not row.limit else "met" if row.met else "**missed**" for row in rows]
    cells = [(row.what, row.found, row.limit, mark) for row, mark in zip(rows, marks, strict=True)]
    return f"## {title}\n\n{about.strip()}\n\n{grid(('what', 'measured', 'must be', ''), cells)}"


def grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table with the given column heads."""
    lines = [f"| {' | '.join(cells)} |".replace("  |", " |") for cells in (head, ["---"] * len(head), *rows)]
    return "\n".join(lines) + "\n"


def machine() -> str:
    """Return the machine and the package versions, in one line."""
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    cores = _cores()
    return f"{cores}, Python {platform.python_version()}, {', '.join(found)}"


def _cores() -> str:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    model = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine()
    )
    return f"{usable} cores of {model}"
