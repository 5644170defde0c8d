"""The sums with which a resumed fit continues."""

from __future__ import annotations

from csv import Error

import numpy as np

from ...maths.dynamics import SampleDynamics, blank_sums
from .items import Items
from .table import FILE, read_csv


def read_earlier(content: bytes | None, *, several: bool) -> tuple[Items, SampleDynamics]:
    """Read the file of an earlier fit, whose rows have `several` labels or one.

    Raises:
        ValueError: it is not there, or no such file.
    """
    if content is None:
        raise ValueError(f"there is no {FILE} of the epochs before")
    try:
        return read_csv(content, several=several)
    except (ValueError, OverflowError, Error) as error:
        raise ValueError(f"{FILE} cannot be read ({error})") from error


def continued(
    earlier: Items, known: SampleDynamics, items: Items, first_step: int, unit: str
) -> tuple[SampleDynamics, list[str]]:
    """Return the sums to continue with at a step, and what is to be said of them.

    Raises:
        ValueError: they are of other rows, or of steps that this fit trains again.
    """
    if known.step is not None and known.step >= first_step:
        raise ValueError(f"the earlier fit was measured up to {unit} {known.step}")
    places = items.places_in(earlier)
    if places is None:
        raise ValueError("the earlier fit looked at other rows")
    dynamics = known.copy()
    dynamics.sums = known.sums[places]
    changed = (items.given != earlier.given[places]) | (items.label != earlier.label[places])
    dynamics.sums[changed] = blank_sums(int(np.count_nonzero(changed)))
    said = []
    if unit == "epoch" and known.step is not None and known.step < first_step - 1:
        first, last = known.step + 1, first_step - 1
        said.append(f"epoch {last} is missing" if first == last else f"epochs {first} to {last} are missing")
    if changed.any():
        said.append(f"{int(changed.sum()):,} labels have changed and start over")
    return dynamics, said
