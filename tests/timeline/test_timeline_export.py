"""The page that holds a training: its size, what is in it, and the page itself in a real Chromium, offline."""

import base64
import json
import re
import subprocess
import sys

import numpy as np
import pytest
from browser import Opened
from logs import EVIL, RUNS, STEPS, encoded, image_event, pixels, png, scalar_event, smooth, write

import kerasviz_callbacks as kv
from kerasviz_timeline.bundle import bundle
from kerasviz_timeline.command import main
from kerasviz_timeline.curves import POINTS, ScalarCollector, loss_tags, thinned
from kerasviz_timeline.export import Selection
from kerasviz_timeline.export_html import plan


@pytest.mark.parametrize(
    "selection", [Selection(), Selection(5), Selection(tags=["mine", "grad_cam/*"]), Selection(runs=["*/train"])]
)
def test_the_size_is_known_to_the_byte_before_anything_is_written(log, selection):
    page = plan(log, selection)
    assert page.size() == len(b"".join(page.pieces()))


@pytest.mark.slow
@pytest.mark.parametrize("form", ["webp", "jpeg"])
def test_other_formats_are_smaller_and_their_size_is_estimated_within_a_fifth(form, tmp_path):
    write(tmp_path, [image_event("a", step, [encoded(smooth(step))]) for step in range(20)])
    page = plan(tmp_path, Selection(format=form))
    size = len(b"".join(page.pieces()))
    assert abs(page.size() / size - 1) < 0.2
    assert size < 0.6 * plan(tmp_path, Selection()).size()


def test_an_image_that_a_format_makes_larger_or_that_cannot_be_read_stays_as_it_is(tmp_path):
    flat = encoded(np.zeros((4, 4, 3), np.uint8))
    write(tmp_path, [image_event("a", 0, [flat, b"\x89PNG no image at all" * 9])])
    page = b"".join(plan(tmp_path, Selection(format="jpeg")).pieces())
    for image in (flat, b"\x89PNG no image at all" * 9):
        assert base64.b64encode(image) in page


def test_numbers_of_sixteen_bits_stay_as_they_were_logged(tmp_path):
    deep = encoded((np.arange(64 * 64, dtype=np.uint16) * 16).reshape(64, 64))
    write(tmp_path, [image_event("a", 0, [deep])])
    assert base64.b64encode(deep) in b"".join(plan(tmp_path, Selection(format="webp")).pieces())


def test_an_image_keeps_its_place_while_the_training_goes_on(tmp_path):
    write(tmp_path, [image_event("a", step, [png(step)]) for step in (1, 2)], ".1")
    page = plan(tmp_path, Selection())
    write(tmp_path, [image_event("a", 0, [png(9)], wall_time=1.0)], ".2")
    page.index.refresh()
    whole = b"".join(page.pieces())
    assert len(whole) == page.size()
    assert all(base64.b64encode(png(step)) in whole for step in (1, 2))


def test_the_losses_are_those_of_the_trainings_that_are_shown(tmp_path):
    for training in ("one", "two"):
        write(tmp_path / training / "views" / "model", [image_event("a", 0, [png(0)])])
        write(tmp_path / training / "train", [scalar_event("epoch_loss", 0, 1.0), scalar_event("accuracy", 0, 0.5)])
    page = b"".join(plan(tmp_path, Selection(runs=["one/*"])).pieces()).decode()
    log = json.loads(re.search(r'id="log">(.*?)</script>', page)[1])
    assert log["curves"] == {"epoch_loss": {"one/train": [[0, 1.0]]}}


def test_names_that_no_encoding_has_and_control_characters_are_no_trouble(tmp_path, capsys):
    directory = tmp_path / "caf\udce9"
    try:
        write(directory, [image_event("a\x1b[31m", 0, [png(0)])])
    except (OSError, UnicodeError):
        pytest.skip("this file system takes no such name")
    assert main(["export", str(directory), str(tmp_path / "a.html")]) == 0
    assert main(["export", str(directory), str(tmp_path / "b.html"), "--tags", "b"]) == 1
    said = capsys.readouterr()
    assert "\x1b" not in said.err
    assert "a\\x1b[31m" in said.err


def test_every_takes_every_nth_of_all_steps_and_the_last(log):
    page = plan(log, Selection(5))
    by_series = {(one.run, one.tag): one.steps for one in page.chosen}
    assert by_series[RUNS[0], "mine"] == [-1, 4, 9, 11]
    assert by_series[RUNS[1], "mine"] == [3, 9]  # what is seen at 4, at 9 and at 11
    assert page.steps == 5


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"every": 0}, "every must be a whole number from 1 on, got 0"),
        ({"every": 1.5}, "every must be a whole number from 1 on, got 1.5"),
        ({"format": "gif"}, "format must be one of png, webp, jpeg, got 'gif'"),
        ({"tags": "a/*"}, r"tags must be a list of patterns such as \['a/\*'\], got a string"),
        ({"tags": ["nothing/*"]}, "has no images that fit tags and runs: it holds filters/conv, grad_cam/conv, mine"),
        (
            {"max_size": 1000},
            r"the page would have 0.3 MB \(69 images of 13 steps\), more than the 0.0 MB that max_size allows: take",
        ),
    ],
)
def test_wrong_arguments_write_nothing(log, wrong, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        kv.export_html(log, tmp_path / "page.html", **wrong)
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_is_none_or_has_no_images(tmp_path):
    with pytest.raises(FileNotFoundError, match="log_dir must be a directory with event files"):
        kv.export_html(tmp_path / "nothing")
    with pytest.raises(ValueError, match="it holds no images"):
        kv.export_html(tmp_path)


def test_a_page_replaces_an_older_one_as_a_whole_or_not_at_all(log, tmp_path, monkeypatch):
    path = tmp_path / "new" / "page.html"
    page = kv.export_html(log, path, title="<Training & more>")
    assert (page.path, page.size) == (path, path.stat().st_size)
    assert page.content == path.read_bytes()
    assert b"<title>&lt;Training &amp; more&gt;</title>" in page.content

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kv.export_html(log, path, progress=stop)
    assert path.read_bytes() == page.content
    assert list(path.parent.iterdir()) == [path]


def test_the_command_tells_the_size_and_writes_the_page(log, tmp_path, capsys):
    assert main(["export", str(log), str(tmp_path / "a.html"), "--every", "5", "--tags", "mine,filters/*"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("14 images of 5 steps, 0.1 MB")
    assert said[1].startswith(f"{tmp_path / 'a.html'}: 0.1 MB")
    assert main(["export", str(log), str(tmp_path / "b.html"), "--max-mb", "0.01"]) == 1
    assert "kerasviz: the page would have" in capsys.readouterr().err
    assert not (tmp_path / "b.html").exists()
    assert main(["export", str(tmp_path / "nothing"), str(tmp_path / "b.html")]) == 1


@pytest.mark.slow
def test_the_module_runs_as_a_command_without_importing_keras(log, tmp_path):
    code = (
        "import sys, runpy; sys.argv = ['kerasviz_callbacks', 'export', sys.argv[1], sys.argv[2]]\n"
        "try: runpy.run_module('kerasviz_callbacks', run_name='__main__')\n"
        "except SystemExit as end: assert end.code == 0\n"
        "assert not {'keras', 'tensorflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(log), str(tmp_path / "a.html")], check=True, capture_output=True)
    assert (tmp_path / "a.html").stat().st_size == plan(log, Selection()).size()


def test_curves_are_thinned_keep_their_last_point_and_hold_no_nan():
    curve = thinned((step, float(step)) for step in range(5000))
    assert len(curve) == POINTS
    assert (curve[0], curve[-1]) == ((0, 0.0), (4999, 4999.0))
    assert thinned([(2, 1.0), (1, float("nan")), (2, 3.0)]) == [(1, None), (2, 3.0)]


def test_losses_are_what_is_shown_first():
    tags = ["epoch_accuracy", "overfitting/loss", "epoch_loss", "loss", "lossy", "train/Loss", "batch_loss_scale"]
    assert loss_tags(tags) == ["loss", "epoch_loss", "train/Loss", "overfitting/loss"]
    assert ScalarCollector().tags() == []


def test_modules_that_cannot_be_bundled_are_told(tmp_path):
    (tmp_path / "a.js").write_text('import { b } from "./b.js";\nexport const a = b;\n')
    (tmp_path / "b.js").write_text("export function b() {}\n")
    assert bundle(tmp_path, "a.js").index("$b") < bundle(tmp_path, "a.js").index("$a")
    (tmp_path / "b.js").write_text('import { a } from "./a.js";\nexport const b = a;\n')
    with pytest.raises(ValueError, match=r"in a circle: a.js -> b.js -> a.js"):
        bundle(tmp_path, "a.js")
    (tmp_path / "b.js").write_text("export default 1;\n")
    with pytest.raises(ValueError, match=r"b.js imports or exports in a way that cannot be bundled"):
        bundle(tmp_path, "a.js")
    (tmp_path / "b.js").write_text("export const b = '</script>';\n")
    with pytest.raises(ValueError, match=r"b.js holds the end of a script element"):
        bundle(tmp_path, "a.js")


def opened_offline(browser, path):
    """A page from the disk, in a browser without a network."""
    opened = Opened(browser, path.as_uri())
    opened.context.set_offline(True)
    opened.page.reload()
    opened.wait_until_shown()
    return opened


@pytest.mark.slow
def test_the_page_opens_offline_and_shows_every_step_to_the_pixel(log, browser, tmp_path):
    kv.export_html(log, tmp_path / "page.html", title="A training")
    opened = opened_offline(browser, tmp_path / "page.html")
    assert opened.text("h1") == "A training"
    opened.press("Home", -1)
    for step in STEPS:
        if step > -1:
            opened.press("ArrowRight", step)
        np.testing.assert_array_equal(opened.pixels("grad_cam/conv", RUNS[1]), pixels(RUNS[1], "grad_cam/conv", step))
    opened.frame.get_by_label("What mine shows").click()
    opened.frame.locator(".description h1").wait_for()
    assert opened.frame.locator(".legend span").all_text_contents() == [f"{run} 0.07692" for run in RUNS]
    assert set(opened.requests) == {(tmp_path / "page.html").as_uri()}
    assert opened.complaints == []
    opened.press("Home", -1)
    opened.frame.get_by_label("Speed").select_option("60")
    opened.frame.evaluate("document.activeElement.blur()")
    opened.press("Space")
    opened.wait_until_shown(11)
    opened.press("Home", -1)
    opened.press("ArrowRight", 0)
    opened.until(lambda: "step=0" in opened.page.url)
    opened.page.reload()
    assert opened.wait_until_shown() == 0
    opened.close()


@pytest.mark.slow
@pytest.mark.parametrize("form", ["webp", "jpeg"])
def test_other_formats_look_about_the_same(form, browser, tmp_path):
    write(tmp_path / "run", [image_event("a", step, [encoded(smooth(step))]) for step in range(3)])
    kv.export_html(tmp_path, tmp_path / "page.html", format=form)
    opened = opened_offline(browser, tmp_path / "page.html")
    assert np.abs(opened.pixels("a", "run").astype(int) - smooth(2)).mean() < 5
    opened.close()


@pytest.mark.slow
def test_names_of_every_evil_kind_execute_nothing_in_the_page(browser, tmp_path):
    image = encoded(np.full((8, 8, 3), 7, np.uint8))
    html = b"<svg xmlns='http://www.w3.org/2000/svg' onload='document.title=1'></svg>"
    for place, name in enumerate(EVIL):
        evil = name.replace("evil()", "document.title=1")
        events = [image_event(evil, step, [image, html], description=evil) for step in (0, 1)]
        losses = [scalar_event(f"{evil}/loss", 0, 1.0)]
        write(tmp_path / f"{place}{evil.replace('/', '_')}", [*events, *losses])
    kv.export_html(tmp_path, tmp_path / "page.html", title="</title><script>document.title=1</script>")
    opened = opened_offline(browser, tmp_path / "page.html")
    for about in opened.frame.locator("button.about").all():
        about.click()
    opened.frame.locator("summary").click()
    opened.press("Home", 0)
    opened.page.wait_for_timeout(500)
    assert opened.page.title() == "</title><script>document.title=1</script>"
    assert opened.frame.locator("article").count() == 2 * len(EVIL)
    # What is blocked is told on the console; the script of the page is the only one that runs.
    assert opened.frame.evaluate("document.scripts.length") == 2 + 2 * len(EVIL)
    opened.close()


@pytest.mark.slow
def test_the_policy_of_the_page_lets_no_other_script_run(log, browser, tmp_path):
    page = kv.export_html(log).content.decode()
    (tmp_path / "page.html").write_text(page.replace("</body>", "<script>document.title='changed'</script></body>"))
    opened = opened_offline(browser, tmp_path / "page.html")
    assert opened.page.title() == log.name
    assert not opened.frame.evaluate("fetch('https://example.org').then(() => true, () => false)")
    opened.close()


@pytest.mark.slow
def test_a_notebook_shows_the_page_in_a_sandboxed_frame(log, browser, tmp_path):
    shown = kv.export_html(log, tags=["mine"])._repr_html_()
    (tmp_path / "notebook.html").write_text(f"<!DOCTYPE html><body>{shown}</body>")
    page = browser.new_page()
    page.goto((tmp_path / "notebook.html").as_uri())
    frame = next(one for one in page.frames if one is not page.main_frame)
    frame.locator("article").first.wait_for()
    frame.get_by_label("Step", exact=True).press("Home")
    frame.locator(".step", has_text="step -1 of 11").wait_for()
    assert (
        frame.evaluate("(() => { try { return window.parent.document.title; } catch { return 'unreachable'; } })()")
        == "unreachable"
    )
    page.close()
