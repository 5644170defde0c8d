"""Selection of views: those that the user names, or those that suit the model."""

from collections.abc import Sequence
from inspect import isabstract
from typing import Any

import keras

from ..callback import View
from ..probe import Probe
from ..taps.layer_selection import bottleneck, last_maps, reconstruction
from ..taps.layers import LayerRef
from ..taps.parts import generators
from ..taps.reader import Reader
from ..taps.scores import Head, Score
from ..taps.task import task_of, truth_of
from ..taps.weights import convolution_layout, weight_matrices
from ..views.activation_maps import ActivationMaps
from ..views.attribution import Attribution
from ..views.coefficients import Coefficients
from ..views.confusion_matrix import ConfusionMatrix
from ..views.filter_images import FilterImages, filter_kernels
from ..views.filter_overlap import FilterOverlap
from ..views.generated_images import GeneratedImages
from ..views.grad_cam import GradCAM
from ..views.latent_profiles import LatentProfiles
from ..views.latent_trajectory import LatentTrajectory
from ..views.neuron_responses import NeuronResponses
from ..views.overfitting_monitor import OverfittingMonitor
from ..views.reconstructions import Reconstructions
from ..views.weight_heatmaps import WeightHeatmaps

Views = list[type[View]]
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
        GeneratedImages,
        ConfusionMatrix,
        OverfittingMonitor,
    )
}


def fitting_views(model: Any, known: Sequence[LayerRef], reader: Reader | None, probes: Sequence[Probe]) -> Views:
    """Select the views that suit a model, in the order from input to output.

    There is one view for each question: how the weights develop, the layer activations, the evidence for a prediction,
    overfitting, and the latent codes. So a run has at most eight images of weights and eight of activations, which
    fit on one screen in TensorBoard, and one to four that depend on the task. Convolution kernels are shown as images,
    other kernels as matrices; without data (`reader=None`) both are shown, and the coefficients of the bottleneck
    layer. `probes` are the validation data, and the training data if given.
    """
    # A model that is not built has no weights to inspect yet; a view that does not suit it reports that later.
    filters: Views = [FilterImages] if not model.built or filter_kernels(model, known) else []
    matrices: Views = [WeightHeatmaps] if model.built and weight_matrices(known) else []
    if reader is None or not probes:
        return [*filters, *matrices, *([Coefficients] if matrices else []), *_of_noise(model)]
    probe = probes[0]
    # An output with a softmax is a classification, of each pixel too, even if it has the shape of the input.
    autoencodes = reader.head.kind != "softmax" and reconstruction(reader, probe.inputs) is not None
    classifies = not autoencodes and _classifies(reader.head, probe)
    chosen = filters or matrices
    if classifies or any(convolution_layout(ref.layer) for ref in known):
        chosen = [*chosen, ActivationMaps]
    if autoencodes:
        return [*chosen, *_of_codes(reader, probe), Reconstructions]
    if classifies and _has_feature_maps(reader):
        chosen = [*chosen, GradCAM]
    evaluated = classifies and all(_has_truth(reader, one) for one in probes)
    return [*chosen, OverfittingMonitor, ConfusionMatrix] if evaluated else chosen


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


def _classifies(head: Head, probe: Probe) -> bool:
    """Return whether the first output is a classification: a softmax, a sigmoid, or logits of the labels' classes."""
    if head.kind is not None:
        return True
    return probe.labels is not None and head.classes > int(probe.labels.max(initial=0)) and head.classes > 1


def _has_truth(reader: Reader, probe: Probe) -> bool:
    """Return whether the predictions can be compared with labels: one class per row, or multi-label (sigmoid)."""
    task = task_of(reader, probe, probe.labels)
    return task.kind in ("classes", "labels") and truth_of(task, reader, probe, probe.labels) is not None


def _has_feature_maps(reader: Reader) -> bool:
    """Return whether some layer has feature maps that the score depends on, as Grad-CAM requires."""
    try:
        last_maps(reader, Score())
    except ValueError:
        return False
    return True


def _of_noise(model: Any) -> Views:
    """Return the view of generated images, for a model without `call` that has a part making images of a vector."""
    return [GeneratedImages] if type(model).call is keras.Model.call and generators(model) else []


def _of_codes(reader: Reader, probe: Probe) -> Views:
    """Return the views of the latent codes: none without a bottleneck, no trajectory for a one-dimensional code."""
    try:
        size = bottleneck(reader, probe.inputs).size
    except ValueError:
        return []
    return [LatentTrajectory, LatentProfiles] if size > 1 else [LatentProfiles]
