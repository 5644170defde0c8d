"""The parts of a model: the models and blocks that it holds, by the attributes that hold them, and what they make."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from .. import _keras
from ..maths.geometry import image_shape
from .layers import below, children, has_call
from .reader import Reader

Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class Part:
    """A part of a model: a nested model, or a layer with sublayers."""

    path: str  # attributes from the model to the part, such as `"gan/generator"`; own names where no attribute holds it
    layer: Any


def list_parts(model: Any) -> list[Part]:
    """All parts of a model at any depth, each once, in the order in which Keras tracks them, the outer ones first."""
    return list(_parts(model, "", {id(model)}))


def _parts(holder: Any, prefix: str, seen: set[int]) -> Iterator[Part]:
    names: dict[int, str] = {}
    for name, layer in _keras.held_layers(holder):
        names.setdefault(id(layer), name)
    for child in children(holder):
        if id(child) not in seen and children(child):
            seen.add(id(child))
            path = prefix + names.get(id(child), child.name)
            yield Part(path, child)
            yield from _parts(child, f"{path}/", seen)


def find_part(model: Any, wanted: Any, *, argument: str = "model") -> Part:
    """The part that `wanted` means: an attribute or a path of them (`"gan.generator"`), a layer's name, or the part.

    Raises:
        ValueError: no such part, or several of that name; the error lists the parts.
    """
    known = list_parts(model)
    if isinstance(wanted, keras.layers.Layer):
        text, found = f"<{type(wanted).__name__} {wanted.name!r}>", [one for one in known if one.layer is wanted]
    else:
        text, path = f'"{wanted}"', str(wanted).replace(".", "/")
        found = [one for one in known if one.path == path]
        found = found or [one for one in known if one.layer.name == wanted or one.path.endswith("/" + path)]
    if len(found) == 1:
        return found[0]
    if found:
        raise ValueError(f"{argument}={text}: several parts have this name; give one path of {listed_parts(found)}.")
    raise ValueError(
        f'{argument}={text}: not a part of model "{model.name}"; expected one of {listed_parts(known)}, by the '
        "attribute that holds it, or the part itself."
    )


def listed_parts(parts: Sequence[Part]) -> str:
    """The paths of parts as a user writes them, of many the first eight."""
    shown = ", ".join('"' + one.path.replace("/", ".") + '"' for one in parts[:8])
    return f"{shown}, ..." if len(parts) > 8 else shown or "none: it has no parts"


def callable_parts(model: Any) -> list[Part]:
    """Of a model without `call`, its outermost parts that can be called and have weights; unbuilt ones count too."""
    known = [part for part in list_parts(model) if has_call(part.layer)]
    inner = {id(layer) for part in known for layer in below(part.layer)}
    return [one for one in known if id(one.layer) not in inner and (not one.layer.built or one.layer.weights)]


def unbuilt_parts(model: Any) -> list[Part]:
    """Of a model without `call`, the parts and layers that can be called and do not have their weights yet."""
    known, held = list_parts(model), [Part(name, layer) for name, layer in _keras.held_layers(model)]
    outer = {id(part.layer) for part in held}
    every = [*held, *(part for part in known if id(part.layer) not in outer)]
    return [part for part in every if has_call(part.layer) and not _has_weights(part.layer)]


def is_built(model: Any, *, partly: bool = False) -> bool:
    """Whether a model has its weights: of one without `call` all parts, or with `partly` some of them.

    `built` of a model without `call` stays False although its parts are built.
    """
    if has_call(model):
        return bool(model.built)
    held = children(model)
    if partly:
        return any(is_built(one, partly=True) if not has_call(one) else bool(one.weights) for one in held)
    return bool(held) and all(_has_weights(one) for one in held)


def _has_weights(layer: Any) -> bool:
    """Whether a part of a model has all weights that it will have, if any: a layer that augments has none."""
    if not has_call(layer):
        return is_built(layer)
    leaves = [one for one in (layer, *below(layer)) if not children(one)]
    return bool(layer.built or (leaves and not any(map(_awaits_weights, leaves))))


def _awaits_weights(layer: Any) -> bool:
    """Whether a layer may make weights when it is built: not if it has no `build`, as those that augment."""
    return not layer.built and type(layer).build is not keras.layers.Layer.build


def input_shapes(part: Any) -> list[Shape] | None:
    """The shapes of a part's inputs without the batch, of a subclassed one those with which it was built.

    `None` if they are not known.
    """
    try:
        inputs = keras.tree.flatten(part.inputs)
    except AttributeError:  # a subclassed model, or one that is not built
        config = part.get_build_config() if part.built else None
        shape = (config or {}).get("input_shape")
        return [tuple(shape[1:])] if isinstance(shape, (tuple, list)) and _is_one_shape(shape) else None
    return [tuple(one.shape[1:]) for one in inputs] or None


def output_shapes(part: Any) -> list[Shape] | None:
    """The shapes of a part's outputs without the batch; `None` if they cannot be known without data."""
    try:
        return [tuple(one.shape[1:]) for one in keras.tree.flatten(part.outputs)]
    except AttributeError:
        given = input_shapes(part)
    if given is None or len(given) != 1 or None in given[0]:
        return None
    try:
        return list(Reader(part, np.zeros((1, *given[0]), np.float32)).output_shapes)
    except Exception:  # it takes something else; what it makes is then not known
        return None


def generators(model: Any) -> list[Part]:
    """The parts of a model that make pictures of a vector: GAN generators and decoders, in the order of the attributes.

    Needs no data, computes nothing and changes nothing: a generator is a built part with one input `(d,)` and an output
    of the shape of pictures, `(h, w)`, `(h, w, c)`. The model may have a `call` or not; if no part is a generator, the
    list is empty. `part.path` is the name for tags, `part.layer` is called on `(n, d)`.
    """
    return [one for one in list_parts(model) if one.layer.built and _makes_pictures(one.layer)]


def _makes_pictures(part: Any) -> bool:
    given = input_shapes(part)
    if given is None or len(given) != 1 or len(given[0]) != 1 or given[0][0] is None:
        return False
    made = output_shapes(part)
    return bool(made) and len(made[0]) > 1 and None not in made[0] and image_shape(made[0]) is not None  # type: ignore[arg-type,index]


def _is_one_shape(shape: Sequence[Any]) -> bool:
    return all(size is None or isinstance(size, int) for size in shape)
