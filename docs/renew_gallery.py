"""Update the images of the README: run the examples and copy some of the images they save.

python docs/renew_gallery.py                  # several minutes; `timeline.png`: see renew_timeline.py
python docs/renew_gallery.py --from images/   # uses images that the examples have already saved
"""

import argparse
import io
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

DOCS = Path(__file__).resolve().parent
SOURCES = {
    "filters.png": "watch_the_weights/views/model/filters/hidden/000019.png",
    "weights.png": "watch_the_weights/views/model/weights/hidden/000019.png",
    "coefficients.png": "watch_the_weights/views/model/coefficients/hidden/000019.png",
    "activations.png": "watch_a_classifier/views/validation/activations/conv1/000011.png",
    "responses.png": "watch_the_activations/too_fast/views/validation/responses/conv4/000005.png",
    "overlap.png": "watch_the_activations/too_fast/views/validation/overlap/conv4/000005.png",
    "grad_cam.png": "watch_a_classifier/views/validation/grad_cam/conv4/000011.png",
    "attribution.png": "explain_a_classifier/views/validation/integrated_gradients/input/000005.png",
    "confusion.png": "watch_a_classifier/views/validation/confusion/output/000011.png",
    "data_map.png": "find_wrong_labels/views/train/data_map/summary/000011.png",
    "predictions.png": "segment_clothes/views/validation/predictions/mask/000011.png",
    "generated.png": "watch_a_gan/views/model/generated/generator/000011.png",
    "overfitting.png": "watch_overfitting/wrong_labels/views/validation/overfitting/summary/000039.png",
    "trajectory.png": "watch_an_autoencoder/views/validation/latent/trajectory/000029.png",
    "profiles.png": "watch_a_vae/views/validation/latent/profiles/000019.png",
    "reconstructions.png": "watch_a_vae/views/validation/reconstructions/pictures/000009.png",
}
LARGEST = 70_000  # bytes; larger files are reduced to 256 colours


def main():
    """Run the examples, and copy the images as small PNG files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="saved", type=Path, default=None, help="a directory with one folder per example")
    saved = parser.parse_args().saved
    with tempfile.TemporaryDirectory() as scratch:
        if saved is None:
            saved = Path(scratch, "images")
            for name in sorted({source.split("/")[0] for source in SOURCES.values()}):
                script = DOCS.parent / "examples" / f"{name}.py"
                given = ["--log-dir", str(Path(scratch, "logs", name)), "--save-dir", str(saved / name)]
                subprocess.run([sys.executable, str(script), *given], check=True)
        for name, source in SOURCES.items():
            with Image.open(saved / source) as image:
                packed = png(image)
                if len(packed) > LARGEST:
                    # MAXCOVERAGE keeps rare colours, such as the ends of a colour bar.
                    rgb = image.convert("RGB")
                    packed = png(rgb.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE))
            (DOCS / "gallery" / name).write_bytes(packed)
            print(f"docs/gallery/{name}: {len(packed) / 1000:.0f} kB")


def png(image):
    """Return the bytes of a PNG file, optimised for size."""
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


if __name__ == "__main__":
    main()
