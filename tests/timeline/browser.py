"""A real TensorBoard and a real Chromium for the tests of the timeline."""

import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def needs_chromium():
    """Skip where there is no browser; CI installs it, and must not skip."""
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("CI must have chromium: `apt-get install chromium`")
        pytest.skip("no chromium here: `apt-get install chromium`")
    pytest.importorskip("playwright", reason="the browser is driven by playwright: `pip install playwright`")


@contextmanager
def tensorboard(logdir, *arguments, broken=(), directory=None):
    """The address of a TensorBoard. `broken` are modules that raise when it imports them."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    for module in broken:
        package = Path(directory) / "broken" / module
        package.mkdir(parents=True, exist_ok=True)
        (package / "__init__.py").write_text(f"raise ImportError('{module} is broken')\n")
        environment["PYTHONPATH"] = str(package.parent)
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(logdir), "--port", "0", *arguments]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        said = []
        for line in process.stderr:
            said.append(line)
            if found := re.search(r"at (http://\S+)", line):
                break
        else:
            raise AssertionError("TensorBoard has not started:\n" + "".join(said))
        yield found[1].rstrip("/")
    finally:
        process.terminate()
        process.wait(20)
        process.stderr.close()


class Opened:
    """A page with the timeline, in TensorBoard's tab or exported, and all that it has asked for or complained about."""

    def __init__(self, browser, address, **options):
        self.context = browser.new_context(viewport={"width": 1400, "height": 900}, **options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(60_000)
        self.requests, self.complaints = [], []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._console)
        self.go(address)

    def _console(self, message):
        if message.type == "error" and "kerasviz_timeline" in (message.location or {}).get("url", "") + message.text:
            self.complaints.append(message.text)

    def go(self, address):
        self.page.goto(address)
        self.wait_until_shown()

    @property
    def frame(self):
        """The frame that holds the timeline."""
        return next((one for one in self.page.frames if "name=kerasviz_timeline" in one.url), self.page.main_frame)

    def wait_until_shown(self, step=None):
        """Wait until a step, or any, is on the screen."""
        until, shown = time.monotonic() + 60, None
        while time.monotonic() < until:
            try:
                shown = self.frame.evaluate(
                    "(main => main?.ariaBusy === 'true' ? null : main?.dataset.shown)(document.querySelector('main'))"
                )
            except Exception:  # the frame is being loaded
                shown = None
            if shown is not None and step in (None, int(shown)):
                return int(shown)
            self.page.wait_for_timeout(20)
        raise AssertionError(f"step {step} is not shown, but {shown}: {self.text('.status')}")

    def press(self, key, step=None):
        """Press a key, and wait for a step."""
        self.page.keyboard.press(key)
        if step is not None:
            self.wait_until_shown(step)

    def text(self, selector):
        return self.frame.locator(selector).first.text_content()

    def cell(self, tag, run):
        """The figure of a run in the card of a tag."""
        card = self.frame.locator(f"article[aria-label='{tag}']").first
        found = card.locator("figure", has=self.frame.locator(f".run[title='{run}']"))
        found.scroll_into_view_if_needed()
        # What comes into sight is loaded.
        drawn = "one => one.classList.contains('empty') || one.querySelector('canvas').width > 1"
        self.until(lambda: found.evaluate(drawn))
        self.wait_until_shown()
        return found

    def until(self, holds):
        """Wait until something holds, at most a minute."""
        end = time.monotonic() + 60
        while not holds():
            assert time.monotonic() < end, "it never came to hold"
            self.page.wait_for_timeout(20)

    def pixels(self, tag, run):
        """What the canvas of a tag and run shows, as (height, width, 3)."""
        found = (
            self.cell(tag, run)
            .locator("canvas")
            .evaluate(
                """canvas => {
                const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
                return [canvas.height, canvas.width, Array.from(data)];
            }"""
            )
        )
        return np.array(found[2], np.uint8).reshape(found[0], found[1], 4)[..., :3]

    def close(self):
        self.context.close()


@contextmanager
def chromium():
    """A browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()
