"""Whatever is written in whatever order, with files closed and deleted between, TensorBoard's own readers give back."""

import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
from google.protobuf import text_format
from harness import Read, decoded, read
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tensorboard.plugins.projector import projector_plugin
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

from kerasviz_callbacks.record import EventFile, Log, MemorySink, Points, Projector, Worker, encode, picture_path

TEXT = st.text(st.characters(), max_size=20)
PARTS = TEXT | st.sampled_from(["", "..", "a/b", "nul", "\0", "\ud800", "x" * 500, "\N{SNOWMAN}\r\n"])
STEPS = st.integers(-1, 2**31)
PICTURES = hnp.arrays(np.uint8, st.tuples(st.integers(1, 5), st.integers(1, 5), st.just(3)))
VALUES = st.floats() | st.floats(width=32)
RUNS = st.sampled_from(["validation", "train", "model"])
PICTURE = st.tuples(st.just("picture"), RUNS, PARTS.map("p/{}".format), STEPS, PICTURES, TEXT)
SCALAR = st.tuples(st.just("scalar"), RUNS, PARTS.map("s/{}".format), st.integers(0, 3), VALUES, TEXT)
DISTURBED = st.tuples(st.sampled_from(["close", "delete run", "delete all"]), RUNS)
ACTIONS = st.lists(PICTURE | SCALAR | DISTURBED, max_size=25)
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
    """What one run holds, told in dicts.

    Attributes:
        ever: the newest step of each figure; `Log` writes one figure a step, deleted or not.
    """

    pictures: dict = field(default_factory=dict)
    scalars: dict = field(default_factory=dict)
    descriptions: dict = field(default_factory=dict)
    ever: dict = field(default_factory=dict)

    def picture(self, tag, step, pixels, description):
        self.pictures.setdefault(as_utf8(tag), []).append((step, pixels.tolist()))
        self.descriptions.setdefault(as_utf8(tag), as_utf8(description))

    def scalar(self, tag, step, value, description):
        if abs(value) <= LARGEST and self.ever.get(tag) != step:
            self.ever[tag] = step
            self.scalars.setdefault(as_utf8(tag), []).append((step, float(np.float32(value))))
            self.descriptions.setdefault(as_utf8(tag), as_utf8(description))

    def delete(self):
        self.pictures, self.scalars, self.descriptions = {}, {}, {}


def pixels_in(run):
    """The pictures of a run directory by tag and step, and all else that TensorBoard finds there."""
    found = read(run) if run.exists() else Read()
    return {
        tag: {at: decoded(png).tolist() for at, png in steps.items()} for tag, steps in found.pictures.items()
    }, found


def newest(told):
    """As TensorBoard shows several of one step: the last."""
    return {tag: dict(events) for tag, events in told.items()}


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(ACTIONS)
def test_a_log_gives_back_what_was_written(actions):
    with directory() as where:
        log, expected, step = Log(where / "logs", "views"), {}, -1
        for action, run, *what in actions:
            told = expected.setdefault(run, Expected())
            if action == "picture":
                tag, at, pixels, description = what
                log.picture(run, tag, at, pixels, description, save_dir=where / "pictures")
                told.picture(tag, at, pixels, description)
                saved = picture_path(where / "pictures", f"views/{run}", tag, at)
                np.testing.assert_array_equal(decoded(saved.read_bytes()), pixels)
            elif action == "scalar":
                tag, later, value, description = what
                step += later
                log.scalar(run, tag, step, value, description)
                told.scalar(tag, step, value, description)
            elif action.startswith("delete"):
                shutil.rmtree(where / "logs" / ("views" if action == "delete all" else f"views/{run}"), True)
                for one in expected.values() if action == "delete all" else [told]:
                    one.delete()
            else:
                getattr(log, action)()
        log.close()
        assert {path.name for path in where.iterdir()} <= {"logs", "pictures"}
        for run, told in expected.items():
            pictures, found = pixels_in(where / "logs/views" / run)
            assert pictures == newest(told.pictures)
            assert found.scalars == newest(told.scalars)
            assert found.descriptions == told.descriptions


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
            told.picture(tag, step, pixels, description)
            if closes:
                file.close()
        file.close()
        if written:
            pictures, found = pixels_in(where)
            assert (pictures, found.descriptions) == (newest(told.pictures), told.descriptions)


@given(st.lists(st.tuples(RUNS, PARTS, STEPS, PICTURES, VALUES, TEXT), max_size=12))
def test_memory_gives_back_what_was_recorded(recorded):
    memory, pictures, scalars, descriptions = MemorySink(), {}, {}, {}
    for run, tag, step, pixels, value, description in recorded:
        memory.picture(run, tag, step, pixels, description)
        memory.encoded(run, f"{tag}/as PNG", step, encode(pixels), description)
        memory.scalar(run, tag, step, value, description)
        for name in (tag, f"{tag}/as PNG"):
            pictures.setdefault((run, name), {})[step] = pixels.tolist()
            descriptions.setdefault((run, name), description)
        if abs(value) <= LARGEST:
            scalars.setdefault((run, tag), {}).setdefault(step, value)
        pixels[:] = 0  # the record holds a copy
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


@given(st.lists(st.tuples(st.integers(0, 50), st.booleans(), st.booleans()), max_size=20), st.integers(0, 60))
def test_a_worker_runs_every_job_in_order(jobs, bound):
    worker, ran, tickets = Worker(bound=bound), [], []
    for number, (size, fails, waits) in enumerate(jobs):

        def job(number=number, fails=fails):
            ran.append(number)
            if fails:
                raise KeyError(number)

        tickets.append(worker.submit(job, size=size))
        if waits:
            assert worker.close(timeout=10)
    assert worker.close(timeout=10)
    assert ran == list(range(len(jobs)))
    assert [type(ticket.error) for ticket in tickets] == [KeyError if fails else type(None) for _, fails, _ in jobs]
    assert worker._held == 0
