"""Event files, read back by TensorBoard's own readers."""

import copy
import errno
import math
import os
import pickle
import shutil
import signal
import struct
import subprocess
import sys
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorboard.backend.event_processing import directory_watcher, event_file_loader, io_wrapper
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.compat.tensorflow_stub import pywrap_tensorflow
from tensorboard.plugins.image import metadata as image_metadata
from tensorboard.plugins.scalar import metadata as scalar_metadata
from tensorboard.plugins.text import metadata as text_metadata
from tensorboard.summary.writer import event_file_writer

from kerasviz_callbacks.record import events
from kerasviz_callbacks.record.events import EventFile
from kerasviz_callbacks.record.tfrecord import framed, masked_crc32c

LARGEST = struct.unpack("<f", bytes.fromhex("ffff7f7f"))[0]


def events_in(directory):
    """Every event of a run directory, file after file, as TensorBoard's Python loader and W&B read it."""
    watcher = directory_watcher.DirectoryWatcher(
        str(directory), event_file_loader.RawEventFileLoader, io_wrapper.IsTensorFlowEventsFile
    )
    return [event_pb2.Event.FromString(raw) for raw in watcher.Load()]


def written(directory, step, value):
    """An event file with one scalar, closed."""
    file = EventFile(directory)
    file.scalar("a", step, value)
    file.close()


def values_in(directory):
    """(step, tag, value) of everything logged in the directory."""
    return [
        (
            event.step,
            value.tag,
            value.tensor.float_val[0] if value.tensor.float_val else value.tensor.string_val[2],
        )
        for event in events_in(directory)
        for value in event.summary.value
    ]


@given(st.binary(max_size=300))
def test_checksum_is_tensorboards_own(data):
    assert masked_crc32c(data) == pywrap_tensorflow.masked_crc32c(data)


@given(data=st.lists(st.binary(max_size=50), max_size=5))
def test_frames_are_read_by_tensorboards_checking_reader(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("frames") / "records"
    path.write_bytes(b"".join(part for one in data for part in framed(one)))
    reader = pywrap_tensorflow.PyRecordReader_New(str(path))
    got = []
    for _ in data:
        reader.GetNext()
        got.append(reader.record())
    assert got == data


def test_the_file_says_what_it_is(tmp_path):
    file = EventFile(tmp_path / "deep" / "run")
    assert not (tmp_path / "deep").exists()
    file.open()
    file.close()
    file.close()
    (event,) = events_in(tmp_path / "deep" / "run")
    assert event.file_version == "brain.Event:2"
    assert not event.summary.value
    assert file.path.name.startswith("events.out.tfevents.")
    assert io_wrapper.IsSummaryEventsFile(str(file.path))


def test_image_is_what_tf_summary_would_write(tmp_path):
    file = EventFile(tmp_path)
    file.image("maps/conv", 7, b"\x89PNG...", width=12, height=5, description="**Read** so.")
    file.flush()
    file.image("maps/conv", 8, b"later", width=12, height=5, description="**Read** so.")
    file.flush()
    _, first, second = events_in(tmp_path)
    value = first.summary.value[0]
    assert (first.step, value.tag) == (7, "maps/conv")
    assert list(value.tensor.string_val) == [b"12", b"5", b"\x89PNG..."]
    assert [dim.size for dim in value.tensor.tensor_shape.dim] == [3]
    assert value.metadata.plugin_data.plugin_name == image_metadata.PLUGIN_NAME
    assert value.metadata.data_class == summary_pb2.DATA_CLASS_BLOB_SEQUENCE
    assert value.metadata.display_name == ""
    assert value.metadata.summary_description == "**Read** so."
    assert not second.summary.value[0].HasField("metadata")


def test_scalar_is_what_tf_summary_would_write(tmp_path):
    file = EventFile(tmp_path)
    file.scalar("overlap/mean", -1, 0.1, description="Less is better.")
    file.flush()
    _, event = events_in(tmp_path)
    value = event.summary.value[0]
    assert (event.step, value.tag) == (-1, "overlap/mean")
    assert value.tensor.float_val[0] == struct.unpack("<f", struct.pack("<f", 0.1))[0]
    assert not value.tensor.tensor_shape.dim
    assert value.metadata.plugin_data.plugin_name == scalar_metadata.PLUGIN_NAME
    assert value.metadata.data_class == summary_pb2.DATA_CLASS_SCALAR
    assert value.metadata.display_name == ""
    assert value.metadata.summary_description == "Less is better."


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, LARGEST * 1.01])
def test_a_scalar_that_float32_cannot_hold_is_refused(tmp_path, value):
    with pytest.raises(ValueError, match=r"value=.* of 'a/b' at step 3: must be finite as a float32"):
        EventFile(tmp_path).scalar("a/b", 3, value)
    assert not list(tmp_path.iterdir())


@given(value=st.floats(-LARGEST, LARGEST), step=st.integers(-1, 2**62))
def test_every_other_scalar_survives(value, step, tmp_path_factory):
    directory = tmp_path_factory.mktemp("scalar")
    file = EventFile(directory)
    file.scalar("a", step, value)
    file.close()
    assert values_in(directory) == [(step, "a", struct.unpack("<f", struct.pack("<f", value))[0])]


@pytest.mark.parametrize("lost", [1, 5, 40])
def test_a_truncated_tail_loses_only_itself(tmp_path, lost):
    file = EventFile(tmp_path)
    for step in range(3):
        file.image("a", step, bytes([step]) * 100, width=1, height=1)
        file.flush()
    os.truncate(file.path, file.path.stat().st_size - lost)
    file.close()
    file.scalar("b", 3, 0.5)
    file.flush()
    assert values_in(tmp_path) == [(0, "a", b"\0" * 100), (1, "a", b"\1" * 100), (3, "b", 0.5)]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_kill_9_loses_only_what_was_not_flushed(tmp_path):
    script = """
        import os, signal, sys
        from kerasviz_callbacks.record.events import EventFile
        file = EventFile(sys.argv[1])
        for step in range(-1, 30):
            file.image("a", step, os.urandom(20_000), width=1, height=1)
            file.flush()
            file.scalar("b", step, step / 2)
            file.flush()
        file.scalar("b", 30, 15.0)
        file.image("a", 30, b"with what waited", width=1, height=1)
        file.flush()
        file.scalar("b", 31, 15.5)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script), tmp_path], timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    values = values_in(tmp_path)
    assert [(step, value) for step, tag, value in values if tag == "b"] == [(s, s / 2) for s in range(-1, 31)]
    assert [step for step, tag, _ in values if tag == "a"] == list(range(-1, 31))


def test_a_failed_write_is_reported_and_the_next_one_works(tmp_path):
    # A limit on the size of files does what a full disk does: a part of the record is written, then it fails.
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    file = EventFile(tmp_path)
    file.scalar("a", 0, 0.5)
    file.flush()
    for step in (1, 2):
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
        try:
            file.image("b", step, b"x" * 5000, width=1, height=1)
            with pytest.raises(OSError, match="File too large"):
                file.flush()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    file.image("b", 3, b"whole", width=1, height=1)
    file.flush()
    assert values_in(tmp_path) == [(0, "a", 0.5), (3, "b", b"whole")]
    # The attempt at step 2 began a file, and left none.
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows deletes no open file")
@pytest.mark.parametrize("what", ["file", "directory", "replaced"])
def test_a_deleted_file_is_begun_again_with_its_metadata(tmp_path, what):
    file = EventFile(tmp_path / "run")
    file.scalar("a", 0, 0.5, description="Kept.")
    file.flush()
    first = file.path
    if what == "directory":
        shutil.rmtree(tmp_path / "run")
    else:
        first.unlink()
    if what == "replaced":
        first.touch()
    file.scalar("a", 1, 0.25, description="Kept.")
    file.flush()
    assert file.path != first
    assert values_in(tmp_path / "run") == [(1, "a", 0.25)]
    assert events_in(tmp_path / "run")[1].summary.value[0].metadata.summary_description == "Kept."


def test_an_unwritable_directory_is_an_oserror(tmp_path):
    (tmp_path / "file").touch()
    file = EventFile(tmp_path / "file" / "run")
    file.image("a", 0, b"png", width=1, height=1)
    with pytest.raises(NotADirectoryError):
        file.flush()


@pytest.mark.parametrize("before", [None, "4000000000.elsewhere.1.0.v2", "0000000001.elsewhere.1.0.v2"])
def test_each_new_file_is_found_by_a_reader_already_at_work(tmp_path, before):
    # Files of one second, or after a clock that was ahead: the reader only ever goes on to a greater name.
    if before:
        (tmp_path / f"events.out.tfevents.{before}").touch()
    watcher = directory_watcher.DirectoryWatcher(
        str(tmp_path), event_file_loader.RawEventFileLoader, io_wrapper.IsTensorFlowEventsFile
    )
    list(watcher.Load())
    for step in range(12):
        written(tmp_path, step, step)
        _, event = (event_pb2.Event.FromString(raw) for raw in watcher.Load())
        assert event.step == step


def test_a_relative_directory_stays_where_it_was(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = EventFile("logs")
    file.scalar("a", 0, 0.5)
    file.flush()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    file.scalar("a", 1, 0.25)
    file.flush()
    assert [step for step, _, _ in values_in(tmp_path / "logs")] == [0, 1]
    assert len(list((tmp_path / "logs").iterdir())) == 1


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda file: pickle.loads(pickle.dumps(file))])
def test_a_copy_begins_its_own_file(tmp_path, clone):
    file = EventFile(tmp_path)
    file.scalar("a", 0, 0.5)
    other = clone(file)
    file.close()
    other.scalar("a", 1, 0.25)
    other.close()
    assert other.path != file.path
    assert [step for step, _, _ in values_in(tmp_path)] == [0, 1]


class WatchingWriter(event_file_writer.EventFileWriter):
    """As W&B patches it: notes the directory, then is TensorBoard's writer."""

    told: list[str] = []  # noqa: RUF012

    def __init__(self, logdir, *args, **kwargs):
        if "refused" in logdir:
            raise RuntimeError("no run")
        self.told.append(logdir)
        super().__init__(logdir, *args, **kwargs)


def test_a_patched_writer_is_told_once_and_finds_our_file_behind_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(event_file_writer, "EventFileWriter", WatchingWriter)
    monkeypatch.setattr(WatchingWriter, "told", [])
    file = EventFile(tmp_path)
    file.scalar("a", 0, 0.5)
    file.flush()
    file.scalar("a", 1, 0.25)
    file.flush()
    assert WatchingWriter.told == [str(tmp_path)]
    assert len(list(tmp_path.iterdir())) == 2
    assert values_in(tmp_path) == [(0, "a", 0.5), (1, "a", 0.25)]


def test_tensorboards_own_writer_is_left_alone(tmp_path):
    written(tmp_path, 0, 0.5)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_patched_writer_that_fails_costs_a_warning_only(tmp_path, monkeypatch):
    monkeypatch.setattr(event_file_writer, "EventFileWriter", WatchingWriter)
    with pytest.warns(UserWarning, match=r"test_record_events watches .* could not be given .*no run"):
        written(tmp_path / "refused", 0, 0.5)
    assert values_in(tmp_path / "refused") == [(0, "a", 0.5)]


def test_importing_the_subpackage_is_light():
    script = """
        import sys
        import kerasviz_callbacks.record
        heavy = {"tensorboard", "tensorflow", "keras", "PIL", "google_crc32c", "google.protobuf", "filelock"}
        print(sorted(heavy & set(sys.modules)))
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    assert subprocess.run(command, timeout=60, check=True, capture_output=True, text=True).stdout == "[]\n"


def test_writing_needs_no_framework(tmp_path):
    script = """
        import sys
        from kerasviz_callbacks.record.events import EventFile
        file = EventFile(sys.argv[1])
        file.scalar("a", 0, 0.5)
        file.image("b", 0, b"png", width=1, height=1)
        file.flush()
        print(sorted({"tensorflow", "keras", "torch", "jax"} & set(sys.modules)))
    """
    command = [sys.executable, "-c", textwrap.dedent(script), tmp_path]
    assert subprocess.run(command, timeout=60, check=True, capture_output=True, text=True).stdout == "[]\n"


@pytest.mark.parametrize("system", ["takes a few bytes at a time", "has no writev"])
def test_a_record_is_whole_however_the_system_takes_it(system, tmp_path, monkeypatch):
    if system == "has no writev":
        monkeypatch.delattr(os, "writev")
    else:
        monkeypatch.setattr(os, "writev", lambda descriptor, parts: os.write(descriptor, b"".join(parts)[:7]))
    file = EventFile(tmp_path)
    for step in range(3):
        file.image("a", step, bytes([step]) * 100, width=1, height=1)
        file.flush()
        file.scalar("b", step, step / 2)
    file.close()
    both = [[(step, "a", bytes([step]) * 100), (step, "b", step / 2)] for step in range(3)]
    assert values_in(tmp_path) == [value for pair in both for value in pair]


def counted_writes(monkeypatch):
    """The bytes of every write to a file, in order."""
    writes, writev = [], os.writev

    def counting(descriptor, parts):
        writes.append(b"".join(parts))
        return writev(descriptor, parts)

    monkeypatch.setattr(os, "writev", counting)
    return writes


@pytest.mark.skipif(not hasattr(os, "writev"), reason="Windows writes one part at a time")
def test_scalars_and_text_wait_and_go_out_in_one_write_before_the_next_image(tmp_path, monkeypatch):
    writes, file = counted_writes(monkeypatch), EventFile(tmp_path)
    for step in range(3000):
        file.scalar("b", step, step / 2)
    file.text("c", 3000, "**Done**")
    assert (writes, list(tmp_path.iterdir()), file.waiting) == ([], [], 3001)
    file.flush()
    file.flush()
    assert (len(writes), file.waiting) == (1, 0)
    file.scalar("b", 3001, 0.5)
    file.image("a", 3001, b"png", width=1, height=1)
    file.flush()
    assert len(writes) == 2
    assert file.path.read_bytes() == b"".join(writes)
    logged = [(event.step, value.tag) for event in events_in(tmp_path) for value in event.summary.value]
    assert logged == [*((step, "b") for step in range(3000)), (3000, "c"), (3001, "b"), (3001, "a")]


def test_text_is_what_tf_summary_would_write(tmp_path):
    file = EventFile(tmp_path)
    file.text("notes/run", 4, "**bold** \N{SNOWMAN}", description="What to read.")
    file.close()
    _, event = events_in(tmp_path)
    value = event.summary.value[0]
    assert (event.step, value.tag) == (4, "notes/run")
    assert list(value.tensor.string_val) == ["**bold** \N{SNOWMAN}".encode()]
    assert not value.tensor.tensor_shape.dim
    assert value.metadata.plugin_data.plugin_name == text_metadata.PLUGIN_NAME == "text"
    assert value.metadata.data_class == summary_pb2.DATA_CLASS_TENSOR
    assert value.metadata.display_name == ""
    assert value.metadata.summary_description == "What to read."


def test_what_waits_while_the_file_is_deleted_is_described_in_the_new_one(tmp_path):
    file = EventFile(tmp_path)
    file.scalar("a", 0, 0.5, description="Kept.")
    file.flush()
    file.scalar("a", 1, 0.25, description="Kept.")
    file.path.unlink()
    file.close()
    assert values_in(tmp_path) == [(1, "a", 0.25)]
    assert events_in(tmp_path)[1].summary.value[0].metadata.summary_description == "Kept."


def test_what_waited_is_lost_with_a_write_that_fails_and_the_next_is_whole(tmp_path, monkeypatch):
    file, writev = EventFile(tmp_path), os.writev

    def full(descriptor, parts):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    file.scalar("a", 0, 0.5, description="Kept.")
    monkeypatch.setattr(os, "writev", full)
    with pytest.raises(OSError, match="No space left"):
        file.close()
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(os, "writev", writev)
    file.scalar("a", 1, 0.25, description="Kept.")
    file.close()
    assert values_in(tmp_path) == [(1, "a", 0.25)]
    assert events_in(tmp_path)[1].summary.value[0].metadata.summary_description == "Kept."


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right on Windows")
@pytest.mark.parametrize("target", ["victim", "nowhere"])
def test_no_link_at_the_name_of_an_event_file_is_followed(tmp_path, monkeypatch, target):
    (tmp_path / "victim").write_text("precious")
    name = "events.out.tfevents.0000000001.host.1.0"
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).symlink_to(tmp_path / target)
    monkeypatch.setattr(events, "_file_name", lambda directory: name)
    with pytest.raises(FileExistsError):
        written(tmp_path / "run", 0, 0.5)
    assert (tmp_path / "victim").read_text() == "precious"
    assert not (tmp_path / "nowhere").exists()
