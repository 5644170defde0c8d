"""Which steps a log directory holds, against a full reading of the events."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorboard.compat.proto import event_pb2, summary_pb2

from kerasviz_callbacks.record.event_files import EventFileSink
from kerasviz_callbacks.record.events import EventFile
from kerasviz_callbacks.record.steps import last_step
from kerasviz_callbacks.record.tfrecord import framed

SUMMARY = summary_pb2.Summary(value=[summary_pb2.Summary.Value(tag="a", simple_value=1.0)])
contents = st.sampled_from([{"summary": SUMMARY}, {"file_version": "brain.Event:2"}, {"graph_def": b"graph"}, {}])
events = st.builds(
    lambda step, time, content: event_pb2.Event(step=step, wall_time=time, **content),
    st.integers(-(2**63), 2**63 - 1) | st.integers(-1, 300),
    st.sampled_from([0.0, 1.5, 1.8e9]),
    contents,
)


def frame(data):
    return b"".join(framed(data))


def free_group(log_dir, first_step):
    """The group that a sink begins with; given back."""
    sink = EventFileSink(log_dir)
    group = sink.begin(first_step)
    sink.close()
    return group


def log(directory, *steps):
    file = EventFile(directory)
    for step in steps:
        file.image("a", step, b"\x10\x7f" * 500, width=1, height=1)
        file.flush()
    file.close()
    return file.path


@given(st.lists(events, max_size=6))
def test_last_step_is_the_largest_of_the_parsed_events(tmp_path_factory, logged):
    directory = tmp_path_factory.mktemp("run")
    path = directory / "events.out.tfevents.1.other"
    path.write_bytes(b"".join(frame(event.SerializeToString()) for event in logged))
    expected = max((event.step for event in logged if event.HasField("summary")), default=None)
    assert last_step(directory) == expected


def test_nothing_logged_is_none(tmp_path):
    assert last_step(tmp_path / "absent") is None
    assert last_step(tmp_path) is None
    EventFile(tmp_path).open()
    assert last_step(tmp_path) is None


def test_every_file_counts_but_no_other_run(tmp_path):
    log(tmp_path, -1)
    assert last_step(tmp_path) == -1
    log(tmp_path, 0, 5)
    log(tmp_path, 3)
    log(tmp_path / "below", 9)
    assert last_step(tmp_path) == 5


@pytest.mark.parametrize("lost", [1, 4, 100, 1040])
def test_a_truncated_tail_does_not_count(tmp_path, lost):
    path = log(tmp_path, 0, 1, 2)
    os.truncate(path, path.stat().st_size - lost)
    assert last_step(tmp_path) == 1


@given(st.binary(max_size=200))
def test_foreign_files_are_left_out(tmp_path_factory, rubbish):
    directory = tmp_path_factory.mktemp("run")
    (directory / "events.out.tfevents.0.rubbish").write_bytes(rubbish)
    (directory / "notes.txt").write_bytes(rubbish)
    (directory / "tfevents").mkdir()
    log(directory, 4)
    assert last_step(directory) == 4


def test_rubbish_after_good_records_ends_the_reading(tmp_path):
    path = log(tmp_path, 0, 1)
    with path.open("ab") as file:
        file.write(os.urandom(400))
    assert last_step(tmp_path) == 1


def test_payloads_are_not_read(tmp_path):
    # A sparse record of 1 TB: whoever reads it fails.
    path = log(tmp_path, 7)
    head = frame(event_pb2.Event(step=8, summary=SUMMARY).SerializeToString())[12:32]
    length = (2**40).to_bytes(8, "little")
    with path.open("ab") as file:
        file.write(length + frame(length)[-4:] + head)
        file.truncate(file.tell() + 2**40)
    assert last_step(tmp_path) == 8


def test_a_free_log_directory_gives_views(tmp_path):
    assert free_group(tmp_path / "absent", 0) == "views"
    log(tmp_path / "validation", 0, 1, 2)
    log(tmp_path / "train", 0, 1, 2)
    assert free_group(tmp_path, 0) == "views"


def test_a_resumed_training_stays_in_its_runs_and_a_new_one_does_not(tmp_path):
    log(tmp_path / "views" / "model", -1, 0, 1)
    log(tmp_path / "views" / "validation", -1, 0, 1, 2)
    assert free_group(tmp_path, 3) == "views"
    assert free_group(tmp_path, 2) == "views-2"
    assert free_group(tmp_path, -1) == "views-2"
    log(tmp_path / "views-2" / "train", 0)
    assert free_group(tmp_path, 0) == "views-3"
    assert free_group(tmp_path, 1) == "views-2"
    log(tmp_path / "views-3", 0)
    assert free_group(str(tmp_path), 0) == "views-4"


def test_the_untrained_model_alone_is_step_minus_one(tmp_path):
    log(tmp_path / "views" / "model", -1)
    assert free_group(tmp_path, 0) == "views"
    assert free_group(tmp_path, -1) == "views-2"
