"""When a view looks at the model, and through what: the life of a view in a fit, and the base classes of all views.

types          what passes between the parts of a view: Memory, Measured, Image
schedule       `Schedule`: when a step is drawn, in epochs or batches
failures       what went wrong, reported once a cause
timelapse      the whole training as one animated picture
view_context   `ViewContext`: one view in one fit
snapshot       the pictures of a model without `fit`
view           `View`: any callback of ours
probe_display  how a probe is shown: pictures, class names
probe_view     `ProbeView`: one that looks at data
layers_view    `LayersView`: one that shows the outputs of several layers
explained_view `ExplainedView`: one that explains an answer of the model
evaluated_view `EvaluatedView`: one that compares answers with the truth
codes_view     `CodesView`: one that shows the codes of an autoencoder
markdown       names from outside in descriptions
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
