"""Logs for the tests of the timeline, written by other programs' writers, and read back by TensorBoard's own reader."""

import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, types_pb2
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tensorboard.util import tensor_util

from kerasviz_timeline.log_files import roots
from kerasviz_timeline.log_index import LogIndex


def png(seed: int, height: int = 12, width: int = 16) -> bytes:
    """An image of random colours, never the same for two seeds."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return encoded(pixels)


def encoded(pixels: np.ndarray, form: str = "png") -> bytes:
    """Pixels as the bytes of a file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form)
    return file.getvalue()


def image_event(tag: str, step: int, images: Iterable[bytes], *, metadata=True, description="", wall_time=0.0):
    """An event with the images of a tag at one step, as `tf.summary.image` logs them."""
    tensor = tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING)
    tensor.string_val.extend([b"16", b"12", *images])
    tensor.tensor_shape.dim.add(size=len(tensor.string_val))
    value = summary_pb2.Summary.Value(tag=tag, tensor=tensor)
    if metadata:
        value.metadata.plugin_data.plugin_name = "images"
        value.metadata.summary_description = description
    return event_pb2.Event(wall_time=wall_time or 1000.0 + step, step=step, summary=summary_pb2.Summary(value=[value]))


def scalar_event(tag: str, step: int, number: float, wall_time=0.0):
    """An event with one number, as `tf.summary.scalar` logs it."""
    value = summary_pb2.Summary.Value(tag=tag, tensor=tensor_util.make_tensor_proto(np.float32(number)))
    value.metadata.plugin_data.plugin_name = "scalars"
    return event_pb2.Event(wall_time=wall_time or 1000.0 + step, step=step, summary=summary_pb2.Summary(value=[value]))


def write(directory: Path, events: Iterable, suffix: str = "") -> Path:
    """Write events into a new event file of a run; gives its path."""
    before = set(directory.glob("*")) if directory.exists() else set()
    writer = EventFileWriter(str(directory), filename_suffix=suffix)
    for event in events:
        writer.add_event(event)
    writer.close()
    (path,) = set(directory.glob("*")) - before
    return path


def served(index: LogIndex) -> dict[tuple[str, str, int], list[tuple[int, bytes]]]:
    """Step and bytes of each image that an index serves, by run, tag and sample."""
    found = {}
    for number, one in enumerate(index.series):
        images = [(step, index.image(number, one.version, position)) for position, step in enumerate(list(one.steps))]
        if images:
            found[one.run, one.tag, one.sample] = images
    return found


def read_index(directory: Path, **options) -> LogIndex:
    """The index of a log directory, read."""
    index = LogIndex(roots(str(directory)), **options)
    assert index.refresh()
    return index


def by_tensorboard(directory: Path, run: str) -> dict[tuple[str, str, int], list[tuple[int, bytes]]]:
    """The same of one run, by TensorBoard's own reader without a limit."""
    everything = {"tensors": 0, "images": 0}
    read = EventAccumulator(str(directory / run), size_guidance=everything)
    read.Reload()
    found: dict[tuple[str, str, int], list[tuple[int, bytes]]] = {}
    for tag in read.Tags()["tensors"]:
        if read.SummaryMetadata(tag).plugin_data.plugin_name != "images":
            continue
        for event in read.Tensors(tag):
            for sample, data in enumerate(event.tensor_proto.string_val[2:]):
                found.setdefault((run, tag, sample), []).append((event.step, data))
    for tag in read.Tags()["images"]:
        found[run, tag, 0] = [(event.step, event.encoded_image_string) for event in read.Images(tag)]
    return found


# Two runs of a training, which several tests look at.

RUNS, TAGS, STEPS = ("first/train", "first/validation"), ("grad_cam/conv", "mine", "filters/conv"), range(-1, 12)


def pixels(run, tag, step):
    """The pixels of an image of the log."""
    seed = [RUNS.index(run), TAGS.index(tag), step + 1]
    return np.random.default_rng(seed).integers(0, 256, (24, 30, 3), dtype=np.uint8)


def logged(run, tag, step):
    """Whether there is an image: of one tag, in one run, only at every third step."""
    return not (tag == "mine" and run == RUNS[1]) or step % 3 == 0


def write_training(directory: Path) -> None:
    """The log of the training: three tags and the loss."""
    for run in RUNS:
        events = [
            image_event(tag, step, [encoded(pixels(run, tag, step))], description=f"# About {tag}")
            for step in STEPS
            for tag in TAGS
            if logged(run, tag, step)
        ]
        losses = [scalar_event("epoch_loss", step, 1 / (step + 2)) for step in STEPS if step >= 0]
        write(directory / run, [*events, *losses])


def smooth(seed):
    """An image that other formats make much smaller, of about the size of ours."""
    y, x = np.mgrid[0:300, 0:400]
    waves = [np.sin(x / (20 + seed) + channel) * np.cos(y / (15 + channel)) for channel in range(3)]
    return (127 + 120 * np.stack(waves, axis=-1) + np.random.default_rng(seed).normal(0, 4, (300, 400, 3))).astype(
        np.uint8
    )


EVIL = [
    "<img src=x onerror=evil()>",
    "</script><script>evil()</script>",
    "'\"><svg onload=evil()>",
    "javascript:evil()",
    "__proto__",
    "constructor",
    "a/../../etc/passwd",
    "${evil()}",
    "\u202egnp.x",
    "&lt;b&gt;\u2028",
]
