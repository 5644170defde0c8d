"""The sums with which a resumed fit goes on."""

from __future__ import annotations

from ...draw.text import plural
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
    except ValueError as error:
        raise ValueError(f"{FILE} cannot be read ({error})") from error


def continued(earlier: Items, known: SampleDynamics, items: Items, first_step: int) -> tuple[SampleDynamics, str]:
    """Return the sums to go on with at a step, and how that is said.

    Raises:
        ValueError: they are of other rows, or of steps that this fit trains again.
    """
    if known.step is not None and known.step >= first_step:
        raise ValueError(f"the sums of the earlier fit go up to {known.step}")
    if not items.are_of(earlier):
        raise ValueError("the earlier fit looked at other rows")
    dynamics, changed = known.copy(), items.relabelled(earlier)
    dynamics.sums[changed] = blank_sums(int(changed.sum()))
    said = f"goes on with the sums of {known.epochs} earlier {plural('epoch', known.epochs)}"
    return dynamics, said + (f"; {int(changed.sum()):,} labels have changed and begin anew" if changed.any() else "")
