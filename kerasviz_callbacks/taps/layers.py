"""The layers of a model by path, and the lookup of layers by what the user calls them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from .. import _keras

_DIGITS = 9  # of a call index, at most: Python refuses to parse integers of thousands of digits


@dataclass(frozen=True)
class LayerRef:
    """One layer of a model and its path."""

    path: str  # names from the root (excluded) to the layer, such as `"backbone/conv5"`; unique in the model
    layer: Any  # or an operation of a functional model (`x + y`, `keras.ops.relu(x)`)
    leaf: bool  # whether it is a layer without sublayers
    frames: LayerRef | None = None  # the outermost `TimeDistributed` around it, which calls it once a frame

    @property
    def name(self) -> str:
        """The layer's own name: the last part of its path."""
        return self.path.rsplit("/", 1)[-1]


def list_layers(model: Any, paths: Mapping[int, str] | None = None) -> list[LayerRef]:
    """All layers of a model, nested ones included, each once, in the order in which Keras tracks them.

    `paths` holds, by the `id` of a layer, a path that replaces the one of its name: of the model itself, what all paths
    begin with. Default: of a model without `call` the attributes that hold its parts, see `attribute_paths`.
    """
    paths = attribute_paths(model) if paths is None else paths
    prefix = f"{paths[id(model)]}/" if id(model) in paths else ""
    return list(_below(model, prefix, {id(model)}, set(), paths, None))


def has_frames(layers: Iterable[LayerRef]) -> bool:
    """Whether a model reads clips frame by frame, not volumes: a recurrent layer or `TimeDistributed` is among its."""
    recurrent = (keras.layers.RNN, keras.layers.Bidirectional, keras.layers.TimeDistributed)
    return any(isinstance(ref.layer, recurrent) for ref in layers)


def has_call(model: Any) -> bool:
    """Whether a model has a `call`; without one it is a holder of parts that its `train_step` calls."""
    return "call" in vars(model) or type(model).call not in (keras.Model.call, keras.layers.Layer.call)


def has_own_train_step(model: Any) -> bool:
    """Whether a model trains by a `train_step` of its own, which alone knows its loss."""
    known = keras.Model.train_step
    return "train_step" in vars(model) or getattr(type(model), "train_step", known) is not known


def attribute_paths(model: Any, prefix: str = "") -> dict[int, str]:
    """By `id`, the attributes that hold the parts of a model without `call`: `encoder`, `gan/generator`, `networks/0`.

    Attributes tell parts apart whose layers have equal or automatic names. A part that has a `call` is not entered.
    """
    found: dict[int, str] = {}
    waiting = [] if has_call(model) else [(prefix, model)]
    while waiting:
        start, holder = waiting.pop(0)
        for name, part in _keras.held_layers(holder):
            if id(part) not in found and part is not model:
                found[id(part)] = start + name
                if not has_call(part):
                    waiting.append((f"{start}{name}/", part))
    return found


def _below(
    layer: Any, prefix: str, seen: set[int], captured: set[str], paths: Mapping[int, str], frames: LayerRef | None
) -> Iterator[LayerRef]:
    for child in children(layer):
        if id(child) in seen:
            continue
        seen.add(id(child))
        path = _unique(paths.get(id(child), prefix + child.name), captured)
        ref = LayerRef(path, child, not children(child), frames)
        yield ref
        around = ref if frames is None and isinstance(child, keras.layers.TimeDistributed) else frames
        yield from _below(child, path + "/", seen, captured, paths, around)
    for operation in operations(layer):
        if id(operation) not in seen:
            seen.add(id(operation))
            yield LayerRef(_unique(prefix + operation.name, captured), operation, False, frames)


def children(layer: Any) -> list[Any]:
    """The direct sublayers: attributes, lists and dicts of layers, the layers of a model."""
    return [one for one in _keras.child_layers(layer) if not isinstance(one, keras.layers.InputLayer)]


def below(layer: Any) -> list[Any]:
    """All sublayers at any depth, each once."""
    found: dict[int, Any] = {}
    waiting = [layer]
    while waiting:
        for child in children(waiting.pop()):
            if id(child) not in found and child is not layer:
                found[id(child)] = child
                waiting.append(child)
    return list(found.values())


def operations(layer: Any) -> list[Any]:
    """The operations of a functional model that are no layers, such as `x + y`."""
    return [one for one in getattr(layer, "operations", ()) if not isinstance(one, keras.layers.Layer)]


def _unique(path: str, captured: set[str]) -> str:
    """Make a path unique; two layers of a subclassed model may share a name."""
    number, free = 1, path
    while free in captured:
        number += 1
        free = f"{path}_{number}"
    captured.add(free)
    return free


def listed(paths: Sequence[str], selection: str = "") -> str:
    """A short text: all paths, or the first, the last and the count (or `selection`) where there are more than four."""
    if not paths:
        return "layers that are not known yet"
    if len(paths) <= 4:
        return ", ".join(paths) + (f" ({selection})" if selection else "")
    return f"{paths[0]} to {paths[-1]} ({selection or f'{len(paths)} layers'})"


def named(layers: Any) -> list[Any]:
    """The layers that the user named, as a list; TypeError for anything but a list, ValueError for an empty one."""
    if isinstance(layers, str) or not isinstance(layers, Sequence):
        raise TypeError(f"layers={layers!r}: expected a list of names or paths, such as [{layers!r}].")
    if not layers:
        raise ValueError("layers=[]: name at least one layer, or leave it out.")
    return list(layers)


def find(known: Sequence[LayerRef], wanted: Any, *, argument: str = "layer") -> tuple[LayerRef, int | None]:
    """The layer that `wanted` names, and the index of its call (`None`: the last).

    Args:
        known: the model's layers, from `list_layers`.
        wanted: a path, a name, the end of a path, any of them with `:k` for the k-th call, or the layer itself.
        argument: the user's name for it, for the error.

    Raises:
        ValueError: no such layer (the error lists the nearest) or several of that name (it lists their paths).
        TypeError: neither a str nor a layer.
    """
    if isinstance(wanted, keras.layers.Layer):
        for ref in known:
            if ref.layer is wanted:
                return ref, None
        raise ValueError(f'{argument}=<{type(wanted).__name__} "{wanted.name}">: not a layer of this model.')
    if not isinstance(wanted, str):
        raise TypeError(f"{argument}={wanted!r}: expected a layer's name or path, got {type(wanted).__name__}.")
    path, colon, number = wanted.rpartition(":")
    is_call = colon and number.isdecimal() and len(number) <= _DIGITS
    path, call = (path, int(number)) if is_call else (wanted, None)
    matches = [ref for ref in known if ref.path == path]
    matches = matches or [ref for ref in known if ref.layer.name == path or ref.path.endswith("/" + path)]
    if len(matches) == 1:
        return matches[0], call
    if matches:
        paths = ", ".join(f'"{ref.path}"' for ref in matches)
        raise ValueError(f'{argument}="{wanted}": several layers have this name; give one path of {paths}.')
    raise ValueError(f'{argument}="{wanted}": no such layer; {_nearest(known, path)}')


def _nearest(known: Sequence[LayerRef], path: str) -> str:
    if not known:
        return "the model has no layers yet: call it once, or give it an Input."
    by_name = {ref.name: ref.path for ref in reversed(known)} | {ref.path: ref.path for ref in known}
    close = difflib.get_close_matches(path, list(by_name), n=6, cutoff=0.5)
    close += difflib.get_close_matches(path.rsplit("/", 1)[-1], list(by_name), n=6, cutoff=0.5)
    nearest = list(dict.fromkeys(by_name[one] for one in close))[:3]
    if nearest:
        return "nearest: " + ", ".join(f'"{one}"' for one in nearest) + "."
    some = ", ".join(f'"{ref.path}"' for ref in known[:8])
    return f"the model has {some}{', ...' if len(known) > 8 else ''}."
