"""A notebook as users have it: executed by a real kernel, saved, opened in a browser."""

import base64
import json
import re

import nbformat
import pytest
from logs import EVIL, encoded, image_event, png, read_index, scalar_event, served, smooth, write
from nbclient import NotebookClient

from kerasviz_callbacks.record.event_files import EventFileSink
from kerasviz_callbacks.record.notebook import NotebookSink
from kerasviz_timeline.notebook_page import notebook_page

TRAINING = """
import os
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras, numpy as np, time
import kerasviz_callbacks as kv
rng = np.random.default_rng(0)
y = np.arange(64) % 2
x = rng.random((64, 8, 8, 1)).astype("float32")
x[np.arange(64), 2 * y] += 1
keras.utils.set_random_seed(0)
model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(4, 3), keras.layers.GlobalAveragePooling2D(),
                          keras.layers.Dense(2, activation="softmax")])
model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
pause = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: time.sleep(1.1))
"""
FIT = 'print("before")\nmodel.fit(x, y, epochs=4, verbose=2, callbacks=[{views}, pause])\nprint("after")'


class Recorded(NotebookClient):
    """A notebook that is executed, and all that its kernel says."""

    def __init__(self, *cells, **options):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        super().__init__(notebook, timeout=300, **options)
        self.messages = []

    def process_message(self, message, cell, cell_index):
        self.messages.append(message)
        return super().process_message(message, cell, cell_index)

    def displays(self, kind):
        """Display id and content of the messages of a type."""
        return [
            (message["content"]["transient"]["display_id"], message["content"]["data"])
            for message in self.messages
            if message["msg_type"] == kind
        ]


def executed(directory, *cells):
    (directory / "work").mkdir()
    client = Recorded(*cells, resources={"metadata": {"path": str(directory / "work")}})
    client.execute()
    return client


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    directory = tmp_path_factory.mktemp("notebook")
    views = 'kv.Visualizer("logs", (x[:32], y[:32]), training_data=(x[32:], y[32:]))'
    made = executed(directory, TRAINING, FIT.format(views=views))
    made.directory = directory / "work"
    return made


@pytest.mark.slow
def test_each_image_has_one_display_that_is_updated_in_place(client):
    first, updates = client.displays("display_data"), client.displays("update_display_data")
    images = [display for display, content in first if "image/png" in content]
    assert [display.split("/validation/")[-1] for display in images] == [
        "grad_cam/conv2d",
        "confusion/dense",
        "activations/conv2d",
        "overfitting/summary",
    ] or len(images) == 4
    assert len(set(images)) == 4
    assert {display for display, _ in updates} == set(images)
    assert all(sum(display == one for display, _ in updates) >= 2 for one in images)


@pytest.mark.slow
def test_what_is_shown_last_is_what_was_logged_and_earlier_output_is_kept(client):
    outputs = client.nb.cells[1].outputs
    logged = {image for images in served(read_index(client.directory / "logs")).values() for _, image in images[-1:]}
    shown = [base64.b64decode(one.data["image/png"]) for one in outputs if "image/png" in one.get("data", {})]
    assert len(shown) == 4
    assert set(shown) <= logged
    text = "".join(one.text for one in outputs if one.output_type == "stream")
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "Epoch 4/4" in text
    assert "the page below holds all 5 steps" in text
    assert not any(message["msg_type"] == "clear_output" for message in client.messages)


@pytest.mark.slow
def test_the_saved_notebook_is_small_and_its_page_works(client, browser, tmp_path):
    saved = nbformat.writes(client.nb)
    (page,) = [one.data["text/html"] for one in client.nb.cells[1].outputs if "text/html" in one.get("data", {})]
    assert len(page) <= 5_000_000
    assert len(saved) < 8_000_000
    assert "trusted" in page
    (tmp_path / "page.html").write_text(f"<!DOCTYPE html><body>{page}</body>")
    opened = browser.new_page()
    opened.goto((tmp_path / "page.html").as_uri())
    frame = next(one for one in opened.frames if one is not opened.main_frame)
    frame.get_by_label("Step", exact=True).press("Home")
    frame.locator(".step", has_text="step -1 of 3").wait_for()


@pytest.mark.slow
def test_a_view_alone_other_images_and_none(tmp_path):
    fit = "_ = model.fit(x, y, epochs=1, verbose=0, callbacks=[{}])"
    client = executed(
        tmp_path,
        TRAINING,
        fit.format('kv.FilterImages("logs/a")'),
        fit.format('kv.Visualizer("logs/b", (x, y), show=["activations/*", "nothing"])'),
        fit.format('kv.Visualizer("logs/c", (x, y), notebook=False)'),
        "for n in range(3):\n    model.fit(x, y, initial_epoch=n, epochs=n + 1, verbose=0, "
        "callbacks=[kv.FilterImages('logs/d')])",
    )

    def shown(cell):
        outputs = client.nb.cells[cell].outputs
        return ["page" if "text/html" in one.data else one.data["text/plain"] for one in outputs if "data" in one]

    assert shown(1) == ["filters/conv2d of model, step 0", "page"]
    activations = [f"activations/{layer} of validation, step 0" for layer in ("conv2d", "dense")]
    assert shown(2) == [*activations, "page"]
    assert shown(3) == []
    assert shown(4) == ["filters/conv2d of model, step 2", "page"]  # one training in a loop goes on in its displays
    json.dumps(client.nb)


def test_an_image_of_any_source_can_be_shown_and_nothing_outside_of_a_notebook(tmp_path, capsys):
    events = EventFileSink(tmp_path)
    events.begin(0)
    sink = NotebookSink(events)
    sink.show(None)
    for run in ("test", "validation", "model"):
        sink.image(run, "outputs/model", 0, png(0))
    sink.flush()
    assert sink._chosen(sink._newest) == [("validation", "outputs/model")]
    for _ in range(2):
        sink.update(last=True)
    sink.show_page()
    said = "kerasviz_callbacks: nothing more is shown in the notebook: RuntimeError: this is no notebook\n"
    assert capsys.readouterr().out == said
    events.close()


def test_patterns_of_several_views_are_all_shown(tmp_path):
    sink = NotebookSink(EventFileSink(tmp_path))
    sink.show(["activations/*"])
    for tag in ("activations/a", "filters/a"):
        sink.image("model", tag, 0, png(0))
    sink.flush()
    assert list(sink._newest) == [("model", "activations/a")]
    sink.show(None)
    sink.image("model", "filters/a", 1, png(1))
    sink.image("model", "filters/b", 1, png(1))
    sink.flush()
    assert sink._chosen(sink._newest) == [("model", "activations/a"), ("model", "filters/a")]


@pytest.mark.slow
def test_the_losses_of_other_trainings_take_no_room(tmp_path):
    write(tmp_path / "views" / "model", [image_event("a", step, [png(step)]) for step in range(5)])
    for run in range(30):
        write(tmp_path / f"old{run}" / "train", [scalar_event("epoch_loss", step, 1.0) for step in range(1000)])
    write(tmp_path / "train", [scalar_event("epoch_loss", step, 1.0) for step in range(5)])
    page = notebook_page(tmp_path, ["views/model"], 150_000, beside=["train"])
    assert "all 5 steps" in page.summary
    assert "epoch_loss&quot;:{&quot;train&quot;:" in page.html


def test_names_in_a_notebook_are_text(tmp_path):
    for name in EVIL:
        write(
            tmp_path / "views" / name.replace("/", "_"), [image_event(name, 0, [encoded(smooth(0))], description=name)]
        )
    runs = [f"views/{path.name}" for path in (tmp_path / "views").iterdir()]
    html = notebook_page(tmp_path, runs, 10**8).html
    (tags,) = [re.findall(r"<[a-z/!][^>]*>", html)]
    assert [tag.split()[0].strip("<>/") for tag in tags] == ["iframe", "iframe", "p", "i", "i", "p"]
    assert html.count('"') == 2 * len(re.findall(r'[a-z]+="', html))  # no name ends an attribute


@pytest.mark.slow
def test_the_page_of_a_long_training_is_thinned_to_its_bound(tmp_path):
    write(tmp_path / "views" / "model", [image_event("a", step, [encoded(smooth(step))]) for step in range(24)])
    write(tmp_path / "other", [image_event("b", 0, [encoded(smooth(0))])])
    whole = notebook_page(tmp_path, ["views/model"], 10**8)
    assert "all 24 steps of all 1 images, " in whole.summary
    for bound, form in (
        (1_000_000, "all 24 steps of all 1 images as webp"),
        (300_000, "of 24 steps of all 1 images as webp"),
    ):
        page = notebook_page(tmp_path, ["views/model"], bound)
        assert form in page.summary
        assert len(page.html) <= bound
    with pytest.raises(ValueError, match=r"one step alone has more than 0\.05 MB"):
        notebook_page(tmp_path, ["views/model"], 50_000)
