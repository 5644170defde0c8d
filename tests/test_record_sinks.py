"""The destinations: on disk, read back with TensorBoard's accumulator and Pillow, and in memory."""

import copy
import errno
import io
import os
import shlex
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing import event_accumulator, plugin_event_multiplexer

from kerasviz_callbacks.record.event_files import EventFileSink
from kerasviz_callbacks.record.memory import MemorySink
from kerasviz_callbacks.record.png import encode
from kerasviz_callbacks.record.png_files import PNGFileSink
from kerasviz_callbacks.record.projector import Points
from kerasviz_callbacks.record.sink import Sink

PIXELS = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
PNG = encode(PIXELS)
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows deletes no open file, and links need a right")


def decoded(png):
    return np.asarray(Image.open(io.BytesIO(png)))


def read(directory):
    multiplexer = plugin_event_multiplexer.EventMultiplexer(tensor_size_guidance={"images": 0, "scalars": 0, "text": 0})
    return multiplexer.AddRunsFromDirectory(str(directory)).Reload()


def begun(directory, first_step=-1, kind=EventFileSink):
    sink = kind(directory)
    sink.begin(first_step)
    return sink


def pngs(directory):
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in Path(directory).rglob("*.png")}


def test_all_destinations_are_sinks_and_write_nothing_when_made(tmp_path):
    for sink in (EventFileSink(tmp_path), PNGFileSink(tmp_path), MemorySink()):
        assert isinstance(sink, Sink)
        sink.flush()
        sink.close()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", [EventFileSink, PNGFileSink])
def test_writing_before_a_group_is_claimed_is_refused(tmp_path, kind):
    with pytest.raises(RuntimeError, match=r"begin\(first_step\) must be called before the first write"):
        kind(tmp_path).image("train", "a/b", 0, PNG)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", [EventFileSink, MemorySink])
def test_what_is_no_png_is_refused(tmp_path, kind):
    sink = begun(tmp_path) if kind is EventFileSink else kind()
    with pytest.raises((ValueError, OSError), match=r"must be a PNG file|cannot identify"):
        sink.image("train", "a/b", 0, b"GIF89a")


def test_tensorboard_reads_images_scalars_and_text_of_each_run(tmp_path):
    sink = begun(tmp_path)
    for step in (-1, 0, 5):
        sink.image("validation", "maps/conv", step, encode(PIXELS + np.uint8(step + 1)), "**Bright**: strong.")
        sink.scalar("validation", "overlap/mean", step, step / 4, "Less is better.")
        sink.scalar("train", "overlap/mean", step, step / 8)
        sink.text("train", "notes/run", step, f"step *{step}*", "What was done.")
        sink.flush()
    runs = read(tmp_path)
    assert set(runs.Runs()) == {"views/validation", "views/train"}
    events = runs.Tensors("views/validation", "maps/conv")
    assert [event.step for event in events] == [-1, 0, 5]
    for event in events:
        width, height, png = event.tensor_proto.string_val
        assert (width, height) == (b"6", b"4")
        assert (decoded(png) == PIXELS + np.uint8(event.step + 1)).all()
    about = runs.SummaryMetadata("views/validation", "maps/conv")
    assert about.summary_description == "**Bright**: strong."
    assert about.plugin_data.plugin_name == "images"
    metrics = {
        run: [(event.step, event.tensor_proto.float_val[0]) for event in runs.Tensors(run, "overlap/mean")]
        for run in runs.Runs()
    }
    assert metrics["views/validation"] == [(-1, -0.25), (0, 0.0), (5, 1.25)]
    assert metrics["views/train"] == [(-1, -0.125), (0, 0.0), (5, 0.625)]
    texts = [(event.step, event.tensor_proto.string_val[0]) for event in runs.Tensors("views/train", "notes/run")]
    assert texts == [(-1, b"step *-1*"), (0, b"step *0*"), (5, b"step *5*")]
    assert runs.SummaryMetadata("views/train", "notes/run").plugin_data.plugin_name == "text"
    sink.close()
    sink.close()


def test_grey_images_keep_width_and_height_apart(tmp_path):
    sink = begun(tmp_path)
    sink.image("model", "filters/conv", 0, encode(PIXELS[..., 0]))
    sink.flush()
    (event,) = read(tmp_path).Tensors("views/model", "filters/conv")
    width, height, png = event.tensor_proto.string_val
    assert (int(width), int(height)) == Image.open(io.BytesIO(png)).size == (6, 4)


@pytest.mark.parametrize("value", [np.nan, np.inf, np.float32("nan"), 1e39])
def test_a_scalar_that_is_not_finite_is_not_written(tmp_path, value):
    sink, memory = begun(tmp_path), MemorySink()
    for one in (sink, memory):
        one.scalar("train", "latent/knn", 0, value)
        one.close()
    assert not list(tmp_path.rglob("*tfevents*"))
    assert not memory.scalars


def test_of_two_scalars_of_one_step_the_first_is_written(tmp_path):
    sink, memory = begun(tmp_path), MemorySink()
    for one in (sink, memory):
        for step in (0, 1):
            for value in (0.25, 0.5):
                one.scalar("train", "latent/spread", step, value)
                one.scalar("validation", "latent/spread", step, value + 1)
            one.flush()
    runs = read(tmp_path)
    for run, value in (("train", 0.25), ("validation", 1.25)):
        events = runs.Tensors(f"views/{run}", "latent/spread")
        assert [(event.step, event.tensor_proto.float_val[0]) for event in events] == [(0, value), (1, value)]
        assert memory.scalars[run, "latent/spread"] == {0: value, 1: value}


@pytest.mark.skipif(not hasattr(os, "writev"), reason="Windows writes one part at a time")
def test_a_step_costs_one_write_a_run_however_many_scalars_it_has(tmp_path, monkeypatch):
    writes, writev = [], os.writev
    monkeypatch.setattr(os, "writev", lambda file, parts: writes.append(file) or writev(file, parts))
    sink = begun(tmp_path)
    for step in range(3):
        for number in range(20):
            for run in ("train", "validation"):
                sink.scalar(run, f"health/conv{number}/dead", step, 0.5)
        assert len(writes) == 2 * step
        sink.flush()
        assert len(writes) == 2 * (step + 1)


def test_every_scalar_that_a_full_disk_takes_is_counted_and_other_runs_are_written(tmp_path, monkeypatch):
    sink, writev, failing = begun(tmp_path), os.writev, []

    def full(file, parts):
        if failing and str(Path(f"/proc/self/fd/{file}").readlink()).startswith(str(tmp_path / "views/train")):
            raise OSError(errno.ENOSPC, "No space left on device")
        return writev(file, parts)

    monkeypatch.setattr(os, "writev", full)
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("needs /proc")
    failing.append(True)
    for tag in ("a", "b", "c"):
        sink.scalar("train", tag, 0, 0.5)
        sink.scalar("validation", tag, 0, 0.5)
    with sink.errors.collect():
        sink.flush()
    assert sink.errors.count == 3
    sink.scalar("train", "a", 1, 0.5)
    sink.image("train", "i", 1, PNG)
    with sink.errors.collect():
        sink.flush()
    assert sink.errors.count == 5
    monkeypatch.setattr("kerasviz_callbacks.record.event_files.MAX_WAITING", len(PNG) + 1)
    sink.image("train", "i", 1, PNG)
    with sink.errors.collect():
        sink.image("train", "j", 1, PNG)
    assert sink.errors.count == 7
    assert [cause.errno for cause in sink.errors.causes] == [errno.ENOSPC]
    failing.clear()
    sink.scalar("train", "a", 2, 0.25)
    sink.close()
    runs = read(tmp_path)
    assert [event.step for event in runs.Tensors("views/train", "a")] == [2]
    assert all(len(runs.Tensors("views/validation", tag)) == 1 for tag in ("a", "b", "c"))


def test_png_files_are_those_given_and_lie_by_group_run_tag_and_step(tmp_path):
    sink = begun(tmp_path, kind=PNGFileSink)
    sink.image("validation", "grad_cam/conv5", 7, PNG)
    sink.image("validation", "grad_cam/conv5", -1, PNG)
    sink.image("model", "filters/conv5:1", 123_456_789, PNG)
    sink.scalar("validation", "a/b", 0, 0.5)
    sink.text("validation", "a/b", 0, "text")
    sink.points("validation", Points("codes", np.zeros((2, 2))))
    found = pngs(tmp_path)
    third = next(name for name in found if "filters" in name)
    assert set(found) - {third} == {
        "views/validation/grad_cam/conv5/000007.png",
        "views/validation/grad_cam/conv5/-00001.png",
    }
    assert Path(third).match("views/model/filters/conv5_1~*/123456789.png")
    assert set(found.values()) == {PNG}
    assert (sink.closing_lines(), sink.close(), sink.close()) == ([], None, None)


@pytest.mark.parametrize("kind", [EventFileSink, PNGFileSink])
def test_a_second_training_gets_runs_of_its_own_and_a_resumed_one_does_not(tmp_path, kind):
    other = encode(PIXELS[::-1].copy())
    for group, first, png in (("views", -1, PNG), ("views", 2, PNG), ("views-2", 0, other), ("views-3", -1, other)):
        sink = kind(tmp_path)
        before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        assert sink.begin(first) == sink.group == group
        for step in (first, first + 1):
            sink.image("model", "filters/conv", step, png)
        sink.close()
        assert all(path.read_bytes() == content for path, content in before.items())


def test_png_files_count_their_groups_by_themselves(tmp_path):
    begun(tmp_path / "logs").image("model", "filters/conv", 0, PNG)
    images = PNGFileSink(tmp_path / "images")
    assert images.begin(0) == "views"
    for name in ("notes.png", "000009.txt", "9a.png"):
        (tmp_path / "images/views" / name).touch()
    images.close()
    assert PNGFileSink(tmp_path / "images").begin(0) == "views"
    (tmp_path / "images/views/000003.png").symlink_to(tmp_path / "nowhere")
    assert PNGFileSink(tmp_path / "images").begin(4) == "views"
    assert PNGFileSink(tmp_path / "images").begin(3) == "views-2"


@posix
@pytest.mark.parametrize("kind", [EventFileSink, PNGFileSink])
def test_a_deleted_directory_is_made_again(tmp_path, kind):
    sink = begun(tmp_path / "out", kind=kind)
    sink.image("model", "filters/conv", 0, PNG, "What a filter sees.")
    sink.flush()
    shutil.rmtree(tmp_path / "out")
    sink.image("model", "filters/conv", 1, PNG, "What a filter sees.")
    sink.close()
    if kind is PNGFileSink:
        assert set(pngs(tmp_path)) == {"out/views/model/filters/conv/000001.png"}
    else:
        runs = read(tmp_path / "out")
        assert [event.step for event in runs.Tensors("views/model", "filters/conv")] == [1]
        assert runs.SummaryMetadata("views/model", "filters/conv").summary_description == "What a filter sees."


@posix
@pytest.mark.parametrize("name", [".000000.png.part", "000000.png"])
@pytest.mark.parametrize("target", ["victim", "nowhere"])
def test_no_link_is_followed_when_a_png_is_written(tmp_path, name, target):
    (tmp_path / "victim").write_text("precious")
    sink = begun(tmp_path / "out", kind=PNGFileSink)
    directory = tmp_path / "out/views/model/filters/conv"
    directory.mkdir(parents=True)
    (directory / name).symlink_to(tmp_path / target)
    sink.image("model", "filters/conv", 0, PNG)
    assert (directory / "000000.png").read_bytes() == PNG
    assert not (directory / "000000.png").is_symlink()
    assert (tmp_path / "victim").read_text() == "precious"
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("kind", [EventFileSink, PNGFileSink])
def test_a_directory_is_that_of_the_beginning_wherever_the_script_goes(tmp_path, monkeypatch, kind):
    (tmp_path / "start").mkdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "start")
    sink = kind("out")
    monkeypatch.chdir(tmp_path / "elsewhere")
    sink.begin(0)
    sink.image("model", "filters/conv", 0, PNG)
    sink.close()
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert [path.name for path in (tmp_path / "start").iterdir()] == ["out"]
    assert [path for path in (tmp_path / "start").rglob("*") if path.suffix == ".png" or "tfevents" in path.name]


@pytest.mark.parametrize("kind", [EventFileSink, PNGFileSink])
def test_a_tilde_is_the_home_directory(tmp_path, monkeypatch, kind):
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    assert begun("~/out", kind=kind).group == "views"
    assert (tmp_path / "home/out/views").is_dir()
    assert not (tmp_path / "~").exists()


@pytest.mark.parametrize("named", ["logs", "my logs", "it's", "$HOME/x", "a;b"])
def test_the_closing_line_names_the_directory_as_the_user_did_and_a_shell_reads_it_so(tmp_path, monkeypatch, named):
    monkeypatch.chdir(tmp_path)
    commands = [shlex.split(line, comments=True) for line in EventFileSink(named).closing_lines()]
    assert commands == [["tensorboard", "--logdir", named], ["kerasviz", "export", named, "training.html"]]
    assert EventFileSink(Path(named)).closing_lines() == EventFileSink(named).closing_lines()


def test_the_closing_line_leaves_no_tilde_to_a_quoted_word(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert shlex.split(EventFileSink("~/logs").closing_lines()[0])[2] == str(tmp_path / "logs")


def test_what_comes_after_close_is_not_lost(tmp_path):
    sink = begun(tmp_path)
    sink.scalar("train", "a", 0, 0.5)
    sink.close()
    sink.scalar("train", "a", 1, 0.25)
    sink.close()
    accumulator = event_accumulator.EventAccumulator(str(tmp_path / "views" / "train")).Reload()
    assert [event.step for event in accumulator.Tensors("a")] == [0, 1]


def test_memory_keeps_pixels_and_the_first_description():
    sink = MemorySink()
    assert sink.begin(5) == "views"
    sink.image("validation", "maps/conv", np.int64(3), PNG, "first")
    sink.image("validation", "maps/conv", 4, encode(np.zeros((2, 3), np.uint8)), "second")
    sink.scalar("validation", "a/b", 3, np.float32(0.5), "a scalar")
    sink.text("train", "notes", 3, "**text**", "a text")
    assert (sink.pictures["validation", "maps/conv"][3] == PIXELS).all()
    assert sink.pictures["validation", "maps/conv"][4].tolist() == [[0, 0, 0], [0, 0, 0]]
    assert sink.scalars == {("validation", "a/b"): {3: 0.5}}
    assert sink.texts == {("train", "notes"): {3: "**text**"}}
    assert sink.descriptions == {
        ("validation", "maps/conv"): "first",
        ("validation", "a/b"): "a scalar",
        ("train", "notes"): "a text",
    }
    assert (sink.close(), sink.closing_lines()) == (None, [])


def test_a_copy_of_an_event_file_sink_writes_files_of_its_own_and_holds_no_claim(tmp_path):
    sink = begun(tmp_path)
    sink.scalar("train", "a", 0, 0.5)
    sink.flush()
    other = copy.deepcopy(sink)
    other.scalar("train", "a", 1, 0.25)
    other.close()
    assert [event.step for event in read(tmp_path).Tensors("views/train", "a")] == [0, 1]
    assert EventFileSink(tmp_path).begin(5) == "views-2"


def test_a_memory_sink_can_be_deep_copied():
    sink = MemorySink()
    sink.scalar("train", "a", 0, 0.5)
    copy.deepcopy(sink).scalar("train", "a", 1, 0.25)
    assert sink.scalars["train", "a"] == {0: 0.5}


def test_images_of_a_step_are_written_in_one_write_a_run_and_no_more_wait_than_allowed(tmp_path, monkeypatch):
    sink, writev, written = begun(tmp_path), os.writev, []

    def counting(file, parts):
        written.append(sum(map(len, parts)))
        return writev(file, parts)

    monkeypatch.setattr(os, "writev", counting)
    for tag in "abc":
        sink.scalar("train", f"s/{tag}", 0, 0.5)
        sink.image("train", tag, 0, PNG)
    assert written == []
    sink.flush()
    assert len(written) == 1
    monkeypatch.setattr("kerasviz_callbacks.record.event_files.MAX_WAITING", 3 * len(PNG))
    for step in range(1, 7):
        sink.image("train", "a", step, PNG)
    assert len(written) == 3, "three at a time"
    sink.close()
    runs = read(tmp_path)
    assert [event.step for event in runs.Tensors("views/train", "a")] == list(range(7))
    assert [event.tensor_proto.string_val[2] for event in runs.Tensors("views/train", "c")] == [PNG]


def test_a_file_is_replaced_whole_beside_the_events_and_read_back_by_the_fit_that_resumes(tmp_path):
    sink, memory = begun(tmp_path), MemorySink()
    assert sink.read_file("train", "table.csv") is None
    for content in (b"one,two\n" * 1000, b"three\n"):
        for one in (sink, memory):
            one.file("train", "table.csv", content)
        assert (tmp_path / "views" / "train" / "table.csv").read_bytes() == content
        assert memory.files == {("train", "table.csv"): content}
    sink.scalar("train", "a", 3, 1.0)
    sink.close()
    assert begun(tmp_path, first_step=4).read_file("train", "table.csv") == b"three\n"
    other = begun(tmp_path, first_step=2)
    assert (other.group, other.read_file("train", "table.csv")) == ("views-2", None)
    assert not list(tmp_path.rglob("*.part"))
    assert read(tmp_path).Runs().keys() == {"views/train"}
    assert PNGFileSink(tmp_path).read_file("train", "table.csv") is None


@posix
def test_a_file_that_cannot_be_written_is_an_error_and_the_previous_one_stays(tmp_path, monkeypatch):
    sink = begun(tmp_path)
    sink.file("train", "table.csv", b"before")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("kerasviz_callbacks.record.files.write_all", full)
    with pytest.raises(OSError, match="No space left"):
        sink.file("train", "table.csv", b"after")
    assert sink.read_file("train", "table.csv") == b"before"
    assert [path.name for path in (tmp_path / "views" / "train").iterdir()] == ["table.csv"]
