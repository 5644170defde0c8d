"""When: cadence, life cycle, what happens on errors, and the hand-over to the worker. The base classes of all views.

numbers     what a view remembers, measures and draws
fit         what a view knows of the fit under way
failures    what went wrong, told once a cause
markdown    names from outside in descriptions
timelapse   the whole training as one animated picture
work        what a view does on the worker: measure, write, draw
hand_over   what it does before, on the training thread
still       what views show of a model outside of any fit
view        `View`: any callback of ours
shown       how a probe is shown: pictures, class names
probe_view  `ProbeView`: one that looks at data
layers_view `LayersView`: one of what several layers put out
given_back  how what an autoencoder gives back is shown
course      what Keras says of each epoch, and which was best
judged_view `EvaluatedView`: one that holds answers beside the truth
codes_view  `CodesView`: one that looks at an autoencoder's codes
"""

from .codes_view import CodesView
from .layers_view import LayersView
from .probe_view import ProbeView
from .types import (
    ARGUMENTS,
    COMPARED_SOURCES,
    COMPARISON,
    MODEL,
    TRAINING,
    UNTRAINED,
    VALIDATION,
    Image,
    Measured,
    Memory,
)
from .view import View

__all__ = [
    "ARGUMENTS",
    "COMPARED_SOURCES",
    "COMPARISON",
    "MODEL",
    "TRAINING",
    "UNTRAINED",
    "VALIDATION",
    "CodesView",
    "Image",
    "LayersView",
    "Measured",
    "Memory",
    "ProbeView",
    "View",
]
