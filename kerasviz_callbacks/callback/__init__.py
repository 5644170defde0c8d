"""When: cadence, life cycle, what happens on errors, and the hand-over to the worker. The base classes of all views.

numbers     what a view remembers, measures and draws
view        `View`: any callback of ours
shown       how a probe is shown: pictures, class names
probe_view  `ProbeView`: one that looks at data
"""

from .numbers import ARGUMENTS, MODEL, TRAINING, UNTRAINED, VALIDATION, Drawn, Measured, Memory
from .probe_view import ProbeView
from .view import View

__all__ = [
    "ARGUMENTS",
    "MODEL",
    "TRAINING",
    "UNTRAINED",
    "VALIDATION",
    "Drawn",
    "Measured",
    "Memory",
    "ProbeView",
    "View",
]
