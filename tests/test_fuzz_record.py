"""Whatever is written in whatever order, with files closed and deleted between, TensorBoard's own readers give back."""

import shutil
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from google.protobuf import text_format
from harness import decoded
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.projector import projector_plugin
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

from kerasviz_callbacks.record.event_files import EventFileSink
from kerasviz_callbacks.record.events import EventFile
from kerasviz_callbacks.record.memory import MemorySink
from kerasviz_callbacks.record.png import encode, picture_path
from kerasviz_callbacks.record.png_files import PNGFileSink
from kerasviz_callbacks.record.projector import Points, Projector
from kerasviz_callbacks.record.step_queue import StepQueue
from kerasviz_callbacks.record.worker import Worker

TEXT = st.text(st.characters(), max_size=20)
PARTS = TEXT | st.sampled_from(["", "..", "a/b", "nul", "\0", "\ud800", "x" * 500, "\N{SNOWMAN}\r\n"])
STEPS = st.integers(-1, 2**31)
PICTURES = hnp.arrays(np.uint8, st.tuples(st.integers(1, 5), st.integers(1, 5), st.just(3)))
VALUES = st.floats() | st.floats(width=32)
RUNS = st.sampled_from(["validation", "train", "model"])
PICTURE = st.tuples(st.just("picture"), RUNS, PARTS.map("p/{}".format), STEPS, PICTURES, TEXT)
SCALAR = st.tuples(st.just("scalar"), RUNS, PARTS.map("s/{}".format), st.integers(0, 3), VALUES, TEXT)
NOTE = st.tuples(st.just("text"), RUNS, PARTS.map("t/{}".format), st.integers(0, 3), TEXT, TEXT)
DISTURBED = st.tuples(st.sampled_from(["flush", "close", "delete run", "delete all"]), RUNS)
ACTIONS = st.lists(PICTURE | SCALAR | NOTE | DISTURBED, max_size=25)
LARGEST = float(np.finfo(np.float32).max)


@contextmanager
def directory():
    """One for each example."""
    with tempfile.TemporaryDirectory() as where:
        yield Path(where)


def as_utf8(text):
    return text.encode("utf-8", "backslashreplace").decode()


@dataclass
class Expected:
    """What one run holds, in dicts, and what waits to be written to it.

    Attributes:
        last: The newest step of each scalar; one a step is written, deleted or not.
        waiting: Pictures, scalars and texts, in order, as what adds them once they are written.
    """

    pictures: dict = field(default_factory=dict)
    scalars: dict = field(default_factory=dict)
    texts: dict = field(default_factory=dict)
    descriptions: dict = field(default_factory=dict)
    last: dict = field(default_factory=dict)
    waiting: list = field(default_factory=list)

    def _add(self, kind, tag, step, value, description):
        getattr(self, kind).setdefault(as_utf8(tag), []).append((step, value))
        self.descriptions.setdefault(as_utf8(tag), as_utf8(description))

    def picture(self, tag, step, pixels, description):
        self.waiting.append(("pictures", tag, step, pixels.tolist(), description))

    def scalar(self, tag, step, value, description):
        if abs(value) <= LARGEST and self.last.get(tag) != step:
            self.last[tag] = step
            self.waiting.append(("scalars", tag, step, float(np.float32(value)), description))

    def text(self, tag, step, markdown, description):
        self.waiting.append(("texts", tag, step, as_utf8(markdown), description))

    def flush(self):
        for one in self.waiting:
            self._add(*one)
        self.waiting = []

    def delete(self):
        self.pictures, self.scalars, self.texts, self.descriptions = {}, {}, {}, {}


def found_in(run):
    """The pixels, scalars and texts of a run directory by tag and step, and the descriptions."""
    accumulator = EventAccumulator(str(run), size_guidance={"tensors": 0})
    if run.exists():
        accumulator.Reload()
    found, descriptions = {"images": {}, "scalars": {}, "text": {}}, {}
    for tag in accumulator.Tags()["tensors"]:
        about = accumulator.SummaryMetadata(tag)
        descriptions[tag] = about.summary_description
        values = {event.step: event.tensor_proto for event in accumulator.Tensors(tag)}
        found[about.plugin_data.plugin_name][tag] = {
            step: READ[about.plugin_data.plugin_name](value) for step, value in values.items()
        }
    return (*found.values(), descriptions)


READ = {
    "images": lambda tensor: decoded(tensor.string_val[2]).tolist(),
    "scalars": lambda tensor: tensor.float_val[0],
    "text": lambda tensor: tensor.string_val[0].decode(),
}


def newest(told):
    """As TensorBoard shows several of one step: the last."""
    return {tag: dict(events) for tag, events in told.items()}


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(ACTIONS)
def test_sinks_give_back_what_was_written(actions):
    with directory() as where:
        log, files, expected, step = EventFileSink(where / "logs"), PNGFileSink(where / "pictures"), {}, -1
        assert log.begin(-1) == files.begin(-1) == "views"
        for action, run, *what in actions:
            told = expected.setdefault(run, Expected())
            if action == "picture":
                tag, at, pixels, description = what
                for sink in (log, files):
                    sink.image(run, tag, at, encode(pixels), description)
                told.picture(tag, at, pixels, description)
                saved = picture_path(where / "pictures", f"views/{run}", tag, at)
                np.testing.assert_array_equal(decoded(saved.read_bytes()), pixels)
            elif action in ("scalar", "text"):
                tag, later, value, description = what
                step += later
                getattr(log, action)(run, tag, step, value, description)
                getattr(told, action)(tag, step, value, description)
            elif action.startswith("delete"):
                shutil.rmtree(where / "logs" / ("views" if action == "delete all" else f"views/{run}"), True)
                for one in expected.values() if action == "delete all" else [told]:
                    one.delete()
            else:
                getattr(log, action)()
                for one in expected.values():
                    one.flush()
        log.close()
        assert {path.name for path in where.iterdir()} <= {"logs", "pictures"}
        for run, told in expected.items():
            told.flush()
            assert found_in(where / "logs/views" / run) == (
                *map(newest, (told.pictures, told.scalars, told.texts)),
                told.descriptions,
            )


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(st.tuples(PARTS, STEPS, PICTURES, TEXT, st.booleans()), max_size=12))
def test_an_event_file_gives_back_what_was_written(written):
    with directory() as where:
        file, told = EventFile(where), Expected()
        for part, step, pixels, description, closes in written:
            tag = f"p/{part}"
            file.image(
                tag, step, encode(pixels), width=pixels.shape[1], height=pixels.shape[0], description=description
            )
            file.flush()
            told.picture(tag, step, pixels, description)
            told.flush()
            if closes:
                file.close()
        file.close()
        if written:
            pictures, _, _, descriptions = found_in(where)
            assert (pictures, descriptions) == (newest(told.pictures), told.descriptions)


@given(st.lists(st.tuples(RUNS, PARTS, STEPS, PICTURES, VALUES, TEXT), max_size=12))
def test_memory_gives_back_what_was_recorded(recorded):
    memory, pictures, scalars, descriptions = MemorySink(), {}, {}, {}
    for run, tag, step, pixels, value, description in recorded:
        memory.image(run, tag, step, encode(pixels), description)
        memory.scalar(run, tag, step, value, description)
        pictures.setdefault((run, tag), {})[step] = pixels.tolist()
        descriptions.setdefault((run, tag), description)
        if abs(value) <= LARGEST:
            scalars.setdefault((run, tag), {}).setdefault(step, value)
    assert {key: {at: one.tolist() for at, one in steps.items()} for key, steps in memory.pictures.items()} == pictures
    assert dict(memory.scalars) == scalars
    assert memory.descriptions == descriptions


FLOATS = st.floats(allow_nan=False, allow_infinity=False)


class TestProjector:
    names: ClassVar = st.lists(TEXT, min_size=1, max_size=3, unique=True)

    @settings(suppress_health_check=[HealthCheck.too_slow])
    @given(st.data(), st.integers(1, 6), st.integers(2, 5), st.lists(st.booleans(), min_size=1, max_size=3))
    def test_the_newest_points_come_back(self, data, count, dimensions, deleted):
        with directory() as where:
            projector = Projector(where)
            for gone in deleted:
                points = Points(
                    "latent_codes",
                    data.draw(hnp.arrays(np.float64, (count, dimensions), elements=FLOATS)),
                    {name: data.draw(st.lists(TEXT, min_size=count, max_size=count)) for name in data.draw(self.names)},
                    data.draw(st.none() | hnp.arrays(np.uint8, (count, 3, 3, 3))),
                )
                if gone:
                    for path in where.iterdir():
                        path.unlink()
                projector.write(points)
                self.check(where, points)

    def check(self, where, points):
        config = text_format.Parse((where / "projector_config.pbtxt").read_text(), ProjectorConfig())
        (embedding,) = config.embeddings
        values = projector_plugin._read_tensor_tsv_file(str(where / embedding.tensor_path))
        kept = np.clip(points.values, -LARGEST, LARGEST).astype(np.float32)
        np.testing.assert_array_equal(np.asarray(values, np.float32), kept)
        lines = (where / embedding.metadata_path).read_bytes().decode().split("\n")
        assert lines.pop() == ""
        head = len(points.columns) > 1
        assert len(lines) == len(points.values) + head
        wanted = [list(points.columns)] * head + list(zip(*points.columns.values(), strict=True))
        for line, cells in zip(lines, wanted, strict=True):
            shown = ["".join(one if one.isprintable() else " " for one in cell) or " " for cell in cells]
            assert line.split("\t") == shown
        if points.pictures is not None:
            with_tiles = decoded((where / embedding.sprite.image_path).read_bytes())
            np.testing.assert_array_equal(with_tiles[:3, :3], points.pictures[0])
            assert list(embedding.sprite.single_image_dim) == [3, 3]


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=20))
def test_a_worker_runs_every_job_in_order(jobs):
    worker, ran, raised = Worker(), [], []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(threading, "excepthook", lambda told: raised.append(told.exc_value.args[0]))
        for number, (fails, waits) in enumerate(jobs):

            def job(number=number, fails=fails):
                ran.append(number)
                if fails:
                    raise KeyError(number)

            worker.submit(job)
            if waits:
                assert worker.wait(10)
        assert worker.wait(10)
    assert ran == list(range(len(jobs)))
    assert raised == [number for number, (fails, _) in enumerate(jobs) if fails]


VIEWS = st.lists(st.tuples(st.integers(0, 50), st.booleans()), max_size=4)


@given(
    st.lists(st.tuples(VIEWS, st.booleans(), st.booleans(), st.booleans()), max_size=12),
    st.integers(1, 60),
    st.integers(1, 20),
)
def test_a_step_queue_does_all_that_it_admits_in_order(steps, max_bytes, max_jobs):
    queue, done, wanted = StepQueue(max_bytes=max_bytes, max_jobs=max_jobs), [], []
    left_out, later = set(), set()
    for step, (views, force, waits, draws_later) in enumerate(steps):
        admitted = queue.admit(step, force=force)
        assert admitted.measure or not admitted.draw
        assert not force or admitted == (True, True)
        if admitted.measure:
            draws = [admitted.draw and draws for _, draws in views]
            for number, ((size, _), draw) in enumerate(zip(views, draws, strict=True)):
                queue.submit(
                    step,
                    size=size,
                    measure=lambda one=("measure", step, number): done.append(one),
                    draw=(lambda one=("draw", step, number): done.append(one)) if draw else None,
                )
            wanted += [("measure", step, number) for number in range(len(views))]
            wanted += [("draw", step, number) for number, draw in enumerate(draws) if draw]
        if not admitted.draw:
            left_out.add(step)
            if draws_later:
                queue.draw_later(step, lambda one=("later", step, 0): done.append(one))
                wanted.append(("later", step, 0))
                later.add(step)
        queue.begin()
        if waits:
            assert queue.wait(10)
    assert queue.wait(10)
    assert done == wanted
    assert queue.skipped == left_out - later
    assert queue.dropped <= left_out
    assert all(queue.left_out(step) == (step in left_out) for step in range(len(steps)))
    assert (queue._jobs, queue._bytes, len(queue._drawing_since)) == (0, 0, 0)
