"""Small data for the scripts in this folder: embedded clothes, and scenes, text, signals and clips made here."""

from pathlib import Path

import numpy as np

SHAPES = ["ground", "disc", "square", "triangle"]
GOOD = ["lovely", "great", "charming", "brilliant", "warm", "funny", "clever", "superb"]
BAD = ["dull", "awful", "clumsy", "boring", "cold", "weak", "silly", "dreadful"]
NOUNS = ["film", "story", "actor", "plot", "score", "ending", "camera", "dialogue"]


def clothes(n=2000, n_test=500):
    """Return (x, y), (x_test, y_test), names: grey clothes `(n, 28, 28, 1)` in 0..1 and their classes `(n,)`."""
    with np.load(Path(__file__).parents[1] / "data" / "fashion_mnist_5k.npz") as data:
        x, y, x_test, y_test = (data[key] for key in ("x_train", "y_train", "x_test", "y_test"))
        names = [str(name) for name in data["class_names"]]
    x, x_test = (images[..., None].astype("float32") / 255 for images in (x[:n], x_test[:n_test]))
    return (x, y[:n].astype("int32")), (x_test, y_test[:n_test].astype("int32")), names


def scenes(n, size=32, objects=2, seed=0):
    """Return scenes of coloured shapes, objects ordered from left to right, as a dict.

    `images` `(n, size, size, 3)` in 0..1, `masks` `(n, size, size)` numbers in `SHAPES`, `depth` `(n, size, size, 1)`
    in 0..1 (1 is far), `boxes` `(n, objects, 4)` as `xyxy` in pixels, `classes` `(n, objects)` numbers in `SHAPES`.
    """
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size] + 0.5
    ground = 0.25 + 0.2 * rng.random((n, 1, 1, 3)) + 0.05 * rng.standard_normal((n, size, size, 3))
    found = {
        "images": ground,
        "masks": np.zeros((n, size, size), "int32"),
        "depth": np.repeat(np.linspace(1, 0.7, size)[None, :, None, None], n, 0).repeat(size, 2),
        "boxes": np.zeros((n, objects, 4)),
        "classes": rng.integers(1, len(SHAPES), (n, objects)),
    }
    for i in range(n):
        distances = rng.uniform(0.1, 0.6, objects)
        for j in np.argsort(-distances):  # the nearest last, over the others
            half = size * rng.uniform(0.12, 0.2)
            y = rng.uniform(half, size - half)
            x = size * (j + 0.5) / objects + rng.uniform(-1, 1) * max(size / objects / 2 - half, 0)
            across, down = abs(columns - x), rows - y
            inside = (
                across**2 + down**2 < half**2,
                np.maximum(across, abs(down)) < half,
                (abs(down) < half) & (across < (down + half) / 2),
            )[found["classes"][i, j] - 1]
            found["images"][i][inside] = rng.uniform(0.5, 1, 3) * (1.1 - distances[j])
            found["masks"][i][inside] = found["classes"][i, j]
            found["depth"][i][inside] = distances[j]
            found["boxes"][i, j] = x - half, y - half, x + half, y + half
    found["images"] = np.clip(found["images"], 0, 1)
    return {name: data if data.dtype.kind == "i" else data.astype("float32") for name, data in found.items()}


def reviews(n, seed=0):
    """Return `n` short reviews as text and whether each is favourable `(n,)`; "not" turns a word round."""
    rng = np.random.default_rng(seed)
    texts, favourable = [], rng.integers(0, 2, n)
    for good in favourable:
        parts = []
        for _ in range(rng.integers(1, 4)):
            turned = rng.random() < 0.3
            word = rng.choice(GOOD if bool(good) != turned else BAD)
            parts.append(f"the {rng.choice(NOUNS)} was {'not ' if turned else ''}{word}")
        texts.append(" and ".join(parts))
    return np.array(texts), favourable.astype("int32")


def signals(n, length=512, seed=0):
    """Return noisy signals `(n, length, 1)` and their classes `(n,)`: tone, rising tone, two clicks."""
    rng = np.random.default_rng(seed)
    time, classes = np.linspace(0, 1, length), rng.integers(0, 3, n)
    pitch, phase = rng.uniform(20, 40, (2, n, 1))
    tone = np.sin(2 * np.pi * pitch * time + phase)
    rising = np.sin(2 * np.pi * pitch * time * (0.5 + time) + phase)
    where = rng.uniform(0.1, 0.9, (2, n, 1))
    clicks = sum(np.exp(-(((time - place) * 60) ** 2)) * np.sin(400 * (time - place)) for place in where)
    x = np.choose(classes[:, None], (tone, rising, 2 * clicks)) + 0.2 * rng.standard_normal((n, length))
    return x[..., None].astype("float32"), classes.astype("int32")


def clips(n, frames=8, size=20, seed=0):
    """Return clips of a moving disc `(n, frames, size, size, 1)` in 0..1 and its direction `(n,)`: 0 to 3."""
    rng = np.random.default_rng(seed)
    directions = rng.integers(0, 4, n)
    steps = np.array([(0, 1), (0, -1), (1, 0), (-1, 0)])[directions] * rng.uniform(0.8, 1.6, (n, 1))
    middle = size / 2 + rng.uniform(-3, 3, (n, 2))
    places = middle[:, None] + steps[:, None] * (np.arange(frames) - frames / 2)[:, None]
    rows, columns = np.mgrid[:size, :size]
    gap = np.hypot(rows - places[..., 0, None, None], columns - places[..., 1, None, None])
    return np.clip(3.5 - gap, 0, 1)[..., None].astype("float32"), directions.astype("int32")


def waves(n, length=72, seed=0):
    """Return two-variable series `(n, length, 2)`: a daily wave that drifts, and what follows from it later."""
    rng = np.random.default_rng(seed)
    time = np.arange(length + 6)
    phase, slope = rng.uniform(0, 2 * np.pi, (n, 1)), rng.uniform(-0.01, 0.01, (n, 1))
    wave = np.sin(2 * np.pi * time / 24 + phase) + slope * time + 0.05 * rng.standard_normal((n, len(time)))
    return np.stack([wave[:, 6:], 0.5 * wave[:, :-6]], axis=-1).astype("float32")


def volumes(n, size=16, seed=0):
    """Return volumes `(n, size, size, size, 1)` in 0..1 and their classes `(n,)`: ball, hollow ball, cube."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 3, n)
    middle, half = size / 2 + rng.uniform(-2, 2, (n, 3)), rng.uniform(3.5, 5.5, (n, 1, 1, 1))
    gaps = np.moveaxis(np.mgrid[:size, :size, :size], 0, -1) - middle[:, None, None, None]
    far = np.linalg.norm(gaps, axis=-1)
    inside = (far < half, (far < half) & (far > half - 2), abs(gaps).max(-1) < half)
    x = np.choose(classes[:, None, None, None], inside) + 0.1 * rng.standard_normal(far.shape)
    return np.clip(x, 0, 1)[..., None].astype("float32"), classes.astype("int32")


def clouds(n, points=128, seed=0):
    """Return clouds of points on a surface `(n, points, 3)` in -1..1 and their classes `(n,)`: ball, box, cylinder."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 3, n)
    ball = rng.standard_normal((n, points, 3))
    ball /= np.linalg.norm(ball, axis=-1, keepdims=True)
    box = ball / abs(ball).max(-1, keepdims=True)
    angle = rng.uniform(0, 2 * np.pi, (n, points))
    cylinder = np.stack([np.cos(angle), np.sin(angle), rng.uniform(-1, 1, (n, points))], axis=-1)
    x = np.choose(classes[:, None, None], (ball, box, cylinder)) * rng.uniform(0.6, 1, (n, 1, 3))
    return x.astype("float32"), classes.astype("int32")
