"""See a Keras model learn: callbacks that log what a model does, epoch by epoch, as pictures in TensorBoard.

    import kerasviz_callbacks as kv
    model.fit(x, y, callbacks=[kv.Visualizer("logs", validation_data=(x_val, y_val))])

The subpackages in the order of the data; each imports only those listed before it:

    _typing     types that all of them share
    _arguments  checks of arguments, likewise
    probe       the inputs that are looked at: a fixed set of samples
    _autodiff   computing, differentiating and compiling in each framework
    _keras      every private name of Keras, each with a fallback
    maths       pure numpy: arrays in, arrays out
    taps        reading a model: layers, outputs, gradients, scores, kernels
    explain     results without `fit`: activations, class_activation_map, attribution
    draw        arrays drawn as images
    record      event files, PNG files, the worker that writes them
    fit_context what the callbacks of one `fit` share
    callback    base classes of views: schedule, life cycle, errors
    views       one file a view: what it captures, measures and draws
    visualizer  which views suit a model
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .explain import activations, attribution, class_activation_map
    from .probe import Probe
    from .views.activation_maps import ActivationMaps
    from .views.attribution import Attribution
    from .views.coefficients import Coefficients
    from .views.filter_images import FilterImages
    from .views.filter_overlap import FilterOverlap
    from .views.grad_cam import GradCAM
    from .views.latent_profiles import LatentProfiles
    from .views.latent_trajectory import LatentTrajectory
    from .views.neuron_responses import NeuronResponses
    from .views.overfitting_monitor import OverfittingMonitor
    from .views.reconstructions import Reconstructions
    from .views.weight_heatmaps import WeightHeatmaps
    from .visualizer import Visualizer

__version__ = "0.1.0"

# Loaded on first use: TensorBoard imports the package at every start, and must not wait for Keras.
_WHERE = {
    "Probe": "probe",
    "activations": "explain",
    "attribution": "explain",
    "class_activation_map": "explain",
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
    "OverfittingMonitor": "views.overfitting_monitor",
    "Visualizer": "visualizer",
}

__all__ = [
    "ActivationMaps",
    "Attribution",
    "Coefficients",
    "FilterImages",
    "FilterOverlap",
    "GradCAM",
    "LatentProfiles",
    "LatentTrajectory",
    "NeuronResponses",
    "OverfittingMonitor",
    "Probe",
    "Reconstructions",
    "Visualizer",
    "WeightHeatmaps",
    "activations",
    "attribution",
    "class_activation_map",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_WHERE[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_WHERE})
