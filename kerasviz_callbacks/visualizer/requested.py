"""The views that the user names."""

from collections.abc import Sequence
from inspect import isabstract
from typing import Any

from ..callback import View
from ..views.activation_maps import ActivationMaps
from ..views.attribution import Attribution
from ..views.coefficients import Coefficients
from ..views.confusion_matrix import ConfusionMatrix
from ..views.data_map import DataMap
from ..views.filter_images import FilterImages
from ..views.filter_overlap import FilterOverlap
from ..views.generated_images import GeneratedImages
from ..views.grad_cam import GradCAM
from ..views.latent_profiles import LatentProfiles
from ..views.latent_trajectory import LatentTrajectory
from ..views.neuron_responses import NeuronResponses
from ..views.overfitting_monitor import OverfittingMonitor
from ..views.predictions import Predictions
from ..views.reconstructions import Reconstructions
from ..views.weight_heatmaps import WeightHeatmaps

VIEWS: dict[str, type[View]] = {
    view.__name__: view
    for view in (
        FilterImages,
        WeightHeatmaps,
        Coefficients,
        ActivationMaps,
        NeuronResponses,
        FilterOverlap,
        GradCAM,
        Attribution,
        LatentTrajectory,
        LatentProfiles,
        Reconstructions,
        Predictions,
        GeneratedImages,
        ConfusionMatrix,
        DataMap,
        OverfittingMonitor,
    )
}


def requested(views: Any) -> list[type[View] | View]:
    """Replace names in the user's list of views by classes; raise a `TypeError` or `ValueError` if it is invalid."""
    if isinstance(views, (str, View, type)) or not isinstance(views, Sequence):
        raise TypeError(f"views={views!r}: expected a list of views, their classes or names.")
    if not views:
        raise ValueError(f"views=[]: name at least one of {', '.join(VIEWS)}, or leave it out.")
    chosen = [_view(one) for one in views]
    for index, one in enumerate(chosen):
        if any(one is other for other in chosen[:index]):
            name = one.__name__ if isinstance(one, type) else f"the same {type(one).__name__}"
            raise ValueError(f"views: {name} is listed twice, and would log everything twice; name it once.")
    return chosen


def _view(one: Any) -> type[View] | View:
    if isinstance(one, View) or (isinstance(one, type) and issubclass(one, View) and not isabstract(one)):
        return one
    if not isinstance(one, str):
        raise TypeError(f"views: {one!r} is no view; expected an instance, a class or a name of {', '.join(VIEWS)}.")
    if one not in VIEWS:
        raise ValueError(f"views: {one!r}: no such view; expected one of {', '.join(VIEWS)}.")
    return VIEWS[one]
