"""`FilterImages`: the kernels themselves, one tile a filter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ..callback import MODEL, Image, Measured, View
from ..callback.arguments import one_of
from ..callback.markdown import code_span
from ..draw.filters import filter_matrix, filter_tiles
from ..draw.text import join_notes, shape_text
from ..maths.choice import evenly_by_depth, largest_norm
from ..maths.geometry import dense_filters, filters_of, image_shape
from ..maths.health import norm, redundancy, turn
from ..maths.scale import count_clipped, robust_max
from ..taps.layers import LayerRef, find, listed, named
from ..taps.weights import Layout, convolution_layout, first_dense, kernel, kernel_shape

Array = np.ndarray[Any, Any]
MOST_TILES = 64
_DESCRIPTION = """**The filters of {path}**, {shape}.

*How to read it:* {layout} Every step has one scale, symmetric round zero; it only grows, and reaches 99.5 % of
the weights, the few beyond are counted below.
{relative}
*Good signs:* edges, blobs and colours form out of the noise in the first layer.
*Bad signs:* tiles that stay noise while the loss falls (memorising), tiles that are all alike (redundant filters),
tiles that never change or fade to nothing (dead filters)."""
_SCALARS = {
    "redundancy": "Fan-in times the mean squared cosine between two filters: about 1 for random filters, the fan-in if "
    "all are equal. A health figure, not a sign of overfitting.",
    "turn": "Mean of 1 - cosine between each filter now and at the step before: how much the filters still change "
    "direction.",
    "norm": "Mean length of the filters.",
}


class FilterImages(View):
    """See which filters form: the kernels of convolutions, and of a first dense layer as pictures of the input.

    First layer: the kernel itself, grey or in colour. Deeper layers: rows are input channels, columns are filters. At
    most 64 tiles a layer; the filters of largest norm at the first step, kept from then on.

    Args:
        log_dir: where TensorBoard looks.
        layers: names or paths; `None`: convolutions and a first dense layer that is fed pictures, at most eight.
        channels: `"each"`: a tile for each input channel; `"norm"`: one tile a filter, the norm over its inputs.
        relative_to: `"first"` or `"previous"`: draw the change since that step instead of the weights.
        options: `freq`, `start_from_epoch`, `save_dir`, `on_error`; see `View`.

    Raises:
        ValueError: before the first batch, if the model has nothing to show or a layer named has no such kernel.

    Example:
        >>> model.fit(x, y, callbacks=[kv.FilterImages("logs", layers=["conv1"])])  # doctest: +SKIP
    """

    def __init__(
        self,
        log_dir: Any = "logs",
        *,
        layers: Sequence[Any] | None = None,
        channels: Literal["each", "norm"] = "each",
        relative_to: Literal["first", "previous"] | None = None,
        **options: Any,
    ):
        super().__init__(log_dir, **options)
        one_of(channels, "channels", "each", "norm")
        one_of(relative_to, "relative_to", "first", "previous", None)
        self.layers = None if layers is None else named(layers)
        self.channels, self.relative_to = channels, relative_to
        self._kernels: dict[str, Kernel] = {}

    def ready(self) -> bool:
        """A model without an `Input` has no weights before it is called; its untrained filters cannot be shown."""
        return bool(self.model.built)

    def prepare(self) -> None:
        """Find the kernels."""
        known = self.fit_context.layers()
        kernels = filter_kernels(self.model, known)
        if self.layers is None:
            if not kernels:
                raise ValueError(
                    f'layers=None: model "{self.model.name}" has neither a convolution nor a dense layer that is fed '
                    "pictures, so there are no filters to show; leave FilterImages out, or name layers that have "
                    f"kernels. Its layers: {', '.join(ref.path for ref in known[:6]) or 'none'}."
                )
            chosen = evenly_by_depth(kernels)
        else:
            by_path = {kernel.ref.path: kernel for kernel in kernels}
            chosen = []
            for wanted in self.layers:
                ref = find(known, wanted, argument="layers")[0]
                if ref.path not in by_path:
                    raise ValueError(
                        f'layers="{ref.path}": {type(ref.layer).__name__} has no filters to show as pictures; '
                        f"those that have: {', '.join(by_path) or 'none'}."
                    )
                chosen.append(by_path[ref.path])
        self._kernels = {kernel.ref.path: kernel for kernel in chosen}

    def summary(self) -> str:
        """The view and its layers."""
        return f"{type(self).__name__} of {listed(list(self._kernels))}"

    def capture(self, step: int) -> dict[str, dict[str, Array]]:
        """Copies of the kernels, `(filters, inputs, *spatial)`."""
        return {MODEL: {path: kernel.filters() for path, kernel in self._kernels.items()}}

    def measure(self, captured: dict[str, Array], source: str, step: int) -> Measured:
        """What is drawn of each layer, and its figures."""
        own, numbers, scalars = self.memory.for_source(source), {}, {}
        for path, filters in captured.items():
            rows = filters.reshape(len(filters), -1)
            before = own.get(f"previous {path}")
            scalars[f"filters/{path}/redundancy"] = redundancy(rows)
            scalars[f"filters/{path}/turn"] = np.nan if before is None else turn(rows, before.reshape(rows.shape))
            scalars[f"filters/{path}/norm"] = norm(rows)
            shown = self._shown(path, filters, own)
            own[f"previous {path}"] = filters
            self.memory.extend_scale(path, robust_max(shown))
            numbers[path] = shown
        return Measured(step, numbers, scalars)

    def _shown(self, path: str, filters: Array, own: dict[Any, Any]) -> Array:
        """The chosen filters and inputs; their change, if that is asked for."""
        if self.relative_to is not None:
            own.setdefault(f"first {path}", filters)
            reference = own[f"first {path}"] if self.relative_to == "first" else own.get(f"previous {path}", filters)
            filters = filters - reference
        chosen, inputs = self._choice(path, own.get(f"first {path}", filters))
        part = filters[chosen]
        if self.channels == "norm" and filters.shape[1] > 1:
            lengths: Array = np.sqrt(np.square(part.astype(np.float64)).sum(axis=1, keepdims=True))
            return lengths
        return np.asarray(part[:, inputs])

    def _choice(self, path: str, filters: Array) -> tuple[Array, Array]:
        """Which filters and which of their inputs are drawn: decided at the first step, then kept."""
        if path not in self.memory.shared:
            count, inputs = filters.shape[:2]
            one_tile = inputs in (1, 3) or filters.ndim == 3 or self.channels == "norm"
            norms = np.linalg.norm(filters.reshape(count, -1).astype(np.float64), axis=1)
            chosen = largest_norm(norms, MOST_TILES if one_tile else 8)
            by_input = np.square(filters[chosen].astype(np.float64)).sum(axis=(0, *range(2, filters.ndim)))
            most = inputs if inputs == 3 else 32 if filters.ndim == 3 else max(8, MOST_TILES // max(1, len(chosen)))
            self.memory.shared[path] = (chosen, largest_norm(by_input, most))
        choice: tuple[Array, Array] = self.memory.shared[path]
        return choice

    def draw(self, measured: Mapping[str, Measured]) -> Iterator[Image]:
        """A picture a layer."""
        one = measured[MODEL]
        for path, shown in one.data.items():
            shape = shape_text(self._kernels[path].shape)
            picture = self._picture(path, shown, f"{path}   kernel {shape}", one.note)
            yield Image(MODEL, f"filters/{path}", picture, self._describe_picture(path, shape))

    def _picture(self, path: str, shown: Array, caption: str, note: str) -> Array:
        chosen, inputs = self.memory.shared[path]
        scale = self.memory.scales[path]
        note = join_notes(count_clipped(shown, scale), note)
        if self.relative_to is not None:
            caption += f"   change since the {self.relative_to} step"
        tiles = _flat(shown)
        if shown.ndim == 3:  # signals: a filter is its inputs x taps
            return filter_tiles(shown, scale=scale, caption=caption, note=note, numbers=list(chosen))
        if self.channels == "norm" and shown.shape[1] == 1 and len(inputs) != 1:
            caption += "   norm over inputs"
            return filter_tiles(
                tiles[:, 0], scale=scale, caption=caption, note=note, numbers=list(chosen), colours="viridis"
            )
        if shown.shape[1] == 1:
            colours = "RdBu_r" if self.relative_to else "grey"
            return filter_tiles(
                tiles[:, 0], scale=scale, caption=caption, note=note, numbers=list(chosen), colours=colours
            )
        if shown.shape[1] == 3 and list(inputs) == [0, 1, 2] and self.relative_to is None:
            coloured = np.moveaxis(tiles, 1, -1)
            return filter_tiles(coloured, scale=scale, caption=caption, note=note, numbers=list(chosen))
        return filter_matrix(
            np.swapaxes(tiles, 0, 1),
            scale=scale,
            caption=caption,
            row_numbers=list(inputs),
            column_numbers=list(chosen),
            note=note,
        )

    def _describe_picture(self, path: str, shape: str) -> str:
        layout = (
            "One tile a filter." if self.memory.shared[path][1].size in (1, 3) else "Rows: inputs. Columns: filters."
        )
        relative = f"Shown is the change since the {self.relative_to} step.\n" if self.relative_to else ""
        return _DESCRIPTION.format(path=code_span(path), shape=f"kernel {shape}", layout=layout, relative=relative)

    def describe(self, tag: str) -> str:
        """What the scalar means."""
        return _SCALARS[tag.rsplit("/", 1)[-1]]

    def __getstate__(self) -> dict[str, Any]:
        """As for `View`; the layers belong to the model, and are found again."""
        return {**super().__getstate__(), "_kernels": {}}


@dataclass(frozen=True)
class Kernel:
    """One layer's weights, seen as filters.

    Attributes:
        place: the layer.
        layout: of a convolution, how its kernel is laid out.
        picture: of a dense layer, the `(h, w, c)` of the picture it is fed.
    """

    ref: LayerRef
    layout: Layout = "conv"
    picture: tuple[int, int, int] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """As the layer keeps it."""
        return kernel_shape(self.ref.layer)

    def filters(self) -> Array:
        """A copy of the weights now, `(filters, inputs, *spatial)`, float32."""
        weights = kernel(self.ref.layer)
        return filters_of(weights, self.layout) if self.picture is None else dense_filters(weights, self.picture)


def filter_kernels(model: Any, known: Sequence[LayerRef]) -> list[Kernel]:
    """The first dense layer's kernel where it is fed pictures, and every convolution's, in the order of tracking."""
    found = []
    dense = first_dense(model, known)
    if dense is not None and image_shape(dense[1]) is not None:
        found.append(Kernel(dense[0], picture=image_shape(dense[1])))
    for ref in known:
        layout = convolution_layout(ref.layer)
        if layout is not None and ref.layer.built:
            found.append(Kernel(ref, layout))
    return found


def _flat(filters: Array) -> Array:
    """`(filters, inputs, h, w)`: the slices of volumes side by side, a column of zeros between."""
    if filters.ndim != 5:
        return filters
    padded = np.pad(filters, ((0, 0), (0, 0), (0, 0), (0, 0), (0, 1)))
    joined = np.concatenate([padded[:, :, depth] for depth in range(filters.shape[2])], axis=-1)
    return joined[..., :-1]
