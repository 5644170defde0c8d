"""Keras callbacks that log images of a model's filters, activations, Grad-CAM maps and latent codes to TensorBoard.

    import kerasviz_callbacks as kv
    model.fit(x, y, callbacks=[kv.Visualizer("logs", validation_data=(x_val, y_val))])

The subpackages and modules, in the order in which data passes through them; each imports only those above it:

    _typing      types, shared by all
    _arguments   checks of arguments, shared by all
    probe        the inputs on which a model is observed: a fixed set of samples
    _autodiff    computing, differentiating and compiling in each framework
    _keras       the private names of Keras that are used, each with a fallback
    maths        metrics, projections and maps in pure numpy
    taps         reading a model: layers, outputs, gradients, scores, kernels
    explain      results without `fit`: activations, class_activation_map, attribution
    draw         drawing arrays as images
    record       event files, PNG files, and the worker that writes them
    fit_context  what the callbacks of one `fit` share
    callback     base classes of views: schedule, life cycle, errors
    views        one module per view: what it captures, measures and draws
    visualizer   the selection of views that suit a model
    export       a whole training as one HTML page, made by `kerasviz_timeline`
    __main__     the command `kerasviz`, likewise
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # `as` re-exports a name
    from .explain import activations as activations
    from .explain import attribution as attribution
    from .explain import class_activation_map as class_activation_map
    from .export import export_html as export_html
    from .probe import Probe as Probe
    from .views.activation_maps import ActivationMaps as ActivationMaps
    from .views.attribution import Attribution as Attribution
    from .views.coefficients import Coefficients as Coefficients
    from .views.confusion_matrix import ConfusionMatrix as ConfusionMatrix
    from .views.data_map import DataMap as DataMap
    from .views.filter_images import FilterImages as FilterImages
    from .views.filter_overlap import FilterOverlap as FilterOverlap
    from .views.generated_images import GeneratedImages as GeneratedImages
    from .views.grad_cam import GradCAM as GradCAM
    from .views.latent_profiles import LatentProfiles as LatentProfiles
    from .views.latent_trajectory import LatentTrajectory as LatentTrajectory
    from .views.neuron_responses import NeuronResponses as NeuronResponses
    from .views.overfitting_monitor import OverfittingMonitor as OverfittingMonitor
    from .views.predictions import Predictions as Predictions
    from .views.reconstructions import Reconstructions as Reconstructions
    from .views.weight_heatmaps import WeightHeatmaps as WeightHeatmaps
    from .visualizer import Visualizer as Visualizer

__version__ = "0.1.0"

# The public names and the modules that hold them. They are imported on first use: the command
# `python -m kerasviz_callbacks` must not wait for Keras.
_MODULES = {
    "Probe": "probe",
    "activations": "explain",
    "attribution": "explain",
    "class_activation_map": "explain",
    "export_html": "export",
    "FilterImages": "views.filter_images",
    "WeightHeatmaps": "views.weight_heatmaps",
    "Coefficients": "views.coefficients",
    "ActivationMaps": "views.activation_maps",
    "NeuronResponses": "views.neuron_responses",
    "FilterOverlap": "views.filter_overlap",
    "GradCAM": "views.grad_cam",
    "Attribution": "views.attribution",
    "LatentProfiles": "views.latent_profiles",
    "LatentTrajectory": "views.latent_trajectory",
    "Reconstructions": "views.reconstructions",
    "Predictions": "views.predictions",
    "GeneratedImages": "views.generated_images",
    "ConfusionMatrix": "views.confusion_matrix",
    "DataMap": "views.data_map",
    "OverfittingMonitor": "views.overfitting_monitor",
    "Visualizer": "visualizer",
}

__all__ = list(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_MODULES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
