"""One HTML page that holds images and front end: it opens from a disk, offline, and loads nothing.

Its size is known, or for other formats than PNG estimated, before anything is written.
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from .bundle import bundle
from .curves import Curve, loss_tags
from .image_series import Place
from .listing import stretches
from .log_index import LogIndex

Format = Literal["png", "webp", "jpeg"]
FORMATS: tuple[Format, ...] = ("png", "webp", "jpeg")
QUALITY = {"webp": 80, "jpeg": 85}

_MOST_CURVES = 8
_MOST_SAMPLED = 40  # series of which images are converted to estimate the size
_SAMPLES = 2  # images of a series that are converted to estimate its size
_STATIC = Path(__file__).with_name("static")


class Scalars(Protocol):
    """Where the curves come from: see `curves`."""

    def tags(self) -> list[str]:
        """All tags, sorted."""

    def curves(self, tag: str) -> dict[str, Curve]:
        """The curve of each run that has the tag."""


@dataclass(frozen=True)
class Selection:
    """What of a log goes into a page.

    - `every`: every n-th of all steps, and the last one; of a series, the images that are seen at these.
    - `tags`, `runs`: shell patterns such as `grad_cam/*`, of which one must fit; None takes all.
    - `series`: numbers of series; None takes all.
    - `format`: `"png"` takes the images as they were logged; `"webp"` and `"jpeg"` convert what becomes smaller so.
    """

    every: int = 1
    tags: Sequence[str] | None = None
    runs: Sequence[str] | None = None
    format: Format = "png"
    series: frozenset[int] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.every, int) or isinstance(self.every, bool) or self.every < 1:
            raise ValueError(f"every must be a whole number from 1 on, got {self.every!r}")
        if self.format not in FORMATS:
            raise ValueError(f"format must be one of {', '.join(FORMATS)}, got {self.format!r}")
        for name, patterns in (("tags", self.tags), ("runs", self.runs)):
            if isinstance(patterns, str):
                raise ValueError(f"{name} must be a list of patterns such as [{patterns!r}], got a string")


class Chosen(NamedTuple):
    """What of a series goes into a page, as it was when it was chosen: a training may go on writing."""

    number: int
    run: str
    tag: str
    sample: int
    steps: list[int]
    places: list[Place]


@dataclass
class Page:
    """A page that can be written: `size` in bytes, exact for PNG, and `pieces`, which reads and encodes the images."""

    index: LogIndex
    selection: Selection
    scalars: Scalars
    describe: Callable[[str], str]  # Markdown -> safe HTML
    title: str = "Training"
    chosen: list[Chosen] = field(default_factory=list)  # by the selection, unless it is given
    shares: dict[int, float] = field(
        default_factory=dict
    )  # what conversion leaves of a series, by number, once measured

    def __post_init__(self) -> None:
        self.chosen = self.chosen or _chosen(self.index, self.selection)

    @property
    def images(self) -> int:
        """The number of images."""
        return sum(len(one.places) for one in self.chosen)

    @property
    def steps(self) -> int:
        """The number of different steps."""
        return len({step for one in self.chosen for step in one.steps})

    def size(self) -> int:
        """The number of bytes of the page."""
        return sum(map(len, self.frame)) + sum(sum(self.sizes_of(one)) for one in self.chosen)

    def sizes_of(self, one: Chosen) -> list[int]:
        """The number of bytes that each image of a series adds to the page, with its share of what is around."""
        share = self._share(one)
        around = len(_opening(one.number)) + len(_CLOSING) - 1
        return [
            4 * -(-round(size * share) // 3) + 1 + around * (not entry)
            for entry, size in enumerate(at.size for at in one.places)
        ]

    def pieces(self, progress: Callable[[int, int], None] | None = None) -> Iterator[bytes]:
        """The page, piece by piece. `progress` is called with the number of images done, and of all."""
        head, tail = self.frame
        yield head
        done, total = 0, self.images
        for one in self.chosen:
            yield _opening(one.number)
            for entry, place in enumerate(one.places):
                data = self.index.image_at(place) or b""  # deleted meanwhile: shown as missing
                yield (b"," if entry else b"") + base64.b64encode(self._converted(data))
                done += 1
                if progress is not None:
                    progress(done, total)
            yield _CLOSING
        yield tail

    def _share(self, one: Chosen) -> float:
        """How much smaller the images of a series become by their conversion, from a few of them."""
        if self.selection.format == "png":
            return 1.0
        if one.number not in self.shares:
            measured = len(self.shares)
            if measured < _MOST_SAMPLED:
                self.shares[one.number] = self._measured_share(one)
            else:  # of very many series, as the others are on average
                return sum(self.shares.values()) / measured
        return self.shares[one.number]

    def _measured_share(self, one: Chosen) -> float:
        last = len(one.places) - 1
        entries = {round((number + 0.5) * last / _SAMPLES) for number in range(_SAMPLES)}
        data = [self.index.image_at(one.places[entry]) or b"" for entry in entries]
        return sum(len(self._converted(image)) for image in data) / max(sum(map(len, data)), 1)

    def _converted(self, data: bytes) -> bytes:
        if self.selection.format == "png":
            return data
        try:
            smaller = _convert(data, self.selection.format)
        except Exception:  # not an image that Pillow can read: Pillow raises many kinds of errors
            return data
        return smaller if len(smaller) < len(data) else data

    @cached_property
    def frame(self) -> tuple[bytes, bytes]:
        """What stands before the images and behind them."""
        tags = loss_tags(self.scalars.tags())[:_MOST_CURVES]
        shown = {one.tag for one in self.chosen}
        log = {
            "title": self.title,
            "series": [[one.number, one.run, one.tag, one.sample, 0, stretches(one.steps)] for one in self.chosen],
            "descriptions": {
                tag: self.describe(text) for tag, text in sorted(self.index.descriptions.items()) if tag in shown
            },
            "curves": {tag: self._curves(tag) for tag in tags},
        }
        script = bundle(_STATIC, "exported.js")
        policy = f"default-src 'none'; img-src blob: data:; style-src 'unsafe-inline'; script-src '{_hash(script)}'"
        head = (
            f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{html.escape(self.title)}</title>\n"
            f"<style>\n{(_STATIC / 'style.css').read_text('utf-8')}</style>\n</head>\n<body>\n"
            f'<script type="application/json" id="log">{_json_in_html(log)}</script>\n'
        )
        tail = f'<script type="module">{script}</script>\n</body>\n</html>\n'
        return head.encode("utf-8", "replace"), tail.encode("utf-8")

    def _curves(self, tag: str) -> dict[str, Curve]:
        """The curves of the trainings whose images are shown: Keras logs them in other runs beside ours."""
        shown = {_training(one.run) for one in self.chosen}
        return {run: curve for run, curve in self.scalars.curves(tag).items() if _training(run) in shown}


_CLOSING = b"</script>\n"


def _opening(number: int) -> bytes:
    return b'<script type="text/plain" id="images-%d">' % number


def _chosen(index: LogIndex, selection: Selection) -> list[Chosen]:
    found = []
    with index.lock:
        series = [
            (number, one)
            for number, one in enumerate(index.series)
            if len(one) and _fits(one.tag, selection.tags) and _fits(one.run, selection.runs)
            if selection.series is None or number in selection.series
        ]
        steps = sorted({step for _, one in series for step in one.steps})
        kept = {*steps[:: selection.every], *steps[-1:]}
        for number, one in series:
            places = [one.place(position) for position in range(len(one))]
            whole = Chosen(number, one.run, one.tag, one.sample, list(one.steps), places)
            chosen = whole if selection.every == 1 else seen_at(whole, kept)
            if chosen.steps:
                found.append(chosen)
    return found


def seen_at(one: Chosen, steps: Iterable[int]) -> Chosen:
    """Of a series the images that are seen at some steps: the last ones that are not later."""
    kept = sorted({bisect_right(one.steps, step) - 1 for step in steps} - {-1})
    return one._replace(steps=[one.steps[entry] for entry in kept], places=[one.places[entry] for entry in kept])


def _training(run: str) -> str:
    """The directory of the training that a run belongs to: that of our group of runs, else the one above."""
    parts = run.split("/")
    ours = [place for place, part in enumerate(parts) if re.fullmatch(r"views(-\d+)?", part)]
    return "/".join(parts[: ours[0]] if ours else parts[:-1])


def _fits(name: str, patterns: Sequence[str] | None) -> bool:
    return patterns is None or any(fnmatchcase(name, pattern) for pattern in patterns)


def _convert(data: bytes, to: str) -> bytes:
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        if getattr(image, "n_frames", 1) > 1 or image.mode not in ("1", "L", "LA", "P", "RGB", "RGBA"):
            return data  # an animation, or numbers that eight bits do not hold
        over = Image.new("RGB", image.size, "white")
        rgba = image.convert("RGBA")
        over.paste(rgba, mask=rgba.getchannel("A"))
    converted = io.BytesIO()
    over.save(converted, to, quality=QUALITY[to], method=2)  # of WebP: half the time of 4 for 3 % more bytes
    return converted.getvalue()


def _hash(script: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode('utf-8')).digest()).decode()}"


def _json_in_html(value: Any) -> str:
    """JSON that no name in it can end the element of."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
