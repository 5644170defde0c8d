"""Update the README's first picture: the Timeline tab on a training, as an animated PNG.

python docs/renew_timeline.py                    # trains the classifier example; needs chromium and playwright
python docs/renew_timeline.py --log-dir logs     # uses a log that is there
"""

import argparse
import io
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

DOCS = Path(__file__).resolve().parent
SIZE = {"width": 1360, "height": 800}
STEPS = (0, 11)
SECONDS = 1.5  # each is shown
COLOURS = 48


def main():
    """Train, start TensorBoard, and take a picture at each step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log-dir", type=Path, default=None, help="the log of the classifier example")
    log_dir = parser.parse_args().log_dir
    with tempfile.TemporaryDirectory() as scratch:
        if log_dir is None:
            log_dir = Path(scratch, "logs")
            example = DOCS.parent / "examples" / "watch_a_classifier.py"
            subprocess.run([sys.executable, str(example), "--log-dir", str(log_dir)], check=True)
        frames = [Image.open(io.BytesIO(png)).convert("RGB") for png in screenshots(log_dir)]
    palette = frames[-1].quantize(COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    packed = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    path = DOCS / "gallery" / "timeline.png"
    packed[0].save(path, save_all=True, append_images=packed[1:], duration=1000 * SECONDS, loop=0, optimize=True)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def screenshots(log_dir):
    """The tab at each step, as PNG files."""
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(log_dir), "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        address = next(found[1] for line in process.stderr if (found := re.search(r"at (http://\S+)", line)))
        with sync_playwright() as driver:
            chromium = shutil.which("chromium") or shutil.which("google-chrome")
            browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
            page = browser.new_page(viewport=SIZE)
            page.goto(f"{address}#kerasviz_timeline&p.kerasviz_timeline.step={STEPS[0]}")
            timeline = page.frame_locator("iframe")
            for step in STEPS:
                timeline.locator(f"main[data-shown='{step}']").wait_for()
                page.wait_for_timeout(1500)
                yield page.screenshot()
                for _ in range(STEPS[min(STEPS.index(step) + 1, len(STEPS) - 1)] - step):
                    page.keyboard.press("ArrowRight")
            browser.close()
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
