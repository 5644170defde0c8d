"""`Predictions`: input, truth, output and difference of the same rows at every step."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ...callback import VALIDATION, Image, Measured, ProbeView
from ...callback.arguments import one_of
from ...callback.types import Text as TextImage
from ...fit_context import Request
from ...maths.boxes import BOX_FORMATS
from ...probe.labels import labels_of
from ...taps.reader import Reader
from ...taps.task import task_of
from .boxes import Boxes, scores_of
from .classes import Classes, Text
from .images import Images, Values
from .masks import Masks
from .outputs import Options, Output, outputs_of
from .overlapping_masks import OverlappingMasks
from .points import Points
from .prediction_kind import PredictionKind, Shown
from .series import Series

KINDS: dict[str, type[PredictionKind]] = {
    one.kind: one for one in (Masks, Images, Values, Boxes, Points, Series, Classes, Text)
}


class Predictions(ProbeView):
    """See what the model puts out beside the truth: input, truth, output and their difference, at every step.

    One image per output. What an output is follows from the compiled loss, the activation, the shapes and y, or is
    said by `kind`:

    - `"masks"`: a class per pixel (softmax, logits, or one sigmoid channel or logit), or several labels per pixel
      (sigmoids or logits of a binary cross-entropy); `mean_iou`, IoU per class.
    - `"images"`: image to image of any size: denoised, enlarged, coloured, next frames; `psnr`.
    - `"values"`: one value per pixel, such as depth; `mae`.
    - `"boxes"`: `(n, k, 4)` or `(n, 4)`, and their classes or scores if another output holds them; `mean_iou` of boxes
      matched one to one.
    - `"points"`: `(n, k, 2)` or `(n, 2k)`, x and y in pixels or in shares of the sides; `distance`.
    - `"series"`: forecasts `(n, horizon)` or `(n, horizon, variables)` of signals; `mae`.
    - `"classes"`: the three surest answers; `accuracy`.
    - `"text"`: a table in TensorBoard's Text tab.

    Scalars are those over all rows of the probe. Truth is y in the form in which the loss takes it; without a compiled
    loss, a y whose rows do not belong to those of x, as in unpaired translation, is left out.

    Args:
        log_dir: the TensorBoard log directory.
        validation_data: `(x, y)`, or `x` alone, which leaves the truth out. See `ProbeView`.
        kind: what the outputs are; `None`: decided for each output.
        ignore_class: a class number in y that means no class, such as 255; `None`: that of the loss. Numbers outside
            the classes of the model are no class either.
        bounding_box_format: the format of true and predicted boxes, one of `keras.utils.bounding_boxes`; `None`:
            `xyxy` or `xywh`, in pixels or shares, as y looks.
        to_text: for `kind="text"`: one row of x, of y or of the output, as arrays -> str.
        options: `training_data`, `count` (16), `class_names`, `display`, and those of `View`.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: an unknown kind or format; before the first batch: no output that can be shown (in this way).

    Example:
        >>> segmenter.fit(x, masks, callbacks=[kv.Predictions("logs", (x_val, masks_val))])  # doctest: +SKIP
    """

    def __init__(
        self,
        log_dir: Any,
        validation_data: Any,
        *,
        kind: str | None = None,
        ignore_class: int | None = None,
        bounding_box_format: str | None = None,
        to_text: Callable[[Any], str] | None = None,
        **options: Any,
    ):
        super().__init__(log_dir, validation_data, **options)
        if kind is not None:
            one_of(kind, "kind", *KINDS)
        if bounding_box_format is not None:
            bounding_box_format = str(bounding_box_format).lower()
            one_of(bounding_box_format, "bounding_box_format", *BOX_FORMATS)
        if ignore_class is not None and (isinstance(ignore_class, bool) or not isinstance(ignore_class, int)):
            raise TypeError(f"ignore_class={ignore_class!r}: expected a class number in y, such as 255, or None.")
        if to_text is not None and not callable(to_text):
            raise TypeError(f"to_text={to_text!r}: expected a callable from one row to str.")
        if kind == "text" and to_text is None:
            raise ValueError('to_text=None: kind="text" needs a callable that writes one row of x, y or output as str.')
        self.kind, self.options = kind, Options(ignore_class, bounding_box_format, to_text)
        self.predicted: dict[str, PredictionKind] = {}

    def find_layers(self, reader: Reader) -> None:
        """Decide what each output is."""
        outputs = outputs_of(self.readers, self.probes, self.probe_display, self.options)
        found: dict[str, PredictionKind] = {}
        for output in outputs:
            kind = KINDS.get(self.kind or self._decided(reader, output))
            if kind is None or not kind.fits(output):
                continue
            if kind is Masks and OverlappingMasks.fits(output):
                kind = OverlappingMasks
            found[output.name] = Boxes(output, scores_of(output, outputs)) if kind is Boxes else kind(output)
        shown_with_boxes = {one.scores.name for one in found.values() if isinstance(one, Boxes) and one.scores}
        # Beside masks or images the classes are seen by other views.
        classes_too = self.kind is not None or all(isinstance(one, Classes) for one in found.values())
        self.predicted = {
            name: one
            for name, one in found.items()
            if name not in shown_with_boxes and (classes_too or not isinstance(one, Classes))
        }
        if not self.predicted:
            self._refuse(outputs)

    def _decided(self, reader: Reader, output: Output) -> str:
        probe, y = self.probes[VALIDATION], output.truths[VALIDATION]
        labels = None if y is None else labels_of(y, probe.inputs).numbers
        return task_of(reader, probe, labels if output.number else probe.labels, output.number).form

    def _refuse(self, outputs: Sequence[Output]) -> None:
        model = f'model "{outputs[0].reader.model.name}"'
        shapes = ", ".join(f'"{one.name}" ({", ".join(map(str, ("n", *one.shape)))})' for one in outputs)
        if self.kind is not None:
            raise ValueError(
                f'kind="{self.kind}": no output of {model} has its form: {shapes}, for inputs '
                f"{outputs[0].reader.input_shapes[0]}; name another kind, or None to decide by loss, shapes and y."
            )
        raise ValueError(
            f"{model}: nothing says what its outputs are: {shapes}; pass (x, y) in the form that "
            f"the loss takes, or name kind=, one of {', '.join(KINDS)}."
        )

    def summary(self) -> str:
        """Return the name of the view, and what it takes each output for."""
        found = [f"{name} ({one.kind})" for name, one in self.predicted.items()]
        return type(self).__name__ + (f" of {', '.join(found)}" if found else "")

    def request(self, source: str) -> Request:
        """Request the outputs."""
        return Request(tuple(dict.fromkeys(capture for one in self.predicted.values() for capture in one.captures)))

    def tags(self) -> Mapping[str, None]:
        """Return a tag for each output."""
        return {self._tag(name): None for name in self.predicted}

    def _tag(self, name: str) -> str:
        """Return the tag of an output, or with an empty name what the tags of a single one's scalars begin with."""
        return "/".join(filter(None, ("predictions", self.part_path, name)))

    def measure(self, captured: Any, source: str, step: int) -> Measured:
        """Compare every output with its truth."""
        shown = {name: one.measure(captured, source, self.memory) for name, one in self.predicted.items()}
        scalars: dict[str, float] = {}
        for name, one in shown.items():
            prefix = self._tag(name if len(shown) > 1 else "")
            scalars |= {f"{prefix}/{key}": value for key, value in one.scalars.items()}
        return Measured(step, shown, scalars)

    def describe(self, tag: str) -> str:
        """Return the description of a scalar."""
        about = {name: text for one in self.predicted.values() for name, text in one.scalars.items()}
        if "/iou/" in tag:
            return f"Intersection over union of one class, over all rows of the probe: {tag.rpartition('/')[2]}."
        return about.get(tag.rpartition("/")[2], "")

    def draw(self, measured: Mapping[str, Measured]) -> Iterator[Image]:
        """Draw one image per output and data source."""
        for source, one in measured.items():
            for name, shown in self._shown(one, text=False):
                kind = self.predicted[name]
                notes = " ".join(filter(None, [kind.said(shown, source), one.note]))
                yield Image(source, self._tag(name), kind.draw(shown, source, self.memory, notes), kind.description())

    def texts(self, measured: Mapping[str, Measured]) -> Iterator[TextImage]:
        """Return one table per output and data source, for `kind="text"`."""
        for source, one in measured.items():
            for name, shown in self._shown(one, text=True):
                kind: Any = self.predicted[name]
                yield TextImage(source, self._tag(name), kind.table(shown), kind.description())

    def _shown(self, measured: Measured, *, text: bool) -> list[tuple[str, Shown]]:
        return [(n, one) for n, one in measured.data.items() if isinstance(self.predicted[n], Text) is text]
