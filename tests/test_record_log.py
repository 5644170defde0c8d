"""The records: on disk, read back with TensorBoard's accumulator, and in memory."""

import copy
import io
import shutil
import sys

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing import event_accumulator, plugin_event_multiplexer

from kerasviz_callbacks.record import Log, MemorySink, Sink

PICTURE = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


def decoded(png):
    return np.asarray(Image.open(io.BytesIO(png)))


def read(directory):
    multiplexer = plugin_event_multiplexer.EventMultiplexer(tensor_size_guidance={"images": 0, "scalars": 0})
    return multiplexer.AddRunsFromDirectory(str(directory)).Reload()


def test_log_and_memory_are_records(tmp_path):
    assert isinstance(Log(tmp_path, "views"), Sink)
    assert isinstance(MemorySink(), Sink)
    assert not list(tmp_path.iterdir())


def test_tensorboard_reads_pictures_and_figures_of_each_run(tmp_path):
    log = Log(tmp_path, "views")
    for step in (-1, 0, 5):
        log.picture("validation", "maps/conv", step, PICTURE + np.uint8(step + 1), "**Bright**: strong.")
        log.scalar("validation", "overlap/mean", step, step / 4, "Less is better.")
        log.scalar("train", "overlap/mean", step, step / 8)
    runs = read(tmp_path)
    assert set(runs.Runs()) == {"views/validation", "views/train"}
    events = runs.Tensors("views/validation", "maps/conv")
    assert [event.step for event in events] == [-1, 0, 5]
    for event in events:
        width, height, png = event.tensor_proto.string_val
        assert (width, height) == (b"6", b"4")
        assert (decoded(png) == PICTURE + np.uint8(event.step + 1)).all()
    about = runs.SummaryMetadata("views/validation", "maps/conv")
    assert about.summary_description == "**Bright**: strong."
    assert about.plugin_data.plugin_name == "images"
    metrics = {
        run: [(event.step, event.tensor_proto.float_val[0]) for event in runs.Tensors(run, "overlap/mean")]
        for run in runs.Runs()
    }
    assert metrics["views/validation"] == [(-1, -0.25), (0, 0.0), (5, 1.25)]
    assert metrics["views/train"] == [(-1, -0.125), (0, 0.0), (5, 0.625)]
    log.close()
    log.close()


def test_grey_pictures_keep_width_and_height_apart(tmp_path):
    Log(tmp_path, "views").picture("model", "filters/conv", 0, PICTURE[..., 0])
    (event,) = read(tmp_path).Tensors("views/model", "filters/conv")
    width, height, png = event.tensor_proto.string_val
    assert (int(width), int(height)) == Image.open(io.BytesIO(png)).size == (6, 4)


@pytest.mark.parametrize("value", [np.nan, np.inf, np.float32("nan"), 1e39])
@pytest.mark.parametrize("kind", [Log, MemorySink])
def test_a_figure_that_is_not_finite_is_not_written(tmp_path, kind, value):
    record = kind(tmp_path, "views") if kind is Log else kind()
    record.scalar("train", "latent/knn", 0, value)
    assert not list(tmp_path.iterdir())
    assert not getattr(record, "scalars", {})


def test_png_files_lie_beside_and_equal_what_tensorboard_shows(tmp_path):
    log = Log(tmp_path / "logs", "views-2")
    log.picture("validation", "grad_cam/conv5:1", 7, PICTURE, save_dir=tmp_path / "out")
    log.picture("validation", "grad_cam/conv5:1", -1, PICTURE, save_dir=tmp_path / "out")
    log.scalar("validation", "a/b", 0, 0.5)
    files = sorted(path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*.png"))
    assert [file.name for file in files] == ["-00001.png", "000007.png"]
    assert files[0].parts[:3] == ("views-2", "validation", "grad_cam")
    (event, _) = read(tmp_path / "logs").Tensors("views-2/validation", "grad_cam/conv5:1")
    png = (tmp_path / "out" / files[1]).read_bytes()
    assert event.tensor_proto.string_val[2] == png
    assert (decoded(png) == PICTURE).all()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows deletes no open file")
def test_a_run_deleted_meanwhile_is_made_again(tmp_path):
    log = Log(tmp_path / "logs", "views")
    log.picture("model", "filters/conv", 0, PICTURE, "What a filter sees.", save_dir=tmp_path / "out")
    shutil.rmtree(tmp_path / "logs")
    shutil.rmtree(tmp_path / "out")
    log.picture("model", "filters/conv", 1, PICTURE, "What a filter sees.", save_dir=tmp_path / "out")
    runs = read(tmp_path / "logs")
    assert [event.step for event in runs.Tensors("views/model", "filters/conv")] == [1]
    assert runs.SummaryMetadata("views/model", "filters/conv").summary_description == "What a filter sees."
    assert [path.name for path in (tmp_path / "out").rglob("*.png")] == ["000001.png"]


def test_what_comes_after_close_is_not_lost(tmp_path):
    log = Log(tmp_path, "views")
    log.scalar("train", "a", 0, 0.5)
    log.close()
    log.scalar("train", "a", 1, 0.25)
    accumulator = event_accumulator.EventAccumulator(str(tmp_path / "views" / "train")).Reload()
    assert [event.step for event in accumulator.Tensors("a")] == [0, 1]


def test_a_log_can_be_deep_copied(tmp_path):
    log = Log(tmp_path, "views")
    log.scalar("train", "a", 0, 0.5)
    copy.deepcopy(log).scalar("train", "a", 1, 0.25)
    assert [event.step for event in read(tmp_path).Tensors("views/train", "a")] == [0, 1]


def test_memory_keeps_copies_and_the_first_description():
    record = MemorySink()
    picture = PICTURE.copy()
    record.picture("validation", "maps/conv", np.int64(3), picture, "first")
    picture[:] = 0
    record.picture("validation", "maps/conv", 4, picture, "second")
    record.scalar("validation", "a/b", 3, np.float32(0.5), "a figure")
    assert (record.pictures["validation", "maps/conv"][3] == PICTURE).all()
    assert (record.pictures["validation", "maps/conv"][4] == 0).all()
    assert record.scalars == {("validation", "a/b"): {3: 0.5}}
    assert record.descriptions == {("validation", "maps/conv"): "first", ("validation", "a/b"): "a figure"}
    record.close()


def test_two_views_that_give_the_same_figure_write_it_once_a_step(tmp_path):
    log, memory = Log(tmp_path, "views"), MemorySink()
    for record in (log, memory):
        for step in (0, 1):
            for value in (0.25, 0.5):
                record.scalar("train", "latent/spread", step, value)
                record.scalar("validation", "latent/spread", step, value + 1)
    log.close()
    runs = read(tmp_path)
    for run, value in (("train", 0.25), ("validation", 1.25)):
        events = runs.Tensors(f"views/{run}", "latent/spread")
        assert [(event.step, event.tensor_proto.float_val[0]) for event in events] == [(0, value), (1, value)]
        assert memory.scalars[run, "latent/spread"] == {0: value, 1: value}
