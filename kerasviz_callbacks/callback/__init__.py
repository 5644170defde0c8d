"""The callback base classes of all views, and how a view runs during `fit`.

types          data passed between capture, measurement and drawing: Memory, Measured, Image
schedule       `Schedule`: which steps are drawn, counted in epochs or batches
failures       `Failures`: errors of a view, each cause reported once
timelapse      all drawn steps as one animated image
view_writer    `ViewWriter`: writes what a view measured and drew to the sinks
view_context   `ViewContext`: one view during one fit
snapshot       images of a model without `fit`
stages         `Stages`: the arguments of a view, and what a subclass implements
view           `View`: base class of all views
probe_display  `ProbeDisplay`: images and class names of a probe
probe_view     `ProbeView`: base class of views that need data
layers_view    `LayersView`: base class of views of the activations of several layers
explained_view `ExplainedView`: base class of views that explain a prediction as a heat map
evaluated_view `EvaluatedView`: base class of views that compare predictions with labels or targets
labelled       the labels with which the answers of a classifier are compared
codes_view     `CodesView`: base class of views of an autoencoder's latent codes
arguments      validation of user arguments
markdown       user-supplied names in Markdown descriptions
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
    "ProbeView",
    "View",
]
