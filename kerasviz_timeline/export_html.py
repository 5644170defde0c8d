"""`export_html`: a log directory as one HTML page, in a file or in a notebook."""

from __future__ import annotations

import html
import os
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

from .curves import ScalarCollector
from .export import Format, Page, Selection
from .log_files import is_remote, roots
from .log_index import LogIndex

MAX_SIZE = 500_000_000  # bytes; browsers hold such a page, larger ones become slow to open


_MOST_SHOWN = 20_000_000  # bytes; what a notebook shows is saved with it


class TooLargeError(ValueError):
    """The page would have more bytes than allowed."""


class ExportedPage:
    """An exported page. A notebook shows it as the value of a cell, in a frame that can reach nothing around it.

    - `path`: where it was written, or None.
    - `size`: in bytes.
    """

    def __init__(self, path: Path | None, content: bytes | None) -> None:
        self.path = path
        self._content = content
        self.size = path.stat().st_size if path is not None else len(content or b"")

    @property
    def content(self) -> bytes:
        """The page itself, as UTF-8."""
        return self._content if self._content is not None else Path(self.path or "").read_bytes()

    def __repr__(self) -> str:
        return f"ExportedPage({str(self.path) if self.path else None!r}, {self.size:,} bytes)"

    def _repr_html_(self) -> str:
        if self.size > _MOST_SHOWN:
            where = f"in {html.escape(str(self.path))}" if self.path else "in memory"
            return f"<p>The page is {where}: {self.size / 1e6:,.1f} MB, too large to be shown in a notebook.</p>"
        return frame(self.content.decode("utf-8"))


def frame(page: str, height: int = 720) -> str:
    """HTML that shows a page in a sandboxed frame: its script runs, and reaches neither notebook nor network."""
    escaped = html.escape(page).encode("ascii", "xmlcharrefreplace").decode()  # whatever the notebook's encoding
    return (
        f'<iframe sandbox="allow-scripts allow-downloads" title="Timeline" srcdoc="{escaped}" '
        f'style="width:100%;height:{height}px;border:0"></iframe>'
    )


def export_html(
    log_dir: str | os.PathLike[str],
    path: str | os.PathLike[str] | None = None,
    *,
    every: int = 1,
    tags: Sequence[str] | None = None,
    runs: Sequence[str] | None = None,
    format: Format = "png",
    title: str | None = None,
    max_size: int = MAX_SIZE,
    progress: Callable[[int, int], None] | None = None,
) -> ExportedPage:
    """See a whole training in one HTML page with a slider over its steps, which opens offline and can be sent.

    All images of all runs below `log_dir` are shown, of whatever program wrote them, with the losses below the slider.

    Args:
        log_dir: A directory with event files, such as `"logs"`, or an address that TensorBoard can read.
        path: The file to write, such as `"training.html"`; one that exists is replaced. Without it, the page is kept in
            memory: the value of a notebook's cell shows it.
        every: Take every n-th step, and the last one.
        tags: Patterns of tags to take, such as `["grad_cam/*", "overfitting/summary"]`; all by default.
        runs: Patterns of runs to take, such as `["*/validation"]`; all by default.
        format: `"png"` takes the images as they were logged. `"webp"` (about a quarter of the bytes) and `"jpeg"`
            (about 40 %) convert them, with loss.
        title: The page's title; by default the name of the directory.
        max_size: The most bytes that the page may have.
        progress: Called with the number of images written, and of all.

    Returns:
        An `ExportedPage` with `path`, `size` and `content`, which shows itself in a notebook.

    Raises:
        FileNotFoundError: there is no such directory.
        ValueError: there are no images in it, or none that fit; an argument has another value than described; or the
            page would be larger than `max_size` (`TooLargeError`). Nothing is written then.
    """
    page = plan(log_dir, Selection(every, tags, runs, format), title)
    check_size(page, max_size)
    if path is None:
        return ExportedPage(None, b"".join(page.pieces(progress)))
    return ExportedPage(write(page, Path(path).expanduser(), progress), None)


def plan(
    log_dir: str | os.PathLike[str],
    selection: Selection,
    title: str | None = None,
    *,
    only: frozenset[str] | None = None,
) -> Page:
    """Read a log directory, or some of its runs alone, and choose what goes into its page."""
    directory = os.fspath(log_dir)
    found = roots(directory)
    if not found or not (is_remote(directory) or os.path.isdir(found[0][1])):
        raise FileNotFoundError(f"log_dir must be a directory with event files, got {directory!r}, which is none")
    scalars = ScalarCollector()
    index = LogIndex(found, on_scalar=scalars, only=only)
    index.refresh()
    page = Page(index, selection, scalars, _safe_html, title or os.path.basename(found[0][1]) or directory)
    if not page.images:
        tags = sorted({one.tag for one in index.series if len(one)})
        held = f"it holds {', '.join(tags[:10])}{', ...' if len(tags) > 10 else ''}" if tags else "it holds no images"
        raise ValueError(f"log_dir={directory!r} has no images that fit tags and runs: {held}")
    return page


def check_size(page: Page, max_size: float) -> int:
    """The size of a page in bytes, if it may have so many."""
    size = page.size()
    if size > max_size:
        raise TooLargeError(
            f"the page would have {size / 1e6:,.1f} MB ({page.images:,} images of {page.steps:,} steps), more than the "
            f"{max_size / 1e6:,.1f} MB that max_size allows: take fewer steps (every=), "
            "fewer tags or runs (tags=, runs=), another format (format='webp'), or allow more (max_size=)"
        )
    return size


def write(page: Page, path: Path, progress: Callable[[int, int], None] | None = None) -> Path:
    """Write a page, first beside its place, so that nobody finds half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        with half.open("xb") as file:
            for piece in page.pieces(progress):
                file.write(piece)
        half.replace(path)
    except BaseException:
        half.unlink(missing_ok=True)
        raise
    return path


def _safe_html(markdown: str) -> str:
    from tensorboard import plugin_util

    return str(plugin_util.markdown_to_safe_html(markdown))
