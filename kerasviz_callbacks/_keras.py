"""Every private name of Keras that the package uses, each behind a function with a fallback.

A private name may be missing from the next release of Keras. No training ends for that: a feature is lost, or a public
way is taken, and a warning says so once. Nothing else in the package touches a private name of Keras, except
`_autodiff/` (see below); a test hides each name in turn and trains.

- `Layer._flatten_layers`: the layers that a layer holds. Without it, `layers` and the attributes are searched.
- `Layer._losses`, `Layer._loss_ids`: to restore a layer's losses after a pass, and `Layer._clear_losses`: to drop those
  of a first, symbolic call. Without them, the model's next call clears what our pass has left.
- `Layer._seed_generators`: whether a layer draws random numbers. Without it, the attributes are searched.
- `KerasTensor._keras_history`: which layer makes an output of the model. Without it, that layer may pass for the
  bottleneck of `Coefficients(layer=None)`.
- `Model._compile_loss`, `CompileLoss._user_loss`, `CompileLoss._user_loss_weights`: a copy of the loss of `compile`,
  for the further training step of `WeightHeatmaps`. Without them there is no step, and the weights are shown alone.
- `Model._compute_loss`: that loss with added losses. Without it, `compute_loss` is called.
- `Optimizer._clip_gradients`: what clipping leaves of the gradients of that step. Without it there is no step.
- `Optimizer._iterations`, `Optimizer._accumulated_gradients`: that step, where gradients accumulate over batches.
  Without them there is no step.
- `Optimizer._exclude_from_weight_decay`, `Optimizer._exclude_from_weight_decay_pattern`, `Optimizer._var_key`: to copy
  an optimizer that decays weights. Without them there is no step.
- `keras.src.backend.common.global_state`: to save and restore the state of random numbers drawn without a seed of
  their own. Without it, a model that draws such numbers at inference changes the training.
- `keras.src.random.seed_generator.GLOBAL_SEED_GENERATOR`: the key of that state. Without it, as in Keras 3.10,
  the key is taken to be the usual one.
- `Dataset._tensors`, `Dataset._inputs` of `tf.data`: the size of a data set in memory. Without them a data set is
  copied whatever its size, where TensorFlow can.

In `_autodiff/`: `_keras_logits` of an eager output, the logits behind its softmax; without it the output is taken as it
is, and a softmax asks for `score="output"`.
"""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

_BOOKKEEPING = {"_layers", "_functional", "_operations", "_operations_by_depth", "_inbound_nodes", "_outbound_nodes"}
_warned: set[str] = set()  # what was warned of already


class MissingNameError(RuntimeError):
    """Keras has no longer a private name without which no training step can be copied; the message says which."""


def child_layers(layer: Any) -> list[Any]:
    """The layers that `layer` holds directly, in its order: attributes, also in containers, or a model's `layers`."""
    flatten = getattr(layer, "_flatten_layers", None)
    if flatten is not None:
        return list(flatten(include_self=False, recursive=False))
    if _is_layer(layer):
        _warn_once("Layer._flatten_layers", "layers are found by their attributes, those in other containers are not")
    return _children_by_attributes(layer)


def held_layers(layer: Any) -> Iterator[tuple[str, Any]]:
    """The layers that a layer's attributes hold, by attribute: `encoder`, of a list or dict `networks/0`."""
    for name, value in vars(layer).items():
        if not _is_bookkeeping(name):
            yield from _named_members(name, value)


def keep_losses(layers: Iterable[Any]) -> Callable[[], None]:
    """Remember the losses that layers hold between two training steps; returns a function that restores them."""
    kept = []
    for layer in layers:
        losses, ids = getattr(layer, "_losses", None), getattr(layer, "_loss_ids", None)
        if losses is not None and ids is not None:
            kept.append((losses, list(losses), ids, set(ids)))
        elif _is_layer(layer):
            _warn_once("Layer._losses", "losses left by our pass stay until the model's next call clears them")

    def restore() -> None:
        for losses, before, ids, ids_before in kept:
            losses[:] = before
            ids.clear()
            ids.update(ids_before)

    return restore


def clear_losses(model: Any) -> None:
    """Drop the losses that a call of the model has left in its layers."""
    clear = getattr(model, "_clear_losses", None)
    if clear is not None:
        clear()
    else:
        _warn_once("Layer._clear_losses", "losses left by our first call stay until the model's next call clears them")


def seed_generators(layer: Any) -> list[Any]:
    """The generators by which a layer itself draws random numbers."""
    own = getattr(layer, "_seed_generators", None)
    if own is not None or not _is_layer(layer):
        return list(own or ())
    import keras

    _warn_once("Layer._seed_generators", "layers that draw random numbers are known by their attributes alone")
    found = [one for one in _members(vars(layer).values()) if isinstance(one, keras.random.SeedGenerator)]
    return list({id(one): one for one in found}.values())


def producing_operation(tensor: Any) -> Any:
    """The layer or operation that makes a symbolic tensor of a functional model; `None` where that is not known."""
    history = getattr(tensor, "_keras_history", None)
    if history is None and hasattr(tensor, "shape"):
        _warn_once("KerasTensor._keras_history", "the layer that makes the model's output may pass for its bottleneck")
    return None if history is None else history.operation


def copy_compile_loss(model: Any) -> Any:
    """The loss of `compile` as a new object that no batch has built yet; `None` where there is none."""
    if getattr(model, "loss", None) is None:
        return None
    lost = "the loss of `compile` cannot be copied"
    loss = _required(model, "Model", "_compile_loss", lost)
    user_loss = _required(loss, "CompileLoss", "_user_loss", lost)
    weights = _required(loss, "CompileLoss", "_user_loss_weights", lost)
    return type(loss)(user_loss, weights, reduction=loss.reduction, output_names=loss.output_names)


@contextmanager
def using_compile_loss(model: Any, loss: Any) -> Iterator[None]:
    """While open, the model computes its loss with `loss`, from `copy_compile_loss`."""
    before = getattr(model, "_compile_loss", None)
    if before is loss:  # both None: the model is compiled without a loss
        yield
        return
    # `object.__setattr__` goes past Keras' tracking, which would take the copy for a part of the model.
    object.__setattr__(model, "_compile_loss", loss)
    try:
        yield
    finally:
        object.__setattr__(model, "_compile_loss", before)


def compute_loss(model: Any, x: Any, y: Any, y_pred: Any) -> Any:
    """The loss of a batch as a training step computes it, with regularisers and added losses."""
    wrapper = getattr(model, "_compute_loss", None)  # knows a user's `compute_loss` without `training` too
    if wrapper is not None:
        return wrapper(x=x, y=y, y_pred=y_pred, sample_weight=None, training=True)
    takes = inspect.signature(model.compute_loss).parameters
    more = {"training": True} if "training" in takes else {}
    return model.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=None, **more)


def clip_gradients(optimizer: Any, gradients: Sequence[Any]) -> list[Any]:
    """Gradients as the optimizer clips them."""
    clip = _required(optimizer, "Optimizer", "_clip_gradients", "what clipping leaves of gradients is not known")
    return list(clip(list(gradients)))


def accumulation_state(optimizer: Any) -> tuple[Any, list[Any]]:
    """Of an optimizer that accumulates gradients: the variable that counts batches, and the sums so far."""
    lost = "a step while gradients accumulate is not known"
    iterations = _required(optimizer, "Optimizer", "_iterations", lost)
    return iterations, list(_required(optimizer, "Optimizer", "_accumulated_gradients", lost))


def copy_weight_decay_exclusions(optimizer: Any, copy: Any, pairs: Iterable[tuple[Any, Any]]) -> None:
    """Exclude from the weight decay of a copy what is excluded from that of the optimizer, given variables and copies.

    The copy is made from the config, which does not hold the exclusions.
    """
    if getattr(optimizer, "weight_decay", None) is None:
        return
    excluded = getattr(optimizer, "_exclude_from_weight_decay", None)
    lost = "which weights are excluded from weight decay is not known"
    if excluded is None:  # none were excluded, unless the name is gone
        import keras

        sample = keras.optimizers.SGD()
        sample.exclude_from_weight_decay(var_names=["bias"])
        _required(sample, "Optimizer", "_exclude_from_weight_decay", lost)
        return
    pattern = _required(optimizer, "Optimizer", "_exclude_from_weight_decay_pattern", lost)
    key = _required(optimizer, "Optimizer", "_var_key", lost)
    copy._exclude_from_weight_decay = {key(twin) for variable, twin in pairs if key(variable) in excluded}
    copy._exclude_from_weight_decay_pattern = pattern


def global_seed_generator() -> Any:
    """The generator of random numbers drawn without a seed of their own; `None` where none was drawn yet."""
    state = _global_state()
    return None if state is None else state.get_global_attribute(_seed_key())


def set_global_seed_generator(generator: Any) -> None:
    """Put a generator from `global_seed_generator` back, or none."""
    state = _global_state()
    if state is not None:
        state.set_global_attribute(_seed_key(), generator)


def dataset_tensors(dataset: Any) -> list[Any]:
    """The tensors that a source of `tf.data` holds in memory; empty where they are not known."""
    return list(getattr(dataset, "_tensors", ()))


def dataset_inputs(dataset: Any) -> list[Any]:
    """The data sets of `tf.data` from which one is made; empty where they are not known."""
    inputs = getattr(dataset, "_inputs", None)
    return [] if inputs is None else list(inputs())


def _global_state() -> Any:
    """Keras' module of global state; `None` where Keras is not imported, or keeps its state elsewhere."""
    name = "keras.src.backend.common.global_state"
    state = sys.modules.get(name)
    if hasattr(state, "get_global_attribute") and hasattr(state, "set_global_attribute"):
        return state
    if "keras" in sys.modules:
        _warn_once(
            name, "random numbers that a model draws without a seed of its own are not drawn again by the training"
        )
    return None


def _seed_key() -> str:
    module = sys.modules.get("keras.src.random.seed_generator")
    return str(getattr(module, "GLOBAL_SEED_GENERATOR", "global_seed_generator"))  # Keras 3.10 has no name for it


def _children_by_attributes(layer: Any) -> list[Any]:
    own = {name: value for name, value in vars(layer).items() if not _is_bookkeeping(name)}
    found = {id(one): one for one in _members([getattr(layer, "layers", ()), *own.values()]) if _is_layer(one)}
    found.pop(id(layer), None)
    return list(found.values())


def _is_bookkeeping(name: str) -> bool:
    """Attributes in which Keras and TensorFlow themselves list layers, a `Sequential`'s functional twin among them."""
    return name in _BOOKKEEPING or name.startswith("_self_")


def _members(values: Any) -> Iterator[Any]:
    """Values, and those in lists, tuples, sets and dicts among them."""
    for value in values:
        if isinstance(value, Mapping):
            yield from _members(list(value.values()))
        elif isinstance(value, (list, tuple, set, frozenset)):
            yield from _members(value)
        else:
            yield value


def _named_members(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The layers in a value with their paths: the value itself, or in lists, tuples and dicts."""
    if _is_layer(value):
        yield path, value
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from _named_members(f"{path}/{key}", one)
    elif isinstance(value, (list, tuple)):
        for number, one in enumerate(value):
            yield from _named_members(f"{path}/{number}", one)


def _is_layer(value: Any) -> bool:
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(value, keras.layers.Layer)


def _required(owner: Any, kind: str, name: str, lost: str) -> Any:
    """A private attribute; MissingNameError if it is gone."""
    try:
        return getattr(owner, name)
    except AttributeError:
        raise MissingNameError(f"{_version()} has no {kind}.{name}, so {lost}") from None


def _warn_once(name: str, without: str) -> None:
    if name not in _warned:
        _warned.add(name)
        warnings.warn(f"{_version()} has no {name}: {without}.", stacklevel=3)


def _version() -> str:
    keras = sys.modules.get("keras")
    return f"Keras {getattr(keras, '__version__', '')}".strip()
