"""The index serves what TensorBoard's own reader returns, of logs of several writers, and more where that one drops."""

import os
import shutil
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from logs import by_tensorboard, image_event, png, read_index, scalar_event, served, write

from kerasviz_timeline import log_files
from kerasviz_timeline.event_file import masked_crc
from kerasviz_timeline.image_series import ImageSeries, Place
from kerasviz_timeline.listing import listing, stretches
from kerasviz_timeline.log_files import roots
from kerasviz_timeline.log_index import LogIndex, index_of


def write_with_tensorflow(directory):
    import tensorflow as tf

    with tf.summary.create_file_writer(str(directory)).as_default():
        for step in range(40):
            pixels = np.random.default_rng(step).integers(0, 256, (3, 20, 24, 3), dtype=np.uint8)
            tf.summary.image("several", pixels, step=step, max_outputs=3, description="# Several")
            tf.summary.image("one/of them", pixels[:1], step=step)
            tf.summary.scalar("loss", 1 / (step + 1), step=step)
            tf.summary.text("text", "a text that is longer than the smallest image event " * 3, step=step)
            tf.summary.histogram("histogram", pixels, step=step)


def write_with_tensorflow_1(directory):
    import tensorflow as tf

    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        pixels = tf.compat.v1.placeholder(tf.uint8, (2, 9, 7, 3))
        tf.compat.v1.summary.image("first", pixels)
        tf.compat.v1.summary.scalar("mean", tf.reduce_mean(tf.cast(pixels, tf.float32)))
        tf.compat.v1.summary.image("second", pixels[:, ::-1])
        merged = tf.compat.v1.summary.merge_all()
        writer = tf.compat.v1.summary.FileWriter(str(directory), session.graph)
        for step in range(30):
            values = np.random.default_rng(step).integers(0, 256, (2, 9, 7, 3), dtype=np.uint8)
            writer.add_summary(session.run(merged, {pixels: values}), step)
        writer.close()


def write_with_tensorboard_x(directory):
    tensorboardX = pytest.importorskip("tensorboardX")
    with tensorboardX.SummaryWriter(str(directory)) as writer:
        for step in range(30):
            writer.add_image("picture", np.random.default_rng(step).integers(0, 256, (3, 8, 8), dtype=np.uint8), step)
            writer.add_scalar("loss", 1 / (step + 1), step)


def write_with_torch(directory):
    torch_writer = pytest.importorskip("torch.utils.tensorboard")
    with torch_writer.SummaryWriter(str(directory)) as writer:
        for step in range(30):
            writer.add_image("picture", np.random.default_rng(step).integers(0, 256, (3, 8, 8), dtype=np.uint8), step)


def write_with_ours(directory):
    from kerasviz_callbacks.record.events import EventFile

    file = EventFile(directory)
    for step in range(-1, 30):
        file.image("grad_cam/conv", step, png(step + 1), width=16, height=12, description="A description.")
        file.scalar("health/conv/dead", step, 0.5, description="Dead channels.")
        file.flush()
    file.close()


WRITERS = [write_with_tensorflow, write_with_tensorflow_1, write_with_tensorboard_x, write_with_torch, write_with_ours]


@pytest.mark.parametrize("writer", WRITERS, ids=lambda writer: writer.__name__.removeprefix("write_with_"))
def test_every_image_of_a_writer_is_served_byte_for_byte(writer, tmp_path):
    writer(tmp_path / "run")
    expected = by_tensorboard(tmp_path, "run")
    assert sum(map(len, expected.values())) >= 30
    assert served(read_index(tmp_path)) == expected


def test_a_tag_without_metadata_or_of_another_plugin_is_no_image(tmp_path):
    text = image_event("text", 0, [b"a long text that is no image at all" * 10])
    text.summary.value[0].metadata.plugin_data.plugin_name = "text"
    write(tmp_path, [text, image_event("bare", 0, [png(0)], metadata=False), image_event("image", 0, [png(1)])])
    assert served(read_index(tmp_path)) == {(".", "image", 0): [(0, png(1))]}


def test_metadata_stand_in_the_first_event_of_a_tag_alone(tmp_path):
    events = [image_event("a", step, [png(step)], metadata=step == 0, description="# A") for step in range(5)]
    write(tmp_path, events)
    index = read_index(tmp_path)
    assert served(index) == {(".", "a", 0): [(step, png(step)) for step in range(5)]}
    assert index.descriptions == {"a": "# A"}


def test_runs_are_named_as_tensorboard_names_them(tmp_path):
    from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer

    (tmp_path / "logs").mkdir()
    for run in (".", "a", "a/b", "c d/ü"):
        write(tmp_path / "logs" / run, [image_event("x", 0, [png(0)])])
    (tmp_path / "elsewhere").mkdir()
    write(tmp_path / "elsewhere" / "far", [image_event("x", 0, [png(0)])])
    (tmp_path / "logs" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "logs" / "loop").symlink_to(tmp_path / "logs")
    (tmp_path / "logs" / "dangling").symlink_to(tmp_path / "nothing")
    os.mkfifo(tmp_path / "logs" / "pipe.tfevents")
    multiplexer = EventMultiplexer().AddRunsFromDirectory(str(tmp_path / "elsewhere"), "name")
    named = index_of("", f"name:{tmp_path / 'elsewhere'},{tmp_path / 'logs' / 'a'}")
    named.refresh()
    assert {one.run for one in named.series} == {*multiplexer.Runs(), ".", "b"} == {"name/far", ".", "b"}
    assert {one.run for one in read_index(tmp_path / "logs").series} == {".", "a", "a/b", "c d/ü", "link/far"}


@pytest.mark.parametrize(
    ("logdir", "spec", "expected"),
    [
        ("/logs/", "", [(None, "/logs")]),
        ("", "a:/x,b:/y:z", [("a", "/x"), ("b", "/y:z")]),
        ("", "/x:y,gs://bucket/logs/", [(None, "/x:y"), (None, "gs://bucket/logs")]),
        ("gs://bucket/logs", "", [(None, "gs://bucket/logs")]),
        ("", "", []),
    ],
)
def test_roots(logdir, spec, expected):
    assert roots(logdir, spec) == expected


def test_a_torn_tail_waits_for_its_rest_at_every_byte(tmp_path):
    whole = write(tmp_path / "whole", [image_event("a", step, [png(step)], metadata=not step) for step in range(2)])
    data = whole.read_bytes()
    first = len(write(tmp_path / "first", [image_event("a", 0, [png(0)])]).read_bytes())
    torn = tmp_path / "torn" / whole.name
    torn.parent.mkdir()
    torn.write_bytes(b"")
    index = index_of(str(torn.parent))
    for size in range(len(data) + 1):
        torn.write_bytes(data[:size])
        index.refresh()
        count = 2 if size == len(data) else 1 if size >= first else 0
        assert sum(len(one) for one in index.series) == count, size
    assert served(index) == {(".", "a", 0): [(0, png(0)), (1, png(1))]}


def test_a_live_training_is_followed_and_only_news_are_listed(tmp_path):
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    writer = EventFileWriter(str(tmp_path / "run"))
    index = index_of(str(tmp_path))
    index.refresh()
    assert listing(index)["series"] == []
    for step in range(5):
        writer.add_event(image_event("a", step, [png(step)]))
        if step == 2:
            writer.add_event(image_event("b", step, [png(9)]))
        writer.flush()
        before = index.generation
        index.refresh()
        news = listing(index, before)
        assert [row[2] for row in news["series"]] == (["a", "b"] if step == 2 else ["a"])
        index.refresh()
        assert listing(index, index.generation)["series"] == []
    writer.close()
    assert listing(index)["series"] == [[0, "run", "a", 0, 0, [[0, 1, 5]]], [1, "run", "b", 0, 0, [[2, 0, 1]]]]


def test_a_resumed_training_replaces_the_steps_from_which_it_goes_on(tmp_path):
    write(tmp_path, [image_event("a", step, [png(step)]) for step in range(6)], ".1")
    write(tmp_path, [image_event("a", step, [png(10 + step)], wall_time=5000.0 + step) for step in range(3, 5)], ".2")
    assert served(read_index(tmp_path)) == {
        (".", "a", 0): [(0, png(0)), (1, png(1)), (2, png(2)), (3, png(13)), (4, png(14))]
    }


def test_two_writers_at_once_keep_all_their_steps(tmp_path):
    write(tmp_path, [image_event("a", step, [png(step)], wall_time=2000.0 + step) for step in range(0, 6, 2)], ".1")
    write(tmp_path, [image_event("a", step, [png(step)], wall_time=2000.0 + step) for step in range(1, 6, 2)], ".2")
    assert served(read_index(tmp_path)) == {(".", "a", 0): [(step, png(step)) for step in range(6)]}


def test_steps_out_of_order_in_one_file_are_sorted_and_all_kept(tmp_path):
    steps = [5, 1, 3, 3, -1, 2**62]
    write(tmp_path, [image_event("a", step, [png(place)], wall_time=9.0) for place, step in enumerate(steps)])
    assert served(read_index(tmp_path)) == {
        (".", "a", 0): [(-1, png(4)), (1, png(1)), (3, png(2)), (3, png(3)), (5, png(0)), (2**62, png(5))]
    }


def test_an_image_of_an_older_version_or_none_is_not_served(tmp_path):
    write(tmp_path, [image_event("a", step, [png(step)]) for step in (3, 1)])
    index = read_index(tmp_path)
    (series,) = index.series
    assert series.version == 1
    for number, version, position in [(0, 0, 0), (0, 1, 2), (0, 1, -1), (-1, 1, 0), (1, 1, 0), (10**30, 1, 0)]:
        assert index.image(number, version, position) is None
    assert index.image(0, 1, 0) == png(1)


def test_files_that_are_deleted_shortened_or_replaced(tmp_path):
    run = tmp_path / "run"
    path = write(run, [image_event("a", step, [png(step)]) for step in range(3)])
    data, index = path.read_bytes(), read_index(tmp_path)
    path.unlink()
    assert index.image(0, 0, 1) is None
    index.refresh()
    assert served(index) == {}
    path.write_bytes(data[: len(data) // 2])
    index.refresh()
    assert 0 < len(served(index)["run", "a", 0]) < 3
    other = write(tmp_path / "other", [image_event("b", 7, [png(7)])]).rename(path)
    index.refresh()
    assert served(index) == {("run", "b", 0): [(7, png(7))]}
    other.write_bytes(b"")
    index.refresh()
    assert served(index) == {}
    shutil.rmtree(run)
    index.refresh()
    assert served(index) == {}


def test_a_run_whose_files_are_not_those_of_before_is_as_if_it_were_read_now(tmp_path):
    first = write(tmp_path, [image_event("a", step, [png(step)]) for step in range(6)], ".1")
    second = write(
        tmp_path, [image_event("a", step, [png(10 + step)], wall_time=5000.0 + step) for step in (3, 4)], ".2"
    )
    index, whole, resumed = read_index(tmp_path), first.read_bytes(), second.read_bytes()
    second.unlink()
    index.refresh()
    assert served(index) == served(read_index(tmp_path)) == {(".", "a", 0): [(step, png(step)) for step in range(6)]}
    second.write_bytes(resumed)
    index.refresh()
    as_it_was = served(read_index(tmp_path))
    assert served(index) == as_it_was
    first.unlink()
    first.write_bytes(whole)  # a copy of itself, as other programs mirror logs: nothing is read anew
    versions = [one.version for one in index.series]
    index.refresh()
    assert served(index) == as_it_was
    assert [one.version for one in index.series] == versions
    first.unlink()
    index.refresh()
    first.write_bytes(whole)  # an older file that is found later
    index.refresh()
    assert served(index) == as_it_was


def test_a_file_that_is_overwritten_in_place_by_a_larger_one_is_read_anew(tmp_path):
    path = write(tmp_path / "run", [image_event("a", step, [png(step)]) for step in range(3)])
    index = read_index(tmp_path)
    other = write(tmp_path / "other", [image_event("b", step, [png(step)]) for step in range(9)]).read_bytes()
    shutil.rmtree(tmp_path / "other")
    with path.open("r+b") as file:
        file.write(other)
    index.refresh()
    assert served(index) == {("run", "b", 0): [(step, png(step)) for step in range(9)]}


def test_runs_that_nobody_asks_for_are_not_read(tmp_path):
    for run in ("a", "b", "a/c"):
        write(tmp_path / run, [image_event("x", 0, [png(0)])])
    assert set(served(read_index(tmp_path, only=frozenset({"a", "a/c"})))) == {("a", "x", 0), ("a/c", "x", 0)}


def test_nothing_behind_the_end_is_asked_of_another_file_system(tmp_path, monkeypatch):
    path = write(tmp_path, [image_event("a", step, [png(step, 60, 60)]) for step in range(400)])
    data, asked = path.read_bytes(), []

    def read(path, offset, count):
        if offset + count > len(data):
            raise OSError("out of range")
        asked.append(count)
        return data[offset : offset + count]

    monkeypatch.setattr(log_files, "is_remote", lambda path: True)
    monkeypatch.setattr(log_files, "_read_remote", read)
    monkeypatch.setattr(log_files, "_walk_remote", lambda root: [(str(tmp_path), [path.name])])
    monkeypatch.setattr(log_files, "_stat", lambda path: (len(data), ()))
    index = LogIndex([(None, str(tmp_path))])
    assert index.refresh()
    assert len(index.series[0]) == 400
    assert len(asked) <= 3 + len(data) // 2**20


def test_a_corrupt_record_is_skipped_and_a_corrupt_length_ends_the_file(tmp_path):
    path = write(tmp_path, [image_event("a", step, [png(step)]) for step in range(4)])
    data = bytearray(path.read_bytes())
    places = [data.index(png(step)) for step in range(4)]
    begin = next(
        at
        for at in range(places[0] + len(png(0)), places[1])
        if masked_crc(data[at : at + 8]) == int.from_bytes(data[at + 8 : at + 12], "little")
    )
    broken = bytearray(data)
    broken[begin + 12] = 0x0F  # a wire type that does not exist
    path.write_bytes(broken)
    assert [step for step, _ in served(read_index(tmp_path))[".", "a", 0]] == [0, 2, 3]
    broken = bytearray(data)
    broken[begin] ^= 1
    path.write_bytes(broken)
    assert [step for step, _ in served(read_index(tmp_path))[".", "a", 0]] == [0]


@given(data=st.data())
def test_damaged_files_raise_nothing_and_give_no_wrong_image(data, tmp_path_factory):
    directory = tmp_path_factory.mktemp("damaged")
    events = [image_event(tag, step, [png(step)], metadata=not step) for step in range(4) for tag in ("a", "b/c")]
    path = write(directory, [*events, *(scalar_event("loss", step, step) for step in range(4))])
    damaged = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        kind = data.draw(st.sampled_from(["change", "remove", "insert", "repeat", "end"]))
        if kind == "change":
            damaged[at] = data.draw(st.integers(0, 255))
        elif kind == "remove":
            del damaged[at : at + data.draw(st.integers(1, 40))]
        elif kind == "insert":
            damaged[at:at] = data.draw(st.binary(max_size=40))
        elif kind == "repeat":
            damaged[at:at] = damaged[at : at + 200]
        else:
            del damaged[max(at, 1) :]
        damaged = damaged or bytearray(b"\0")
    path.write_bytes(damaged)
    index = read_index(directory, on_scalar=lambda run, event: None)
    for images in served(index).values():
        assert all(image is not None and image in damaged for _, image in images)


@pytest.mark.slow
def test_three_thousand_damaged_files(tmp_path):
    events = [image_event(tag, step, [png(step)], metadata=not step) for step in range(5) for tag in ("a", "b/c")]
    whole = write(tmp_path / "whole", [*events, scalar_event("loss", 0, 1.0)]).read_bytes()
    images = {png(step) for step in range(5)}
    rng = np.random.default_rng(0)
    path = tmp_path / "damaged" / "events.out.tfevents.1"
    path.parent.mkdir()
    intact = 0
    for _ in range(3000):
        damaged = bytearray(whole)
        for _ in range(rng.integers(1, 6)):
            at = int(rng.integers(len(damaged)))
            length = int(rng.integers(1, 60))
            kind = rng.integers(4)
            if kind == 0:
                damaged[at : at + length] = rng.bytes(length)
            elif kind == 1:
                damaged[at] ^= 1 << int(rng.integers(8))
            elif kind == 2:
                del damaged[at : at + length]
            else:
                damaged = damaged[: max(at, 1)]
        path.write_bytes(damaged)
        found = [image for series in served(read_index(path.parent)).values() for _, image in series]
        assert all(image is not None and image in damaged for image in found)
        intact += sum(image in images for image in found)
    assert intact > 3000  # what stands before the damage is there


@pytest.mark.slow
def test_a_log_on_another_file_system_is_read_through_tensorboards_own(tmp_path):
    import tensorflow as tf

    path = write(tmp_path, [image_event("a", step, [png(step, 300, 400)], description="# A") for step in range(8)])
    root = f"ram://{tmp_path.name}"
    tf.io.gfile.makedirs(f"{root}/views/train")
    with tf.io.gfile.GFile(f"{root}/views/train/{path.name}", "wb") as file:
        file.write(path.read_bytes())
    index = index_of(root)
    assert index.refresh()
    assert served(index) == {("views/train", "a", 0): [(step, png(step, 300, 400)) for step in range(8)]}
    assert index.descriptions == {"a": "# A"}
    tf.io.gfile.remove(f"{root}/views/train/{path.name}")
    index.refresh()
    assert served(index) == {}


def test_reading_stops_when_its_time_is_over_and_goes_on_later(tmp_path):
    write(tmp_path, [image_event("a", step, [b"\x89PNG" + bytes(90)]) for step in range(3000)])
    write(tmp_path / "b", [image_event("a", step, [b"\x89PNG" + bytes(90)]) for step in range(10)])
    index = index_of(str(tmp_path))
    seen = []
    while not index.refresh(seconds=0):
        seen.append(sum(map(len, index.series)))
        assert not listing(index)["complete"]
        assert 0 < listing(index)["share"] < 1
    assert seen == sorted(set(seen))
    assert len(seen) == 3  # two within the file of 3,000 records, one before the file of ten
    assert sum(map(len, index.series)) == 3010
    assert listing(index)["share"] == 1


def test_a_file_that_grows_while_it_is_read_in_parts_is_not_read_anew(tmp_path):
    tiny = b"\x89PNG" + bytes(90)
    path = write(tmp_path, [image_event("a", 0, [tiny])])
    head = write(tmp_path / "head", []).read_bytes()
    record = write(tmp_path / "longer", [image_event("a", 0, [tiny + b"longer"])]).read_bytes()[len(head) :]
    for directory in ("head", "longer"):
        shutil.rmtree(tmp_path / directory)
    index = read_index(tmp_path)
    with path.open("ab") as file:
        file.write(record * 3000)
    assert not index.refresh(seconds=0)
    with path.open("ab") as file:
        file.write(record * 10)  # another size, while the file is read half way
    while not index.refresh(seconds=0):
        assert index.series[0].version == 0
    assert (len(index.series[0]), index.series[0].version) == (3011, 0)


@pytest.mark.slow
def test_many_threads_may_ask_while_it_reads(tmp_path):
    write(tmp_path, [image_event("a", step, [png(step % 7)]) for step in range(500)])
    index, wrong = index_of(str(tmp_path)), []

    def ask():
        for _ in range(20):
            index.refresh(0.001)
            for position in range(0, 500, 50):
                image = index.image(0, 0, position)
                if image not in (None, png(position % 7)):
                    wrong.append(position)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    index.refresh()
    assert not wrong
    assert [image for _, image in served(index)[".", "a", 0]] == [png(step % 7) for step in range(500)]


@given(st.lists(st.integers(-(2**62), 2**62)))
def test_stretches_are_the_steps(steps):
    found = [first + place * stride for first, stride, count in stretches(steps) for place in range(count)]
    assert found == steps


def test_a_thousand_epochs_are_one_stretch():
    assert stretches([-1, *range(0, 1000)]) == [[-1, 1, 1001]]
    assert stretches([0, 5, 10, 11]) == [[0, 5, 3], [11, 0, 1]]


@given(st.lists(st.tuples(st.integers(-5, 20), st.integers(0, 3)), max_size=40))
def test_a_series_is_sorted_and_a_newer_file_replaces_what_it_writes_again(added):
    series, expected, newest = ImageSeries("run", "tag", 0), [], -1
    for place, (step, file) in enumerate(added):
        series.add(step, float(place), Place(file, place, 1))
        if file > newest:
            expected = [one for one in expected if one[0] < step]
            newest = file
        expected.append((step, place))
        expected.sort(key=lambda one: one[0])
    assert list(zip(series.steps, [series.place(at).offset for at in range(len(series))], strict=True)) == expected
