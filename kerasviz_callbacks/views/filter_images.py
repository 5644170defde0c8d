"""`FilterImages`: convolution kernels as images, one tile per filter."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from .._typing import Array
from ..callback import MODEL, Image, Measured, View
from ..callback.arguments import one_of
from ..callback.markdown import code_span
from ..draw.colour import DIVERGING
from ..draw.filters import filter_matrix, filter_tiles
from ..draw.text import join_notes, shape_text
from ..maths.choice import largest_norm
from ..maths.geometry import dense_filters, filters_of, image_shape
from ..maths.health import norm, redundancy, turn
from ..maths.scale import count_clipped, robust_max
from ..taps.layers import LayerRef, find, listed, named
from ..taps.weights import (
    Layout,
    cell_gates,
    convolution_layout,
    convolves_one_axis,
    first_dense,
    is_separable,
    kernel,
    kernel_shape,
    overrides_its_computation,
    with_own_kernel,
)

MAX_TILES = 64
_DESCRIPTION = """**Filters of {path}**, {shape}.

*How to read it:* {layout} All steps share one colour scale, symmetric about zero, which never shrinks; it covers
99.5 % of the weights drawn, and the number of those beyond it is printed below.{selection}
{relative}
*Good signs:* edges, blobs and colours emerge from the noise in the first layer.
*Bad signs:* tiles that stay noise while the loss falls (memorisation), identical tiles (redundant filters), tiles that
never change or fade to zero (dead filters).{frozen}"""
_SEPARABLE = """One tile per input channel: the depthwise kernel. The pointwise kernel, which mixes these into
{filters} filters, is not drawn here; `WeightHeatmaps` shows it."""
_FROZEN = " No weight of this layer is trained: it is frozen, and its filters stay as they are."


class FilterImages(View):
    """See how filters develop: convolution kernels, and a first dense layer on images, drawn as images.

    First layer: the kernel in grey or colour. Deeper layers: rows are input channels, columns are filters. At most 64
    tiles per layer: the filters with the largest norm at the first step, the same at every step.

    Args:
        log_dir: the TensorBoard log directory.
        layers: layer names or paths; `None`: convolutions and a first dense layer with image input, at most eight.
        channels: `"each"`: one tile per filter and input channel; `"norm"`: one tile per filter, the norm over its
            input channels.
        relative_to: `"first"` or `"previous"`: draw the change since that step instead of the weights.
        options: `freq`, `start_from_epoch`, `save_dir`, `on_error`; see `View`.

    Raises:
        ValueError: before the first batch, if the model has no filters to show, or a layer in `layers` has none.

    Example:
        >>> model.fit(x, y, callbacks=[kv.FilterImages("logs", layers=["conv1"])])  # doctest: +SKIP
    """

    scalar_descriptions: ClassVar[Mapping[str, str]] = {
        "redundancy": "Fan-in times the mean squared cosine between two filters: about 1 for random filters, the "
        "fan-in if all are equal. A health metric, not a sign of overfitting.",
        "turn": "Mean of 1 - cosine between each filter now and at the previous step: how much the filters still "
        "change direction.",
        "norm": "Mean norm of the filters.",
    }

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

    def can_prepare(self) -> bool:
        """Return whether the model is built; without an `Input` it has no weights until it is called."""
        return self.has_weights()

    def prepare(self) -> None:
        """Find the kernels."""
        model, known = self.read_model(), self.list_layers()
        kernels = {kernel.ref.path: kernel for kernel in filter_kernels(model, known)}
        if self.layers is None:
            if not kernels:
                raise ValueError(
                    f'layers=None: model "{model.name}" has neither a convolution nor a dense layer with '
                    "image input, so there are no filters to show; leave FilterImages out, or name layers that have "
                    f"kernels. Its layers: {', '.join(ref.path for ref in known[:6]) or 'none'}."
                )
            chosen = self.evenly(with_own_kernel([one.ref for one in kernels.values()]))
        else:
            chosen = []
            for name in self.layers:
                ref = find(known, name, argument="layers")[0]
                if ref.path not in kernels:
                    raise ValueError(
                        f'layers="{ref.path}": {type(ref.layer).__name__} has no filters to show as images; '
                        f"layers that have: {', '.join(kernels) or 'none'}."
                    )
                chosen.append(ref.path)
        self._kernels = {path: kernels[path] for path in chosen}
        self._counts = {path: kernel.filters().shape[:2] for path, kernel in self._kernels.items()}
        self._frozen = {path for path in chosen if not kernels[path].ref.layer.trainable_variables}

    def summary(self) -> str:
        """Return the name of the view and its layers."""
        return f"{type(self).__name__} of {listed(list(self._kernels), self.selection)}"

    def tags(self) -> Mapping[str, None]:
        """Return one image tag per layer."""
        return dict.fromkeys(f"filters/{path}" for path in self._kernels)

    def capture(self, step: int) -> dict[str, dict[str, Array]]:
        """Copy the kernels, `(filters, inputs, *spatial)`."""
        return {MODEL: {path: kernel.filters() for path, kernel in self._kernels.items()}}

    def measure(self, captured: dict[str, Array], source: str, step: int) -> Measured:
        """Return the filters to draw and the scalars of each layer."""
        history, data, scalars = self.memory.for_source(source), {}, {}
        for path, filters in captured.items():
            rows = filters.reshape(len(filters), -1)
            before = history.get(f"previous {path}")
            scalars[f"health/{path}/redundancy"] = redundancy(rows)
            scalars[f"health/{path}/turn"] = np.nan if before is None else turn(rows, before.reshape(rows.shape))
            scalars[f"health/{path}/norm"] = norm(rows)
            shown = self._shown(path, filters, history)
            history[f"previous {path}"] = filters
            self.memory.extend_scale(path, robust_max(shown))
            data[path] = shown
        return Measured(step, data, scalars)

    def _shown(self, path: str, filters: Array, history: dict[Any, Any]) -> Array:
        """Return the chosen filters and input channels, or their change with `relative_to`."""
        if self.relative_to is not None:
            history.setdefault(f"first {path}", filters)
            filters = filters - history.get(f"{self.relative_to} {path}", filters)
        if path not in self.memory.shared:
            self.memory.shared[path] = self._choice(history.get(f"first {path}", filters))
        chosen, inputs = self.memory.shared[path]
        part = filters[chosen]
        if self.channels == "norm" and filters.shape[1] > 1:
            return np.asarray(np.sqrt(np.square(part.astype(np.float64)).sum(axis=1, keepdims=True)))
        return np.asarray(part[:, inputs])

    def _choice(self, filters: Array) -> tuple[Array, Array]:
        """Choose the filters and input channels to draw at this and all later steps."""
        count, inputs = filters.shape[:2]
        one_tile = inputs in (1, 3) or filters.ndim == 3 or self.channels == "norm"
        norms = np.linalg.norm(filters.reshape(count, -1).astype(np.float64), axis=1)
        chosen = largest_norm(norms, MAX_TILES if one_tile else 8)
        by_input = np.square(filters[chosen].astype(np.float64)).sum(axis=(0, *range(2, filters.ndim)))
        most = inputs if inputs == 3 else 32 if filters.ndim == 3 else max(8, MAX_TILES // max(1, len(chosen)))
        return chosen, largest_norm(by_input, most)

    def draw(self, measured: Mapping[str, Measured]) -> Iterator[Image]:
        """Draw one image per layer."""
        one = measured[MODEL]
        for path, shown in one.data.items():
            layer = self._kernels[path].ref.layer
            shape = f"{'depthwise ' * is_separable(layer)}kernel {shape_text(kernel_shape(layer))}"
            selection = self._selection(path)
            caption = f"{path}   {shape}{'   frozen' * (path in self._frozen)}"
            about = _DESCRIPTION.format(
                path=code_span(path),
                shape=shape,
                layout=self._layout(path),
                relative=f"The tiles show the change since the {self.relative_to} step.\n" if self.relative_to else "",
                frozen=_FROZEN if path in self._frozen else "",
                selection=f"\nDrawn are {selection}; the same at every step." if selection else "",
            )
            yield Image(MODEL, f"filters/{path}", self._picture(path, shown, caption, one.note), about)

    def _layout(self, path: str) -> str:
        """Return what the tiles are, in words."""
        layer = self._kernels[path].ref.layer
        if is_separable(layer):
            return _SEPARABLE.format(filters=layer.filters)
        one_tile = self.memory.shared[path][1].size in (1, 3) or self.channels == "norm"
        text = "One tile per filter." if one_tile else "Rows: input channels. Columns: filters."
        if convolves_one_axis(layer):
            text = f"One tile per filter: {self._tile_axes(path)}."
        gates = cell_gates(layer)
        return text if gates is None else f"{text} The letter before a filter's number is its gate: {gates.meaning}."

    def _tile_axes(self, path: str) -> str:
        """Return what runs along the sides of a tile of a one-dimensional convolution."""
        drawn = 1 if self.channels == "norm" else self.memory.shared[path][1].size
        return "kernel positions across" + (", input channels down" if drawn > 1 else "")

    def _numbers(self, path: str) -> list[Any]:
        """Return the numbers of the filters drawn; in a recurrent cell within their gate, with its letter."""
        chosen, gates = self.memory.shared[path][0].tolist(), cell_gates(self._kernels[path].ref.layer)
        if gates is None:
            return list(chosen)
        each = self._counts[path][0] // len(gates.names)
        return [f"{gates.names[number // each]}{number % each}" for number in chosen]

    def _selection(self, path: str) -> str:
        """Return which filters and input channels are drawn, in words; nothing if all are."""
        (chosen, inputs), (filters, channels) = self.memory.shared[path], self._counts[path]
        kind = "depthwise filters" if is_separable(self._kernels[path].ref.layer) else "filters"
        parts = [f"{len(chosen)} of {filters:,} {kind}"] if len(chosen) < filters else []
        if self.channels == "each" and len(inputs) < channels:
            parts.append(f"{len(inputs)} of {channels:,} inputs")
        return f"{' and '.join(parts)}, those of largest norm at the first step" if parts else ""

    def _left_out(self, path: str) -> str:
        """Return the gates of the layer, what of it is not drawn, and whether it may compute with another kernel."""
        layer = self._kernels[path].ref.layer
        own = (
            f"stored kernel; {type(layer).__name__} may compute with another"
            if overrides_its_computation(layer)
            else ""
        )
        pointwise = f"without the pointwise kernel, which makes {layer.filters} filters" if is_separable(layer) else ""
        gates = cell_gates(layer)
        return join_notes(f"gates: {gates.meaning}" if gates else "", self._selection(path), pointwise, own)

    def _picture(self, path: str, shown: Array, caption: str, note: str) -> Array:
        inputs, scale = self.memory.shared[path][1], self.memory.scales[path]
        note = join_notes(count_clipped(shown, scale, "weight"), note)
        if self.relative_to is not None:
            caption += f"   change since the {self.relative_to} step"
        tiles, colours, numbers = _flat(shown), DIVERGING, self._numbers(path)
        options: dict[str, Any] = {"scale": scale, "note": note}
        if shown.ndim == 5 and shown.shape[2] > 1:
            caption += f"   {shown.shape[2]} slices side by side"
            options["slice_width"] = shown.shape[-1]
        norm = self.channels == "norm" and len(inputs) != 1 and (shown.ndim == 3 or shown.shape[1] == 1)
        if norm:
            caption, colours = f"{caption}   norm over inputs", "viridis"
        axes = f"tiles: {self._tile_axes(path)}" if shown.ndim == 3 else ""
        caption = f"{caption}\n{join_notes(axes, self._left_out(path))}".rstrip()
        if shown.ndim == 3:
            tiles = shown
        elif shown.shape[1] == 1:
            tiles = tiles[:, 0]
            colours = "grey" if self.relative_to is None and not norm else colours
        elif shown.shape[1] == 3 and list(inputs) == [0, 1, 2] and self.relative_to is None:
            tiles = np.moveaxis(tiles, 1, -1)
        else:
            rows, tiles = list(inputs), np.swapaxes(tiles, 0, 1)
            return filter_matrix(tiles, caption=caption, row_numbers=rows, column_numbers=numbers, **options)
        return filter_tiles(tiles, caption=caption, numbers=numbers, colours=colours, **options)


@dataclass(frozen=True)
class Kernel:
    """The kernel of one layer as filters."""

    ref: LayerRef
    layout: Layout = "conv"  # axis order of the kernel of a convolution
    image_shape: tuple[int, int, int] | None = None  # for a dense layer, the shape `(h, w, c)` of its input images

    def filters(self) -> Array:
        """Copy the current weights, float32 `(filters, inputs, *spatial)`."""
        weights = kernel(self.ref.layer)
        if self.image_shape is not None:
            return dense_filters(weights, self.image_shape)
        return filters_of(weights, self.layout)


def filter_kernels(model: Any, known: Sequence[LayerRef]) -> list[Kernel]:
    """Return the kernels of a first dense layer with image input and of all convolutions, in the order of `layers`."""
    found = []
    dense = first_dense(model, known)
    if dense is not None and image_shape(dense[1]) is not None:
        found.append(Kernel(dense[0], image_shape=image_shape(dense[1])))
    for ref in known:
        layout = convolution_layout(ref.layer)
        if layout is not None and ref.layer.built:
            found.append(Kernel(ref, layout))
    return found


def _flat(filters: Array) -> Array:
    """Return `(filters, inputs, h, w)`: slices of volumes side by side, separated by a column."""
    if filters.ndim != 5:
        return filters
    padded = np.pad(filters, ((0, 0), (0, 0), (0, 0), (0, 0), (0, 1)))
    joined = np.concatenate([padded[:, :, depth] for depth in range(filters.shape[2])], axis=-1)
    return joined[..., :-1]
