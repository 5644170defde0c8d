"""The TensorBoard tab on large logs, in a real TensorBoard and a real Chromium."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .table import Row, at_least, at_most, markdown, ms

ABOUT = """
A log of two runs with 20 tags of 1,000 steps each, images of 20 kB (800 MB), read once before. *Ready*: from the first
request until all is indexed, in a fresh TensorBoard that has loaded the log itself; *memory*: how much its process has
grown then. Below them TensorBoard's own *Images* tab with `images=1000`: until the last image of the log can be asked
for, and what TensorBoard and its data server hold then more than with their ten samples. The slider jumps to steps that
were not loaded, until they are painted, in headless Chromium without a GPU; *again* are steps that were loaded before.
*Start*: until TensorBoard, without TensorFlow, serves, in pairs with the tab and without.
"""
RUNS, TAGS, STEPS = ("train", "validation"), 20, 1000
START = "from tensorboard.main import run_main; run_main()"
NO_TENSORFLOW = "import sys, types; sys.modules['tensorboard.compat.notf'] = types.ModuleType('notf'); "
WITHOUT = (
    "from tensorboard import default; found = default._iter_entry_points; "
    "default._iter_entry_points = lambda group: [one for one in found(group) if one.name != 'kerasviz_timeline']; "
)


def write_log(directory: Path, runs: int, tags: int, steps: int, side: int) -> None:
    """Write a log of random images, `side` pixels high and wide."""
    from kerasviz_callbacks.record.events import EventFile

    rng = np.random.default_rng(0)
    pool = []
    for _ in range(100):
        file = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8)).save(file, "png")
        pool.append(file.getvalue())
    for run in range(runs):
        file_of_run = EventFile(directory / (RUNS[run] if runs <= len(RUNS) else f"run{run}"))
        for step in range(steps):
            for tag in range(tags):
                png = pool[(step * 7 + tag) % len(pool)]
                file_of_run.image(f"grad_cam/layer{tag}", step, png, width=side, height=side)
            file_of_run.flush()
        file_of_run.close()


@contextmanager
def tensorboard(logdir: Path, *arguments: str, code: str = START) -> Iterator[tuple[str, int]]:
    """Address and process of a TensorBoard."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-c", code, "--logdir", str(logdir), "--port", "0", *arguments]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stderr is not None
        address = next(found[1] for line in process.stderr if (found := re.search(r"at (http://\S+)", line)))
        yield address.rstrip("/"), process.pid
    finally:
        process.terminate()
        process.wait(30)


def asked(address: str, route: str) -> Any:
    """The JSON that a TensorBoard answers."""
    with urllib.request.urlopen(f"{address}/data/{route}") as answer:
        return json.load(answer)


def ready(address: str) -> float:
    """Seconds until the timeline knows all images."""
    began = time.perf_counter()
    while not asked(address, "plugin/kerasviz_timeline/listing?since=0")["complete"]:
        pass
    return time.perf_counter() - began


def held(process: int) -> float:
    """MiB that a process and its children hold."""
    children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process)], capture_output=True, text=True, check=False)
    found = 0
    for number in [process, *map(int, children.stdout.split())]:
        found += int(Path(f"/proc/{number}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return found / 2**20


def wait_for_images(address: str, run: str, tag: str, steps: int) -> float:
    """Seconds until TensorBoard's own plugin has all steps of a tag."""
    began = time.perf_counter()
    while True:
        try:
            if len(asked(address, f"plugin/images/images?run={run}&tag={tag}&sample=0")) >= steps:
                return time.perf_counter() - began
        except OSError:
            pass
        time.sleep(0.1)


def start(code: str, empty: Path) -> float:
    """Seconds until a TensorBoard serves."""
    began = time.perf_counter()
    with tensorboard(empty, code=code):
        return time.perf_counter() - began


CELLS = """[...document.querySelectorAll(".cell:not(.empty)")].filter(
    (one) => one.getBoundingClientRect().top < innerHeight + 300).length"""
JUMPS = """async (count) => {
    const [main, slider] = [document.querySelector('main'), document.querySelector('.slider input')];
    const painted = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    const times = [];
    for (let jump = 0; jump < count; jump++) {
        const began = performance.now();
        slider.value = (37 + 61 * jump) % 1000;
        slider.dispatchEvent(new Event('input'));
        const loaded = () => main.ariaBusy !== 'true' && main.dataset.shown === slider.value;
        while (!loaded()) await new Promise((done) => setTimeout(done));
        await painted();
        times.push(performance.now() - began);
    }
    return times;
}"""
PLAYED = """async (seconds) => {
    const [main, play] = [document.querySelector('main'), document.querySelector('.play')];
    const seen = [];
    const watch = new MutationObserver(() => seen.push([Number(main.dataset.shown), performance.now()]));
    watch.observe(main, { attributes: true, attributeFilter: ['data-shown'] });
    play.click();
    await new Promise((done) => setTimeout(done, 1000 * seconds));
    play.click();
    watch.disconnect();
    const kept = seen.filter(([step], place) => !place || step !== seen[place - 1][0]);
    const skipped = kept.filter(([step], place) => place && step !== kept[place - 1][0] + 1).length;
    return [1000 * (kept.length - 1) / (kept.at(-1)[1] - kept[0][1]), skipped];
}"""


def browsed(address: str) -> list[Row]:
    """Rows of the slider and of playing."""
    from playwright.sync_api import sync_playwright

    rows = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        for size, height in (("medium", 800), ("small", 900)):
            page = browser.new_page(viewport={"width": 1400, "height": height})
            page.goto(f"{address}/#kerasviz_timeline&p.kerasviz_timeline.step=0&p.kerasviz_timeline.size={size}")
            page.wait_for_timeout(6000)
            frame = next(one for one in page.frames if "name=kerasviz_timeline" in one.url)
            cells = frame.evaluate(CELLS)
            jumps = np.array(frame.evaluate(JUMPS, 40)) / 1000
            detail = f"95 % {ms(float(np.quantile(jumps, 0.95)))}"
            rows.append(at_most(f"slider jump, {cells} images", 1e3 * float(np.median(jumps)), 100, "ms", detail))
            for speed, least in (("8", 7.5), ("25", 0.0), ("25 again", 24.0)):
                frame.evaluate("document.querySelector('.slider input').value = 100")
                frame.evaluate("document.querySelector('.slider input').dispatchEvent(new Event('input'))")
                page.wait_for_timeout(500)
                frame.get_by_label("Speed").select_option(speed.split()[0])
                rate, skipped = frame.evaluate(PLAYED, 6)
                again = " again" if " " in speed else ""
                what = f"played at {speed.split()[0]} steps a second{again}, {cells} images"
                detail = f"{skipped:.0f} steps left out"
                found = f"{rate:.3g} a second ({detail})"
                rows.append(at_least(what, rate, least, "a second", detail) if least else Row(what, found))
            page.close()
        browser.close()
    return rows


def many(name: str, runs: int, tags: int, steps: int) -> list[Row]:
    """Rows of a log with many series."""
    from playwright.sync_api import sync_playwright

    directory = Path(tempfile.mkdtemp())
    write_log(directory, runs, tags, steps, 6)
    with tensorboard(directory) as (address, _), sync_playwright() as driver:
        seconds = ready(address)
        began = time.perf_counter()
        size = len(json.dumps(asked(address, "plugin/kerasviz_timeline/listing?since=0")))
        listing = time.perf_counter() - began
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        began = time.perf_counter()
        page.goto(f"{address}/#kerasviz_timeline")
        page.frame_locator("iframe").locator("main[data-shown]").wait_for(timeout=120_000)
        shown = time.perf_counter() - began
        began = time.perf_counter()
        page.frame_locator("iframe").get_by_label("Filter tags").fill(f"layer{tags - 1}")
        page.frame_locator("iframe").locator("article", has_text=f"layer{tags - 1}").first.wait_for(timeout=120_000)
        filtered = time.perf_counter() - began
        browser.close()
    found = f"ready {seconds:.3g} s, listing {size / 1e6:.3g} MB in {ms(listing)}, "
    found += f"shown after {shown:.3g} s, filtered after {ms(filtered)}"
    return [Row(name, found)]


def table(rounds: int) -> str:
    """Markdown; a round is a pair of starts."""
    directory, empty = Path(tempfile.mkdtemp()), Path(tempfile.mkdtemp())
    write_log(directory, len(RUNS), TAGS, STEPS, 82)
    subprocess.run(["cat", *map(str, directory.rglob("*tfevents*"))], stdout=subprocess.DEVNULL, check=True)
    seconds, grown, rows = [], [], []
    for _ in range(3):
        with tensorboard(directory) as (address, process):
            wait_for_images(address, RUNS[-1], f"grad_cam/layer{TAGS - 1}", 10)
            time.sleep(3)
            before = held(process)
            seconds.append(ready(address))
            grown.append(held(process) - before)
            few = before
            if len(seconds) == 3:
                rows = browsed(address)
    began = time.perf_counter()
    with tensorboard(directory, "--samples_per_plugin", f"images={STEPS}") as (address, process):
        served = time.perf_counter() - began
        waited = wait_for_images(address, RUNS[-1], f"grad_cam/layer{TAGS - 1}", STEPS)
        own = f"{waited:.3g} s after it serves ({served:.3g} s), {held(process) - few:.4g} MiB more"
    codes = (NO_TENSORFLOW + START, NO_TENSORFLOW + WITHOUT + START)
    pairs = [tuple(start(code, empty) for code in codes) for _ in range(rounds)]
    slower = float(np.median([with_tab - without for with_tab, without in pairs]))
    return markdown(
        "The timeline",
        ABOUT,
        [
            at_most("ready", float(np.median(seconds)), 2.5, "s"),
            at_most("memory", float(np.median(grown)), 30, "MiB"),
            Row("TensorBoard's own Images tab, images=1000", own),
            *rows,
            at_most("start: slower by", 1e3 * slower, 50, "ms", f"without {min(one for _, one in pairs):.3g} s"),
            *many("50,000 tags of 2 steps", 1, 50_000, 2),
            *many("300 runs of 20 tags and 10 steps", 300, 20, 10),
        ],
    )
