"""Which views are shown: those named, or those that fit a model and stay few enough to be read."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import isabstract
from typing import Any

from ..callback import View
from ..probe import Probe
from ..taps.layer_selection import bottleneck, last_maps, reconstruction
from ..taps.layers import LayerRef
from ..taps.reader import Reader
from ..taps.scores import Head, Score
from ..taps.task import task_of, truth_of
from ..taps.weights import convolution_layout, weight_matrices
from ..views.activation_maps import ActivationMaps
from ..views.attribution import Attribution
from ..views.coefficients import Coefficients
from ..views.filter_images import FilterImages, filter_kernels
from ..views.filter_overlap import FilterOverlap
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
        OverfittingMonitor,
    )
}


def fitting_views(model: Any, known: Sequence[LayerRef], reader: Reader | None, probes: Sequence[Probe]) -> Views:
    """The views that fit a model, in the order of the way through it.

    One view for each question: how the weights form, what the layers answer, where the evidence lies, whether it
    overfits, how the codes move. So a run shows at most eight cards of each of the first two, which fill a screen in
    TensorBoard, and one to four of what the model is for. Kernels are shown as pictures where they are some, else as
    matrices; without data, when nothing stands beside them, as both, and with the coefficients of the bottleneck.

    Args:
        model: being trained.
        known: its layers.
        reader: of the model on the validation data; `None`: there are none.
        probes: the validation data, and the training data if they are looked at too.
    """
    # A model that is not built yet has no weights to judge by; what cannot be shown is told later.
    filters: Views = [FilterImages] if not model.built or filter_kernels(model, known) else []
    matrices: Views = [WeightHeatmaps] if model.built and weight_matrices(known) else []
    if reader is None or not probes:
        return [*filters, *matrices, *([Coefficients] if matrices else [])]
    probe = probes[0]
    convolves = any(convolution_layout(ref.layer) for ref in known)
    # A softmax gives classes, of each pixel too, whatever its shape.
    autoencodes = reader.head.kind != "softmax" and reconstruction(reader, probe.inputs) is not None
    answers = not autoencodes and _classifies(reader.head, probe)
    chosen = filters or matrices
    if answers or convolves:
        chosen = [*chosen, ActivationMaps]
    if autoencodes:
        return [*chosen, *_of_codes(reader, probe), Reconstructions]
    if answers and _has_evidence(reader):
        chosen = [*chosen, GradCAM]
    judged = answers and all(_can_be_judged(reader, one) for one in probes)
    return [*chosen, OverfittingMonitor] if judged else chosen


def requested(views: Any) -> list[type[View] | View]:
    """The views that a person named: classes, their names, or instances.

    Raises:
        TypeError: no list, or something in it that is no view.
        ValueError: an empty list, a name of no view, or a view twice.
    """
    if isinstance(views, (str, View, type)) or not isinstance(views, Sequence):
        raise TypeError(f"views={views!r}: expected a list of views, their classes or names.")
    if not views:
        raise ValueError(f"views=[]: name at least one of {', '.join(VIEWS)}, or leave it out.")
    chosen = [_view(one) for one in views]
    for ref, one in enumerate(chosen):
        if any(one is other for other in chosen[:ref]):
            name = one.__name__ if isinstance(one, type) else f"the same {type(one).__name__}"
            raise ValueError(f"views: {name} stands there twice, and would log everything twice; name it once.")
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
    """Whether the model's first output are classes: a softmax or sigmoid, or logits of the labels' classes."""
    if head.kind is not None:
        return True
    return probe.labels is not None and head.classes > int(probe.labels.max(initial=0)) and head.classes > 1


def _can_be_judged(reader: Reader, probe: Probe) -> bool:
    """Whether there are labels to hold the answers beside: one class a row, or yes and no to several."""
    task = task_of(reader, probe, probe.labels)
    return task.kind in ("classes", "labels") and truth_of(task, reader, probe, probe.labels) is not None


def _has_evidence(reader: Reader) -> bool:
    """Whether some layer has maps that the score depends on."""
    try:
        last_maps(reader, Score())
    except ValueError:
        return False
    return True


def _of_codes(reader: Reader, probe: Probe) -> Views:
    """What shows the bottleneck: nothing where none can be found, and of a single number no trajectory."""
    try:
        size = bottleneck(reader, probe.inputs).size
    except ValueError:
        return []
    return [LatentTrajectory, LatentProfiles] if size > 1 else [LatentProfiles]
