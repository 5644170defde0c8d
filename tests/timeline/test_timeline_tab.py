"""The tab in a real TensorBoard, driven in a real Chromium."""

import io
import re
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from browser import Opened, tensorboard
from logs import EVIL, RUNS, STEPS, TAGS, encoded, image_event, logged, pixels, write
from PIL import Image
from tensorboard.summary.writer.event_file_writer import EventFileWriter

pytestmark = pytest.mark.slow

TAB = "/#kerasviz_timeline"


@pytest.fixture(scope="module")
def server(log):
    with tensorboard(log) as address:
        yield address


@pytest.fixture
def page(server, browser):
    opened = Opened(browser, server + TAB, accept_downloads=True)
    yield opened
    assert opened.complaints == []
    assert {urlsplit(url).netloc for url in opened.requests if url.startswith("http")} == {urlsplit(server).netloc}
    opened.close()


def expected(run, tag, step):
    """What must be seen of a run and tag at a step: the last image that is not later."""
    return pixels(run, tag, max(one for one in STEPS if one <= step and logged(run, tag, one)))


def shows_every_step(opened):
    opened.press("Home", -1)
    for step in STEPS:
        if step > -1:
            opened.press("ArrowRight", step)
        for run in RUNS:
            for tag in TAGS:
                if step >= 0 or logged(run, tag, step):
                    np.testing.assert_array_equal(
                        opened.pixels(tag, run), expected(run, tag, step), f"{run} {tag} {step}"
                    )


def test_the_slider_reaches_every_step_of_every_tag_to_the_pixel(page):
    assert page.wait_until_shown() == 11  # the newest, at first
    shows_every_step(page)


@pytest.mark.parametrize(
    ("arguments", "broken"),
    [
        (["--load_fast=false"], []),
        (["--load_fast=true"], ["tensorflow"]),
        (["--load_fast=false"], ["tensorflow", "keras", "kerasviz_callbacks"]),
        (["--path_prefix=/tb/x"], []),
    ],
    ids=["Python loader", "fast loader, no TensorFlow", "Python loader, all broken", "path prefix"],
)
def test_the_tab_works_with_each_loader_and_with_broken_packages(log, browser, arguments, broken, tmp_path):
    with tensorboard(log, *arguments, broken=broken, directory=tmp_path) as address:
        opened = Opened(browser, address + TAB)
        shows_every_step(opened)
        assert opened.complaints == []
        opened.close()


def test_the_cards_stand_in_the_order_of_what_they_answer_with_the_runs_side_by_side(page):
    assert page.frame.locator("article h2").all_text_contents() == ["grad_cam/conv", "filters/conv", "mine"]
    assert page.frame.locator("article").first.locator(".run").all_text_contents() == ["train", "validation"]
    boxes = [page.cell("grad_cam/conv", run).bounding_box() for run in RUNS]
    assert boxes[0]["y"] == boxes[1]["y"]
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]


def test_an_image_that_is_held_says_from_which_step_it_is(page):
    page.press("Home", -1)
    page.press("ArrowRight", 0)
    page.press("ArrowRight", 1)
    assert page.cell("mine", RUNS[1]).locator(".note").text_content() == "from step 0"
    assert page.cell("mine", RUNS[0]).locator(".note").text_content() == ""
    page.press("Home", -1)
    assert page.cell("mine", RUNS[1]).locator(".note").text_content() == "no image yet"


def overlay(now, before):
    """The largest difference of the channels as the share of one colour over the grey image, faded to 30 %."""
    now, before = now.astype(np.float64), before.astype(np.float64)
    share = np.abs(now - before).max(axis=-1, keepdims=True) / 255
    grey = now @ [0.299, 0.587, 0.114]
    faded = (255 - 0.3 * (255 - grey))[..., None]
    return np.floor(faded * (1 - share) + np.array([217, 72, 15]) * share + 0.5).astype(np.uint8)


def test_differences_from_the_previous_and_the_first_step_are_right_to_the_pixel(page):
    page.press("Home", -1)
    for step in range(0, 4):
        page.press("ArrowRight", step)
    for compare, before in (("previous step", 2), ("first step", -1)):
        page.frame.get_by_label("Difference from").select_option(label=compare)
        note = page.cell("grad_cam/conv", RUNS[0]).locator(".note")
        page.until(lambda: note.text_content() == f"change since step {before}")  # noqa: B023
        now, then = (pixels(RUNS[0], "grad_cam/conv", step) for step in (3, before))
        np.testing.assert_array_equal(page.pixels("grad_cam/conv", RUNS[0]), overlay(now, then))
    page.press("Home", -1)
    assert page.cell("grad_cam/conv", RUNS[0]).locator(".note").text_content() == "nothing earlier to compare with"


def test_playing_shows_every_step_once_and_stops_at_the_end(page):
    page.press("Home", -1)
    page.frame.get_by_label("Speed").select_option("25")
    page.frame.evaluate(
        """() => {
            const main = document.querySelector('main');
            window.seen = [];
            new MutationObserver(() => window.seen.push(Number(main.dataset.shown)))
                .observe(main, { attributes: true, attributeFilter: ['data-shown'] });
        }"""
    )
    page.frame.evaluate("document.activeElement.blur()")
    page.press("Space")
    page.wait_until_shown(11)
    page.page.wait_for_timeout(300)
    seen = page.frame.evaluate("window.seen")
    assert [step for place, step in enumerate(seen) if not place or step != seen[place - 1]] == list(range(0, 12))
    assert page.frame.locator(".play").get_attribute("aria-label") == "Play"


def test_a_reload_and_another_tab_keep_the_state(page, server):
    page.press("Home", -1)
    page.press("ArrowRight", 0)
    page.frame.get_by_label("Difference from").select_option("first")
    page.frame.get_by_label("Filter tags").fill("conv")
    page.frame.locator("summary", has_text="Runs").click()
    page.frame.locator(".runs label", has_text=RUNS[1]).click()
    page.until(lambda: "p.kerasviz_timeline.step=0" in page.page.url)
    for name in ("images", "timeline"):
        page.page.get_by_role("tab", name=re.compile(name, re.IGNORECASE)).click()
        page.page.wait_for_timeout(500)
    page.press("ArrowRight", 1)
    page.until(lambda: "p.kerasviz_timeline.step=1" in page.page.url)
    page.page.reload()
    page.wait_until_shown(1)
    assert page.frame.get_by_label("Difference from").input_value() == "first"
    assert page.frame.locator("article h2").all_text_contents() == ["grad_cam/conv", "filters/conv"]
    assert page.frame.locator("article").first.locator(".run").all_text_contents() == ["train"]
    assert page.text("summary") == "Runs (1 of 2)"


def test_an_image_is_enlarged_and_follows_the_keyboard(page):
    page.press("Home", -1)
    page.cell("filters/conv", RUNS[1]).locator("button.picture").click()
    dialog = page.frame.locator("dialog")
    assert dialog.locator("h2").text_content() == f"filters/conv · {RUNS[1]}"
    page.press("ArrowRight", 0)
    size = dialog.locator("canvas").evaluate("canvas => [canvas.width, canvas.height, canvas.clientHeight]")
    assert size[:2] == [30, 24]
    assert size[2] > 500
    page.press("Escape")
    assert not dialog.is_visible()


def test_what_is_seen_and_all_steps_are_saved(page):
    page.press("Home", -1)
    with page.page.expect_download() as saved:
        page.cell("filters/conv", RUNS[0]).locator("button.save").click()
    assert saved.value.suggested_filename == "filters_conv_first_train_-1.png"
    found = np.asarray(Image.open(saved.value.path()).convert("RGB"))
    np.testing.assert_array_equal(found, pixels(RUNS[0], "filters/conv", -1))
    with page.page.expect_download() as saved:
        page.frame.get_by_label("Save all steps of filters/conv").click()
    with zipfile.ZipFile(io.BytesIO(Path(saved.value.path()).read_bytes())) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == 2 * len(STEPS)
        found = archive.read("first/validation/filters/conv/000007.png")
    assert found == encoded(pixels(RUNS[1], "filters/conv", 7))


def test_what_is_shown_is_exported_with_its_size_told_before(page, browser, tmp_path):
    page.frame.get_by_label("Filter tags").fill("mine")
    page.frame.locator("summary", has_text="Export").click()
    page.frame.get_by_label("Steps", exact=True).select_option("5")
    said = page.frame.locator(".panel p", has_text="6 images of 5 steps, 0.1 MB")
    said.wait_for()
    with page.page.expect_download() as saved:
        page.frame.get_by_label("Save as one HTML page").click()
    assert saved.value.suggested_filename == "training.html"
    (tmp_path / "page.html").write_bytes(Path(saved.value.path()).read_bytes())
    opened = Opened(browser, (tmp_path / "page.html").as_uri())
    assert opened.frame.locator("article h2").all_text_contents() == ["mine"]
    opened.press("Home", -1)
    opened.press("ArrowRight", 3)
    opened.press("ArrowRight", 4)
    np.testing.assert_array_equal(opened.pixels("mine", RUNS[0]), pixels(RUNS[0], "mine", 4))
    assert opened.frame.locator("summary").all_text_contents() == ["Runs (2)"]
    assert opened.complaints == []
    opened.close()


def test_the_description_and_the_curve(page):
    page.frame.get_by_label("What mine shows").click()
    page.frame.locator(".description h1").wait_for()
    assert page.text(".description h1") == "About mine"
    page.press("Home", -1)
    page.press("ArrowRight", 0)
    assert page.frame.get_by_label("Curve").input_value() == "epoch_loss"
    assert page.frame.locator(".legend span").all_text_contents() == [f"{run} 0.5000" for run in RUNS]


def test_everything_can_be_reached_and_is_named_for_screen_readers(page):
    nameless = page.frame.evaluate(
        """() => [...document.querySelectorAll('button, input, select, [role=img]')]
            .filter(one => !one.getAttribute('aria-label') && !one.labels?.length).map(one => one.outerHTML)"""
    )
    assert nameless == []
    assert page.frame.get_by_label("Step", exact=True).get_attribute("aria-valuetext") == "step 11"


def test_dark_mode_is_followed(page):
    assert "dark" not in (page.frame.locator("html").get_attribute("class") or "")
    page.page.evaluate("document.body.classList.add('dark-mode')")
    page.until(lambda: page.frame.locator("html").get_attribute("class") == "dark")


def test_a_live_training_grows_and_is_held_where_one_looks(browser, tmp_path):
    writer = EventFileWriter(str(tmp_path / "run"))

    def log(step):
        writer.add_event(image_event("a", step, [encoded(np.full((8, 8, 3), step, np.uint8))]))
        writer.flush()

    log(0)
    with tensorboard(tmp_path) as address:
        opened = Opened(browser, address + TAB)
        opened.wait_until_shown(0)
        log(1)
        opened.wait_until_shown(1)
        log(2)
        opened.wait_until_shown(2)
        opened.press("Home", 0)
        log(3)
        slider = opened.frame.get_by_label("Step", exact=True)
        opened.until(lambda: slider.get_attribute("max") == "3")
        assert opened.wait_until_shown() == 0
        assert (opened.pixels("a", "run") == 0).all()
        opened.press("End", 3)
        assert (opened.pixels("a", "run") == 3).all()
        assert opened.complaints == []
        opened.close()
    writer.close()


def test_names_of_every_evil_kind_execute_nothing(browser, tmp_path):
    image = encoded(np.full((8, 8, 3), 7, np.uint8))
    html = b"<svg xmlns='http://www.w3.org/2000/svg' onload='evil()'><script>evil()</script></svg>"
    for place, name in enumerate(EVIL):
        events = [
            image_event(f"{name}", step, [image, html], description=f"{name} <b onclick=evil()>x</b>")
            for step in (0, 1)
        ]
        write(tmp_path / f"{place}{name.replace('/', '_')}", events)
    with tensorboard(tmp_path) as address:
        opened = Opened(browser, address + TAB)
        for frame in (opened.page.main_frame, opened.frame):
            frame.evaluate("() => { window.evil = () => (window.top.hacked = true); }")
        assert sorted(
            set(opened.frame.locator("article").evaluate_all("all => all.map(one => one.ariaLabel)"))
        ) == sorted(EVIL)
        for about in opened.frame.locator("button.about").all():
            about.click()
        opened.frame.locator("summary", has_text="Runs").click()
        opened.press("Home", 0)
        opened.page.wait_for_timeout(1000)
        assert not opened.page.evaluate("window.hacked")
        assert opened.frame.locator("main script, main svg, main [onclick], main [onload], main [onerror]").count() == 0
        assert "not an image that can be shown" in opened.frame.locator(".note").all_text_contents()
        opened.close()
