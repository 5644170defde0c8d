"""Selection of the views that suit a model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from ..callback import TRAINING, VALIDATION, View
from ..probe import Probe
from ..probe.labels import labels_of
from ..taps.decoding import wanted_of
from ..taps.layer_selection import activation_layers, bottleneck, last_maps, reconstruction
from ..taps.layers import LayerRef, has_call, has_own_train_step
from ..taps.output_form import answers_of_a_row, fed_images, targets_of
from ..taps.output_labels import labels_of_output
from ..taps.parts import callable_parts, is_built, listed_parts, unbuilt_parts
from ..taps.reader import Reader
from ..taps.roles import Roles, roles_of
from ..taps.scores import Score
from ..taps.task import Task, predicts_quantity, task_of, truth_of
from ..taps.weights import convolution_layout, weight_matrices
from ..views.activation_maps import ActivationMaps
from ..views.coefficients import Coefficients
from ..views.confusion_matrix import ConfusionMatrix
from ..views.data_map import DataMap
from ..views.filter_images import FilterImages, filter_kernels
from ..views.generated_images import GeneratedImages
from ..views.grad_cam import GradCAM
from ..views.latent_profiles import LatentProfiles
from ..views.latent_trajectory import LatentTrajectory
from ..views.overfitting_monitor import OverfittingMonitor
from ..views.predictions import Predictions
from ..views.reconstructions import Reconstructions
from ..views.weight_heatmaps import WeightHeatmaps

_SEEN = ("masks", "images", "values", "boxes", "points", "series")  # forms that `Predictions` shows
_MOST_CUSTOM = 4  # custom layers whose matrices are shown beside filters
_LOSSES = "keras.callbacks.TensorBoard shows the losses of its train_step"


@dataclass
class Choice:
    """The views that suit a model, in the order from input to output.

    Attributes:
        views: each with arguments of its own, such as `{"training_data": None}`.
        left_out: views that a person might expect, and why they are left out.
        roles: what the parts of a model without `call` are taken for.
    """

    views: list[tuple[type[View], dict[str, Any]]] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    roles: Roles = field(default_factory=Roles)

    def add(self, *views: type[View], **arguments: Any) -> None:
        """Choose views, all with the same arguments."""
        self.views += [(view, arguments) for view in views]

    def leave_out(self, what: str, why: str) -> None:
        """Say why views are left out."""
        self.left_out[what] = why

    def reasons(self, known: int = 0) -> str:
        """Return what is left out, and why, in words, but for the first ones; empty if nothing is."""
        return "; ".join(f"{what} ({why})" for what, why in list(self.left_out.items())[known:])


def fitting_views(
    model: Any, known: Sequence[LayerRef], reader: Reader | None, probes: Mapping[str, Probe], why: str = ""
) -> Choice:
    """Select the views that suit a model.

    There is one view for each question: how the weights develop, the layer activations, the evidence for a prediction,
    overfitting, and the latent codes. So a run has at most eight images of weights and eight of activations, which
    fit on one screen in TensorBoard, and one to four that depend on the task. Convolution kernels are shown as images,
    other kernels as matrices; without data (`reader=None`) both are shown, and the coefficients of the bottleneck
    layer. `probes` are the validation data, and the training data if given; `why` they cannot be run, if so.
    """
    choice = Choice()
    choice.add(*_of_weights(model, known, reader is not None or bool(why)))
    matrices = [matrix.ref.path for matrix in weight_matrices(known, custom=True) if matrix.custom]
    if matrices and all(view is not WeightHeatmaps for view, _ in choice.views):
        choice.add(WeightHeatmaps, layers=list(dict.fromkeys(matrices))[:_MOST_CUSTOM])  # codebooks
    if not choice.views:
        choice.leave_out("views of the weights", "no layer has a kernel")
    choice.roles = Roles() if has_call(model) else roles_of(model, reader)
    if why:
        choice.leave_out("views of the data", why)
    if reader is not None:
        _add_views_of_data(choice, known, reader, probes)
    if choice.roles.generators:
        choice.add(GeneratedImages)
    elif not has_call(model):
        _say_what_to_pass(choice, model, reader)
    if why and reader is None:
        choice.leave_out("OverfittingMonitor", "no part of the model runs on the data")
    if has_own_train_step(model):
        choice.left_out |= {k: f"{v}; {_LOSSES}" for k, v in choice.left_out.items() if "OverfittingMonitor" in k}
    return choice


def why_not_run(model: Any, known: Sequence[LayerRef]) -> str:
    """Say why the data cannot be run before training: parts of the model have no weights yet."""
    parts = unbuilt_parts(model)
    if not known:
        return "it has neither parts nor a `call`"
    one = len(parts) == 1
    return (
        f"{listed_parts(parts)} {'has' if one else 'have'} no weights before training; "
        f"call {'it' if one else 'them'} once on data, or give {'it' if one else 'each'} an Input"
    )


def _say_what_to_pass(choice: Choice, model: Any, reader: Reader | None) -> None:
    """Say how a model without `call` and without a generator may be seen, if it makes pictures in another way."""
    makes = next((name for name in ("generate", "sample") if callable(getattr(model, name, None))), None)
    if makes:
        choice.leave_out("GeneratedImages", f"pass sample=, such as lambda model: model.{makes}(16)")
    elif reader is None and choice.roles.translators:
        parts = " or ".join(f'"{path.replace("/", ".")}"' for path in choice.roles.translators)
        choice.leave_out("Predictions", f"pass one for each part, with the pictures that it takes and model={parts}")


def _of_weights(model: Any, known: Sequence[LayerRef], with_data: bool) -> list[type[View]]:
    """Choose the views of weights; before a model has weights by the kinds of its layers."""
    built, filters = is_built(model, partly=True), filter_kernels(model, known)
    kernels = [matrix.path for matrix in weight_matrices(known)] if built else []
    if not built:
        may_convolve = has_call(model) or any(convolution_layout(ref.layer) for ref in known)
        return [FilterImages] if may_convolve else [WeightHeatmaps] if known else []
    matrices: list[type[View]] = [WeightHeatmaps] if kernels else []
    images: list[type[View]] = [FilterImages] if filters else []
    if not with_data:
        return [*images, *matrices, *([Coefficients] if kernels and has_call(model) else [])]
    if not filters:
        return matrices
    # Parts without a convolution are shown as matrices.
    shown, parts = [kernel.ref.path for kernel in filters], [] if has_call(model) else callable_parts(model)
    missing = [part for part in parts if _within(part.path, kernels) and not _within(part.path, shown)]
    return [FilterImages, *(matrices if missing else [])]


def _within(part: str, paths: Sequence[str]) -> bool:
    return any(f"/{path}/".find(f"/{part}/") >= 0 for path in paths)


def _add_views_of_data(choice: Choice, known: Sequence[LayerRef], reader: Reader, probes: Mapping[str, Probe]) -> None:
    probe = probes[VALIDATION]
    # An output with a softmax is a classification, of each pixel too, even if it has the shape of the input.
    labels = labels_of_output(reader, probe).hard
    task = task_of(reader, probe, labels)
    fitting = labels is None or reader.head.kind is not None or labels.max(initial=0) < task.choices
    autoencodes = reader.head.kind != "softmax" and _autoencodes(reader, probe, task)
    classifies = not autoencodes and fitting and (task.kind in ("classes", "labels") or task.form == "masks")
    judges = any(_within(path, [call.ref.path for call in reader.calls]) for path in choice.roles.critics)
    if _raises(lambda: activation_layers(reader)):
        if classifies:
            choice.leave_out("ActivationMaps", "no convolution and no dense layer")
    elif classifies or judges or any(convolution_layout(ref.layer) for ref in known):
        choice.add(ActivationMaps)
    if autoencodes:
        _add_views_of_codes(choice, reader, probe)
        wrong = [why for one in probes.values() if (why := _why_no_truth(reader, one, ("values",)))]
        if wrong:
            choice.leave_out("OverfittingMonitor", wrong[0])
        else:
            choice.add(OverfittingMonitor)
    elif classifies or judges:
        if _raises(lambda: last_maps(reader, Score())):
            choice.leave_out("GradCAM", "no layer has feature maps")
        else:
            choice.add(GradCAM)
    elif predicts_quantity(reader) and fed_images(reader, probe) and not _raises(lambda: last_maps(reader, Score())):
        choice.add(GradCAM)
    elif labels is not None and task.kind == "values" and task.units > 1:
        choice.leave_out("OverfittingMonitor", f"{task.units} outputs for {labels.max() + 1} classes: codes")
        for call in [call for call in reader.calls if call.is_output and call.visible][-1:]:
            choice.add(LatentTrajectory, layer=call.path)
    further = [_form_of_further(reader, probe, number) for number in range(1, len(reader.heads))]
    seen = any(form in _SEEN for form in (task.form, *further)) or (not classifies and "classes" in further)
    if not autoencodes and seen:
        choice.add(Predictions)
    if classifies:
        _add_monitor(choice, reader, probes)
    elif judges:
        choice.leave_out("OverfittingMonitor", "the output of a critic has no true value")
    elif not (autoencodes or "OverfittingMonitor" in choice.left_out):
        _add_monitor_of_values(choice, reader, probes, seen, "classes" in further)
    if further and not autoencodes and any(view is OverfittingMonitor for view, _ in choice.views):
        choice.leave_out("OverfittingMonitor of other outputs", _only_first(reader))


def _only_first(reader: Reader) -> str:
    """Say which of several outputs is judged."""
    name = reader.first_output
    return "only the first output is judged" + (f', "{name}"' if isinstance(name, str) else "")


def _form_of_further(reader: Reader, probe: Probe, number: int) -> str:
    """Return what an output other than the first one is."""
    y = targets_of(reader, probe, number)
    return task_of(reader, probe, None if y is None else labels_of(y, probe.inputs).numbers, number).form


def _add_monitor_of_values(
    choice: Choice, reader: Reader, probes: Mapping[str, Probe], seen: bool, classes: bool
) -> None:
    """Choose the monitor of predictions that are no classes, or say why they are not compared with y, or not drawn."""
    probe, y = probes[VALIDATION], targets_of(reader, probes[VALIDATION])
    shape = _shape_text(reader.output_shapes[0])
    if classes:
        what = f"{_only_first(reader)}, which gives no classes"
        explained = any(view is GradCAM for view, _ in choice.views)
        choice.leave_out(f"{'' if explained else 'GradCAM, '}OverfittingMonitor and ConfusionMatrix", what)
        return
    why = {source: _why_no_truth(reader, one, ("values",)) for source, one in probes.items()}
    judged = y is not None and not why[VALIDATION]
    if y is not None and not seen:
        arrays = (y, *map(np.asarray, keras.tree.flatten(probe.inputs)))
        text = reader.heads[0].dense and any(one.dtype.kind in "iu" for one in arrays)
        words = 'kind="text" and to_text= show texts' if text else f"an output of shape {shape} has no picture"
        compared = "; OverfittingMonitor compares it with y" if judged and not text else ""
        choice.leave_out("Predictions", words + compared)
    if judged:
        choice.add(OverfittingMonitor, **({"training_data": None} if why.get(TRAINING) else {}))
    else:
        choice.leave_out("OverfittingMonitor", why[VALIDATION] or "no y")


def _shape_text(shape: Sequence[int | None]) -> str:
    return f"({', '.join(str(size) for size in ('n', *shape))})"


def _autoencodes(reader: Reader, probe: Probe, task: Task) -> bool:
    """Return whether an output is the input again, not a mask of its shape, nor made from it with skips for another y.

    A model that is given another target of that shape, such as an image without noise, is an autoencoder if everything
    passes through its codes; otherwise it is seen best as an image beside its target.
    """
    number = reconstruction(reader)
    if number is None or task.form == "masks" or task.kind in ("classes", "labels"):
        return False
    given = targets_of(reader, probe, number)
    # Vectors of which no loss says that they are wanted again may be those of a normalizing flow.
    unsaid = given is None and has_own_train_step(reader.model) and len(reader.input_shapes[0]) == 1
    if not unsaid and (given is None or wanted_of(probe.images, given) is probe.images):
        return True
    return not _raises(lambda: bottleneck(reader, probe.inputs))


def _add_views_of_codes(choice: Choice, reader: Reader, probe: Probe) -> None:
    """Choose the views of the latent codes: none without a bottleneck, no trajectory for a one-dimensional code."""
    try:
        size = bottleneck(reader, probe.inputs).size
    except ValueError:
        choice.leave_out("LatentTrajectory and LatentProfiles", "no bottleneck")
    else:
        if size > 1:
            choice.add(LatentTrajectory)
        else:
            choice.leave_out("LatentTrajectory", "codes of one dimension")
        choice.add(LatentProfiles)
    choice.add(Reconstructions)


def _add_monitor(choice: Choice, reader: Reader, probes: Mapping[str, Probe]) -> None:
    """Choose the monitor of the data that have labels: of validation data alone if training data have none."""
    why = {source: _why_no_truth(reader, probe) for source, probe in probes.items()}
    if why[VALIDATION]:
        choice.leave_out("OverfittingMonitor", why[VALIDATION])
    elif why.get(TRAINING):
        choice.leave_out("OverfittingMonitor of the training data", why[TRAINING])
        choice.add(OverfittingMonitor, ConfusionMatrix, training_data=None)
    else:
        choice.add(OverfittingMonitor, ConfusionMatrix, *([DataMap] if TRAINING in probes else []))


def _why_no_truth(reader: Reader, probe: Probe, kinds: Sequence[str] = ("classes", "labels")) -> str:
    """Return why predictions cannot be compared with labels or targets of such a kind; empty if they can be."""
    labels = labels_of_output(reader, probe)
    task = task_of(reader, probe, labels.hard)
    if task.kind == "positions":
        return f"it judges one answer per row, this output {answers_of_a_row(reader, task.form)}"
    if task.kind in kinds and truth_of(task, reader, probe, labels.hard) is not None:
        return ""
    y = targets_of(reader, probe)
    if "values" in kinds:
        if y is None:
            return "no y"
        return f"y of shape {_shape_text(y.shape[1:])} for an output of shape {_shape_text(reader.output_shapes[0])}"
    return "soft labels" if labels.soft else "no labels" if y is None else probe.why_no_labels or "no labels that fit"


def _raises(question: Callable[[], Any]) -> bool:
    """Return whether a model has no such layers, which a `ValueError` says."""
    try:
        question()
    except ValueError:
        return True
    return False
