"""`timelapse=True`: a training as one animated picture a tag, read back with TensorBoard's reader and with Pillow."""

import copy
import io
import pickle
import warnings

import keras
import numpy as np
import pytest
from harness import EPOCHS, STEPS, autoencoder, classifier, decoded, first, fit, pictures, read, runs
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tensorboard.util import img_mime_type_detector

import kerasviz_callbacks as kv
from kerasviz_callbacks.callback import timelapse
from kerasviz_callbacks.callback.timelapse import MAX_BYTES, MAX_FRAMES, Frames, animated, durations
from kerasviz_callbacks.draw.sheet import MARGIN
from kerasviz_callbacks.draw.stamp import stamp_height, stamped
from kerasviz_callbacks.draw.text import LINE, QUIET
from kerasviz_callbacks.record.event_files import EventFileSink
from kerasviz_callbacks.record.memory import MemorySink
from kerasviz_callbacks.record.png import encode
from kerasviz_callbacks.record.png_files import PNGFileSink
from kerasviz_callbacks.record.step_queue import Admission

DATA = pictures()
VALIDATION, TRAINING = (DATA.x_val, DATA.y_val), (DATA.x, DATA.y)


def played(png) -> tuple[list[np.ndarray], list[float], int]:
    """The frames of an animation, how long each is shown in milliseconds, and how often it is repeated (0: ever)."""
    with Image.open(io.BytesIO(png)) as picture:
        frames, shown = [], []
        for number in range(picture.n_frames):
            picture.seek(number)
            frames.append(np.asarray(picture.convert("RGB")))
            shown.append(picture.info.get("duration"))  # a single frame has none
        return frames, shown, picture.info.get("loop")


def animations(run) -> dict[str, dict[int, bytes]]:
    return {tag: steps for tag, steps in run.pictures.items() if tag.endswith("/timelapse")}


def assert_plays(run, tag, steps):
    """One animation at the last of these steps, each frame the picture logged at its step with the stamp below it."""
    ((at, png),) = run.pictures[f"{tag}/timelapse"].items()
    assert at == steps[-1]
    frames, shown, repeats = played(png)
    assert len(frames) == len(steps)
    assert repeats == 0
    assert shown == pytest.approx(durations(len(steps)))
    for frame, step in zip(frames, steps, strict=True):
        picture = run.picture(tag, step)
        np.testing.assert_array_equal(frame, stamped(picture, step=step, first=steps[0], last=steps[-1]))
        np.testing.assert_array_equal(frame[: len(picture)], picture)


# In a real fit.


@pytest.fixture(scope="module")
def filmed(tmp_path_factory):
    """A fit with two views that keep a timelapse, and one that does not."""
    where = tmp_path_factory.mktemp("filmed")
    views = [
        kv.FilterImages(where / "logs", timelapse=True, save_dir=where / "saved", on_error="raise"),
        kv.GradCAM(where / "logs", VALIDATION, training_data=TRAINING, timelapse=True, on_error="raise"),
        kv.ActivationMaps(where / "logs", VALIDATION, on_error="raise"),
    ]
    fit(classifier(), DATA.x, DATA.y, views)
    return where, runs(where / "logs"), views


def test_every_drawn_step_of_every_tag_is_played_in_the_run_of_the_tag(filmed):
    _, found, _ = filmed
    tags = {
        "model": ["filters/conv1", "filters/conv2"],
        "validation": ["grad_cam/conv2", "grad_cam/conv2/train_and_validation"],
        "train": ["grad_cam/conv2"],
    }
    for run, names in tags.items():
        assert set(animations(found[f"views/{run}"])) == {f"{name}/timelapse" for name in names}
        for name in names:
            assert_plays(found[f"views/{run}"], name, STEPS)


def test_tensorboard_is_told_its_size_its_type_and_what_it_is(filmed):
    where, found, _ = filmed
    run = found["views/model"]
    (png,) = run.pictures["filters/conv1/timelapse"].values()
    assert img_mime_type_detector.from_bytes(png) == "image/png"
    about = run.descriptions["filters/conv1/timelapse"]
    assert "`filters/conv1` from the model before training to step 2" in about
    assert "4 of its 4 drawn steps" in about
    assert about.endswith(run.descriptions["filters/conv1"])
    for words in ("**", "*How to read it:*", "*Bad signs:*"):
        assert words in about
    accumulator = read_raw(where / "logs" / "views" / "model")
    (event,) = accumulator.Tensors("filters/conv1/timelapse")
    width, height, _ = event.tensor_proto.string_val
    assert (int(height), int(width)) == played(png)[0][0].shape[:2]


def read_raw(directory):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(directory), size_guidance={"tensors": 0}).Reload()


def test_it_is_a_file_too_where_files_are_wanted(filmed):
    where, found, _ = filmed
    (png,) = found["views/model"].pictures["filters/conv2/timelapse"].values()
    assert (where / "saved/views/model/filters/conv2/timelapse/000002.png").read_bytes() == png
    assert len(list((where / "saved").rglob("timelapse/*.png"))) == 2


def test_nothing_is_kept_after_the_fit_nor_where_it_is_not_wanted(filmed, tmp_path):
    _, found, views = filmed
    assert not any("activations" in tag for tag in animations(found["views/validation"]))
    kept = []

    class Look(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            kept.append([view.context.writer._timelapse is None for view in (with_it, without)])

    with_it, without = kv.FilterImages(tmp_path, timelapse=True), kv.FilterImages(tmp_path / "b")
    fit(classifier(), DATA.x, DATA.y, [with_it, without, Look()], epochs=1)
    assert kept == [[False, True]]
    for view in (*views, with_it):
        assert view.context is None
        twin = pickle.loads(pickle.dumps(view))
        assert twin.timelapse == copy.deepcopy(view).timelapse == view.timelapse


@pytest.mark.slow
@pytest.mark.parametrize(("initial", "epochs", "freq"), [(3, 4, 1), (2, 5, 1), (0, 6, 2)])
def test_a_resumed_fit_plays_its_own_steps(initial, epochs, freq, tmp_path):
    view = kv.FilterImages(tmp_path, timelapse=True, freq=freq, on_error="raise")
    model = classifier(run_eagerly=True)
    if initial:
        fit(model, DATA.x, DATA.y, [view], epochs=initial)
    fit(model, DATA.x, DATA.y, [view], epochs=epochs, initial_epoch=initial)
    ((name, run),) = runs(tmp_path).items()
    assert name == "views/model"
    films = run.pictures["filters/conv1/timelapse"]
    assert list(films) == ([initial - 1] if initial else []) + [epochs - 1]
    drawn = [step for step in run.pictures["filters/conv1"] if step >= (initial or -1)]
    frames = played(films[epochs - 1])[0]
    for frame, step in zip(frames, drawn, strict=True):
        wanted = stamped(run.picture("filters/conv1", step), step=step, first=drawn[0], last=drawn[-1])
        np.testing.assert_array_equal(frame, wanted)


def test_after_an_early_stop_the_last_step_is_the_one_restored(tmp_path):
    view = kv.FilterImages(tmp_path, timelapse=True, freq=5, on_error="raise")
    stop = keras.callbacks.EarlyStopping("loss", mode="max", patience=1, restore_best_weights=True)
    fit(classifier(), DATA.x, DATA.y, [stop, view], epochs=10)
    assert_plays(runs(tmp_path)["views/model"], "filters/conv1", [-1, 0, 1])


def test_a_fit_that_dies_or_has_no_epochs_has_none(tmp_path):
    class Die(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise ZeroDivisionError

    view, model = kv.FilterImages(tmp_path / "died", timelapse=True), classifier()
    with pytest.raises(ZeroDivisionError):
        fit(model, DATA.x, DATA.y, [view, Die()])
    fit(model, DATA.x, DATA.y, [kv.FilterImages(tmp_path / "none", timelapse=True, on_error="raise")], epochs=0)
    view.abandon()
    assert not animations(runs(tmp_path / "died")["views/model"])
    assert not list((tmp_path / "none").rglob("*tfevents*"))


@pytest.mark.slow
def test_a_long_training_keeps_few_frames_the_first_and_the_last_among_them(tmp_path, monkeypatch):
    monkeypatch.setattr(timelapse, "Frames", lambda about: Frames(about, max_frames=4))
    view = kv.FilterImages(tmp_path, layers=["conv1"], timelapse=True, on_error="raise")
    fit(classifier(), DATA.x, DATA.y, [view], epochs=12)
    run = runs(tmp_path)["views/model"]
    assert list(run.pictures["filters/conv1"]) == list(range(-1, 12))
    assert_plays(run, "filters/conv1", [-1, 3, 7, 11])
    assert "4 of its 13 drawn steps" in run.descriptions["filters/conv1/timelapse"]


def test_pictures_whose_sizes_differ_are_put_on_white(tmp_path):
    class Grows(kv.FilterImages):
        def draw(self, measured):
            for one in super().draw(measured):
                step = measured["model"].step
                yield type(one)(one.source, one.tag, one.picture[: 100 + 10 * step, : 80 - 10 * step], one.description)

    fit(classifier(), DATA.x, DATA.y, [Grows(tmp_path, layers=["conv1"], timelapse=True, on_error="raise")])
    run = runs(tmp_path)["views/model"]
    frames = played(run.pictures["filters/conv1/timelapse"][EPOCHS - 1])[0]
    for frame, step in zip(frames, STEPS, strict=True):
        picture = run.picture("filters/conv1", step)
        height, width = picture.shape[:2]
        assert frame.shape == (120 + stamp_height(90), 90, 3)
        np.testing.assert_array_equal(frame[:height, :width], picture)
        assert (frame[height:120] == 255).all()
        assert (frame[:120, width:] == 255).all()


@pytest.mark.slow
def test_pictures_that_were_skipped_are_not_in_it(tmp_path, monkeypatch):
    def admit(self, step, *, force, draw=True):
        return Admission(measure=True, draw=force or step % 2 == 0 or step < 0)

    monkeypatch.setattr("kerasviz_callbacks.record.step_queue.StepQueue.admit", admit)
    fit(autoencoder(), DATA.x, DATA.x, [kv.LatentTrajectory(tmp_path, VALIDATION, timelapse=True)], epochs=6)
    run = runs(tmp_path)["views/validation"]
    assert list(run.pictures["latent/trajectory"]) == [-1, 0, 2, 4, 5]
    assert_plays(run, "latent/trajectory", [-1, 0, 2, 4, 5])


@pytest.mark.parametrize("on_error", first(["warn", "raise"]))
def test_one_that_cannot_be_made_is_told_once(on_error, tmp_path, monkeypatch):
    def broken(frames):
        raise OSError("no room")

    monkeypatch.setattr(timelapse, "animated", broken)
    view, model = kv.FilterImages(tmp_path, timelapse=True, on_error=on_error), classifier()
    if on_error == "raise":
        with pytest.raises(OSError, match="no room"):
            fit(model, DATA.x, DATA.y, [view])
    else:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            fit(model, DATA.x, DATA.y, [view])
        (ours,) = [str(one.message) for one in told if "FilterImages" in str(one.message)]
        assert "FilterImages could not write the timelapse (OSError: no room)" in ours
    assert list(runs(tmp_path)["views/model"].pictures["filters/conv1"]) == STEPS
    assert view.context is None


def test_only_true_and_false_are_taken(tmp_path):
    for wrong in (1, "yes", None):
        with pytest.raises(
            TypeError, match=rf"timelapse={wrong!r}: expected True or False, got {type(wrong).__name__}"
        ):
            kv.FilterImages(tmp_path, timelapse=wrong)
    with pytest.raises(TypeError, match="timelapse=2: expected True or False"):
        kv.Visualizer(tmp_path, timelapse=2)


@pytest.mark.slow
def test_the_visualizer_hands_it_to_its_views(tmp_path):
    fit(classifier(), DATA.x, DATA.y, [kv.Visualizer(tmp_path, VALIDATION, timelapse=True, on_error="raise")], epochs=1)
    films = {tag for run in runs(tmp_path).values() for tag in animations(run)}
    tags = {tag for run in runs(tmp_path).values() for tag in run.pictures} - films
    assert len(tags) == 8
    assert films == {f"{tag}/timelapse" for tag in tags}


# Which frames are kept.


@given(
    sizes=st.lists(st.integers(0, 60), min_size=1, max_size=200),
    most=st.integers(2, 9),
    room=st.integers(1, 300),
    first=st.integers(-1, 5),
)
def test_frames_are_first_last_and_every_2nd_4th_or_so_within_the_bounds(sizes, most, room, first):
    frames = Frames(max_frames=most, max_bytes=room)
    for number, size in enumerate(sizes):
        frames.add(first + number, bytes(size))
        kept = frames.all()
        places = [step - first for step, _ in kept]
        assert places[0] == 0
        assert places[-1] == number
        assert len(set(places)) == len(places) <= most
        assert len(places) <= 2 or sum(len(png) for _, png in kept) <= room
        assert all(len(png) == sizes[place] for (_, png), place in zip(kept, places, strict=True))
        gaps = np.diff(places)
        if len(gaps):
            assert (gaps[:-1] == gaps[0]).all()
            assert gaps[-1] <= gaps[0] or len(gaps) == 1
        if len(gaps) > 1:
            assert gaps[0] & (gaps[0] - 1) == 0, "a power of two"
    assert frames.added == len(sizes)


def test_no_more_is_dropped_than_must_be():
    frames = Frames(max_frames=5)
    seen = []
    for step in range(10):
        frames.add(step, b"")
        seen.append([one for one, _ in frames.all()])
    assert seen[4] == [0, 1, 2, 3, 4]
    assert seen[5] == [0, 2, 4, 5]
    assert seen[8] == [0, 2, 4, 6, 8]
    assert seen[9] == [0, 4, 8, 9]
    assert (Frames().max_frames, Frames().max_bytes) == (MAX_FRAMES, MAX_BYTES) == (50, 8 * 2**20)


@given(st.integers(1, MAX_FRAMES))
def test_it_is_never_hectic_and_never_long(count):
    each = durations(count)
    assert len(each) == count
    assert each[-1] == 2000
    assert sum(each) <= 12_000
    assert all(one >= 200 for one in each)
    assert len(set(each[:-1])) <= 1
    assert durations(4) == [600, 600, 600, 2000]
    assert durations(MAX_FRAMES)[0] == 204


# The stamp.


@pytest.mark.parametrize("width", [360, 500, 1200])
def test_the_line_fills_from_the_first_step_to_the_last(width):
    picture = np.full((20, width, 3), 7, np.uint8)
    lengths = []
    for step in range(-1, 8):
        strip = stamped(picture, step=step, first=-1, last=7)[20:]
        assert strip.shape == (stamp_height(width), width, 3)
        line = strip[len(strip) // 2]
        filled, empty = (line == QUIET).all(axis=-1), (line == LINE).all(axis=-1)
        assert not (filled | empty)[:MARGIN].any()
        long = int((filled | empty)[MARGIN:].argmin())  # up to the first pixel of neither colour
        assert (np.diff(filled[MARGIN : MARGIN + long].astype(int)) <= 0).all()
        lengths.append((int(filled[MARGIN : MARGIN + long].sum()), long))
    (full,) = {whole for _, whole in lengths}
    assert full > width / 2
    np.testing.assert_allclose([filled for filled, _ in lengths], np.arange(9) / 8 * full, atol=0.51)


def test_the_stamp_says_the_step_and_leaves_the_picture():
    picture = np.arange(30 * 400 * 3).reshape(30, 400, 3).astype(np.uint8)
    strips = []
    for step in (-1, 0, 7, 70):
        whole = stamped(picture, step=step, first=step, last=step)
        np.testing.assert_array_equal(whole[:30], picture)
        strips.append(whole[30:].tobytes())
    assert len(set(strips)) == 4


@given(st.integers(1, 140), st.integers(-1, 10**9), st.integers(0, 10**9))
def test_a_stamp_fits_pictures_of_any_width(width, first, more):
    whole = stamped(np.zeros((1, width, 3), np.uint8), step=first, first=first, last=first + more)
    assert whole.shape == (1 + stamp_height(width), width, 3)


# Records.


def test_what_is_encoded_already_is_written_as_it_is(tmp_path):
    rng = np.random.default_rng(1)
    shown = [rng.integers(0, 256, (9, 14, 3), np.uint8) for _ in range(3)]
    png = animated([(step, encode(picture)) for step, picture in enumerate(shown)])
    memory = MemorySink()
    for sink in (EventFileSink(tmp_path / "logs"), PNGFileSink(tmp_path / "saved"), memory):
        assert sink.begin(-1) == "views"
        sink.image("model", "filters/a:b/timelapse", 2, png, "**A film.**")
        sink.close()
    found = read(tmp_path / "logs" / "views" / "model")
    assert found.pictures == {"filters/a:b/timelapse": {2: png}}
    assert found.descriptions["filters/a:b/timelapse"] == "**A film.**"
    (file,) = (tmp_path / "saved").rglob("*.png")
    assert file.read_bytes() == png
    np.testing.assert_array_equal(memory.pictures["model", "filters/a:b/timelapse"][2], decoded(png))
    np.testing.assert_array_equal(decoded(png)[:9], shown[0])
    assert memory.descriptions["model", "filters/a:b/timelapse"] == "**A film.**"
