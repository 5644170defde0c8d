"""What TensorBoard's own projector serves of our files: the points, what is known of them, their pictures."""

import csv
import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.compat import tensorflow_stub
from tensorboard.plugins import base_plugin
from tensorboard.plugins.projector import projector_plugin
from werkzeug.test import Client

from kerasviz_callbacks.record.event_files import EventFileSink
from kerasviz_callbacks.record.memory import MemorySink
from kerasviz_callbacks.record.projector import (
    LARGEST_SPRITE,
    MOST_VARIABLES,
    Points,
    Projector,
    metadata_text,
    sprite,
    values_text,
)

RUN = "views/validation"
PICTURES = np.random.default_rng(0).integers(0, 255, (7, 4, 4, 3), np.uint8)
CODES = np.random.default_rng(1).normal(0, 1, (7, 5)).astype(np.float32)
KNOWN = {"class": list("abcabca"), "label": [0, 1, 2, 0, 1, 2, 0], "row": [3, 1, 4, 15, 9, 2, 6]}
POINTS = Points("latent_codes", CODES, KNOWN, PICTURES)


class Served:
    """TensorBoard's projector on a log directory."""

    def __init__(self, log_dir):
        runs = EventMultiplexer().AddRunsFromDirectory(str(log_dir)).Reload()
        context = base_plugin.TBContext(logdir=str(log_dir), data_provider=MultiplexerDataProvider(runs, str(log_dir)))
        self.apps = projector_plugin.ProjectorPlugin(context).get_plugin_apps()

    def get(self, route, **query):
        answer = Client(self.apps[route]).get("/", query_string=query)
        assert answer.status_code == 200, answer.data
        return answer.data

    @property
    def embedding(self):
        (found,) = json.loads(self.get("/info", run=RUN))["embeddings"]
        return found

    def codes(self):
        name, (rows, columns) = self.embedding["tensorName"], self.embedding["tensorShape"]
        return np.frombuffer(self.get("/tensor", run=RUN, name=name), np.float32).reshape(rows, columns)

    def metadata(self):
        return self.get("/metadata", run=RUN, name=self.embedding["tensorName"]).decode()

    def sprite(self):
        png = self.get("/sprite_image", run=RUN, name=self.embedding["tensorName"])
        return np.asarray(Image.open(io.BytesIO(png)))


@pytest.fixture
def served(monkeypatch):
    """What the projector serves, as TensorBoard does without TensorFlow: it starts ten seconds sooner."""
    monkeypatch.setattr(projector_plugin, "tf", tensorflow_stub)
    return Served


def written(log_dir, points=POINTS):
    log = EventFileSink(log_dir)
    log.begin(-1)
    log.points("validation", points)
    log.close()
    return log


def test_tensorboard_serves_the_points_their_metadata_and_pictures_as_they_are(tmp_path, served):
    written(tmp_path)
    projector = served(tmp_path)
    assert json.loads(projector.get("/runs")) == [RUN]
    np.testing.assert_array_equal(projector.codes(), CODES)
    rows = list(csv.reader(io.StringIO(projector.metadata()), delimiter="\t"))
    assert rows[0] == ["class", "label", "row"]
    assert rows[1:] == [[name, str(label), str(row)] for name, label, row in zip(*KNOWN.values(), strict=True)]
    shown, (width, height) = projector.sprite(), projector.embedding["sprite"]["singleImageDim"]
    assert (width, height) == (4, 4)
    for number, picture in enumerate(PICTURES):
        y, x = divmod(number, shown.shape[1] // width)  # as the projector looks it up
        np.testing.assert_array_equal(shown[y * height : (y + 1) * height, x * width : (x + 1) * width], picture)


def test_a_single_column_has_no_header_and_pictures_are_not_needed(tmp_path, served):
    written(tmp_path, Points("latent_codes", CODES, {"row": range(7)}))
    projector = served(tmp_path)
    assert projector.metadata().splitlines() == [str(row) for row in range(7)]
    assert "sprite" not in projector.embedding
    assert not (tmp_path / RUN / "sprite.png").exists()


def test_names_with_tabs_and_line_ends_stay_in_their_cell(tmp_path, served):
    names = ["a\tb", "c\nd", "e\r\nf", "\u2028g", "", "ü", "\ud800"]
    written(tmp_path, Points("latent_codes", CODES, {"class": names, "row": range(7)}))
    lines = served(tmp_path).metadata().split("\n")
    assert lines.pop() == ""
    assert [line.split("\t") for line in lines[1:]] == [
        [name, str(row)] for row, name in enumerate(["a b", "c d", "e  f", " g", " ", "ü", " "])
    ]


def test_the_files_are_those_of_the_newest_step(tmp_path, served):
    log = written(tmp_path)
    sprite_before = (tmp_path / RUN / "sprite.png").stat().st_ino
    log.points("validation", Points("latent_codes", CODES * 2, KNOWN, PICTURES))
    assert (tmp_path / RUN / "sprite.png").stat().st_ino == sprite_before, "the same pictures are not written again"
    projector = served(tmp_path)
    np.testing.assert_array_equal(projector.codes(), CODES * 2)
    log.points("validation", Points("latent_codes", CODES, KNOWN, PICTURES[::-1].copy()))
    np.testing.assert_array_equal(projector.sprite()[:4, :4], PICTURES[-1])
    assert sorted(path.name for path in (tmp_path / RUN).iterdir() if "tfevents" not in path.name) == [
        "latent_codes.tsv",
        "metadata.tsv",
        "projector_config.pbtxt",
        "sprite.png",
    ]


def test_a_run_deleted_meanwhile_is_made_again(tmp_path, served):
    log = written(tmp_path)
    for path in (tmp_path / RUN).iterdir():
        path.unlink()
    (tmp_path / RUN).rmdir()
    log.points("validation", POINTS)
    np.testing.assert_array_equal(served(tmp_path).sprite()[:4, :4], PICTURES[0])


def test_the_metadata_are_written_again_only_if_they_changed(tmp_path):
    projector, file = Projector(tmp_path), tmp_path / "metadata.tsv"
    projector.write(POINTS)
    first = file.stat().st_ino, file.read_text()
    projector.write(Points("latent_codes", CODES + 1, {name: list(column) for name, column in KNOWN.items()}))
    assert (file.stat().st_ino, file.read_text()) == first
    projector.write(Points("latent_codes", CODES, {**KNOWN, "row": [3, 1, 4, 15, 9, 2, 7]}))
    assert file.read_text() == first[1].replace("a\t0\t6", "a\t0\t7")
    file.unlink()
    projector.write(Points("latent_codes", CODES, KNOWN))
    assert file.read_text() == first[1]


def test_a_reader_never_meets_half_a_file_nor_a_name_of_one_that_is_not_there(tmp_path, monkeypatch):
    seen = []
    replace = Path.replace

    def watched(self, target):
        target = Path(target)
        config = target.with_name("projector_config.pbtxt")
        seen.append((target.name, config.exists(), len(self.read_bytes())))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", watched)
    Projector(tmp_path).write(POINTS)
    assert [name for name, _, _ in seen] == ["latent_codes.tsv", "metadata.tsv", "sprite.png", "projector_config.pbtxt"]
    assert not any(there for _, there, _ in seen)
    for name, _, size in seen:
        assert (tmp_path / name).stat().st_size == size


def test_a_full_disk_leaves_the_old_files_and_no_rest(tmp_path, monkeypatch):
    projector = Projector(tmp_path)
    projector.write(POINTS)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(descriptor, parts):
        os.write(descriptor, parts[0][: len(parts[0]) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "writev", full)
    with pytest.raises(OSError, match="No space left"):
        projector.write(Points("latent_codes", CODES + 1, KNOWN, PICTURES))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 4), st.integers(2, 4)),
        elements=st.floats(allow_nan=False, allow_infinity=False, width=32),
    )
)
def test_the_text_holds_every_float32_exactly(values):
    read = [[float(cell) for cell in line.split("\t")] for line in values_text(values).splitlines()]
    np.testing.assert_array_equal(np.array(read, np.float32), values)


def test_what_exceeds_float32_stays_finite():
    assert values_text(np.array([[1e300, -1e300]])) == "3.40282347e+38\t-3.40282347e+38\n"


def test_of_wide_points_the_variables_of_largest_variance_stay_in_their_order():
    values = np.random.default_rng(0).normal(0, 1, (20, MOST_VARIABLES + 3))
    values[:, [1, 7, 400]] *= 1e-3
    kept = np.delete(values, [1, 7, 400], axis=1)
    assert values_text(values) == values_text(kept)


@given(st.lists(st.text(st.characters()), min_size=1, max_size=6), st.integers(1, 3))
def test_any_text_gives_one_line_a_row_and_one_cell_a_column(names, columns):
    lines = metadata_text({f"{number}": names for number in range(columns)}).split("\n")
    assert lines.pop() == ""
    assert len(lines) == len(names) + (columns > 1)
    assert all(line and len(line.split("\t")) == columns for line in lines)


@pytest.mark.parametrize(
    ("count", "height", "width", "side"),
    [(1, 3, 5, 5), (10, 200, 100, 64), (5, 1, 200, 64), pytest.param(17000, 80, 80, 62, marks=pytest.mark.slow)],
)
def test_tiles_are_square_small_enough_and_centred(count, height, width, side):
    pictures = np.broadcast_to(np.array([0, 80, 160], np.uint8), (count, height, width, 3))
    whole, found = sprite(pictures)
    assert found == side
    assert whole.shape[1] % side == whole.shape[0] % side == 0
    assert max(whole.shape) <= LARGEST_SPRITE
    assert (whole.shape[1] // side) * (whole.shape[0] // side) >= count
    inked = (whole[:side, :side] == (0, 80, 160)).all(axis=-1)
    rows, columns = np.flatnonzero(inked.any(axis=1)), np.flatnonzero(inked.any(axis=0))
    for across, size in ((rows, height), (columns, width)):
        assert len(across) == max(1, round(size * side / max(height, width)))
        assert abs(across[0] - (side - 1 - across[-1])) <= 1


def test_a_tile_is_the_mean_of_its_blocks():
    blocks = np.random.default_rng(0).integers(0, 255, (2, 64, 64, 3)).astype(np.uint8)
    whole, _ = sprite(blocks.repeat(2, axis=1).repeat(2, axis=2))
    np.testing.assert_array_equal(whole[:, :64], blocks[0])
    np.testing.assert_array_equal(whole[:, 64:], blocks[1])


@pytest.mark.parametrize(
    ("points", "said"),
    [
        (Points("a", CODES[:, :1]), r"values: must be \(n, d\) with d at least 2, got \(7, 1\)"),
        (Points("a", CODES, {"row": range(6)}), r"columns\['row'\]: must have one entry per point, 7, got 6"),
        (Points("a", CODES, {}, PICTURES[:5]), "pictures: must have one entry per point, 7, got 5"),
    ],
)
def test_what_does_not_fit_is_named(points, said, tmp_path):
    with pytest.raises(ValueError, match=said):
        Projector(tmp_path).write(points)
    assert not os.listdir(tmp_path)  # noqa: PTH208


def test_memory_keeps_the_newest_points():
    record = MemorySink()
    record.points("train", POINTS)
    record.points("train", Points("latent_codes", CODES + 1))
    np.testing.assert_array_equal(record.projected["train"].values, CODES + 1)
