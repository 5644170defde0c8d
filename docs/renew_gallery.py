"""Make the README's pictures anew: run both examples and keep a few of the pictures they save.

python docs/renew_gallery.py            # about two minutes; `tensorboard.png` is a screenshot and is left alone
python docs/renew_gallery.py --from pictures/   # from pictures that the examples have already saved
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

DOCS = Path(__file__).resolve().parent
EXAMPLES = ("watch_a_classifier", "watch_an_autoencoder")
PICTURES = {
    "filters.png": "watch_an_autoencoder/views/model/filters/encode1/000029.png",
    "activations.png": "watch_a_classifier/views/validation/activations/conv1/000011.png",
    "grad_cam.png": "watch_a_classifier/views/validation/grad_cam/conv4/000011.png",
    "trajectory.png": "watch_an_autoencoder/views/validation/latent/trajectory/000029.png",
}


def main():
    """Run the examples, then copy the pictures, packed as small as PNG goes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="saved", type=Path, default=None, help="a directory with one folder an example")
    saved = parser.parse_args().saved
    with tempfile.TemporaryDirectory() as scratch:
        if saved is None:
            saved = Path(scratch, "pictures")
            for name in EXAMPLES:
                script = DOCS.parent / "examples" / f"{name}.py"
                given = ["--log-dir", str(Path(scratch, "logs", name)), "--save-dir", str(saved / name)]
                subprocess.run([sys.executable, str(script), *given], check=True)
        for name, source in PICTURES.items():
            with Image.open(saved / source) as picture:
                picture.save(DOCS / "gallery" / name, optimize=True)
            print(f"docs/gallery/{name}: {(DOCS / 'gallery' / name).stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
