"""The command `kerasviz`, also `python -m kerasviz_callbacks`."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from .export import FORMATS, Selection
from .export_html import MAX_SIZE, check_size, plan, write


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; gives its exit status."""
    options = _parser().parse_args(arguments)
    try:
        selection = Selection(options.every, _patterns(options.tags), _patterns(options.runs), options.format)
        page = plan(options.log_dir, selection, options.title)
        size = check_size(page, options.max_mb * 1e6)
        about = "" if options.format == "png" else "about "
        _say(f"{page.images:,} images of {page.steps:,} steps, {about}{size / 1e6:,.1f} MB", sys.stdout)
        path = write(page, Path(options.page), _progress if sys.stderr.isatty() else None)
        _say(f"{path}: {path.stat().st_size / 1e6:,.1f} MB", sys.stdout)
    except (ValueError, OSError) as error:
        _say(f"kerasviz: {_AS_OPTIONS.sub(_option, str(error))}", sys.stderr)
        return 1
    return 0


# Errors name the arguments of `export_html`; here they are options.
_AS_OPTIONS = re.compile(r"\b(every|tags|runs|max_size|format|log_dir)=(\'\w+\')?")


def _option(found: re.Match[str]) -> str:
    name = {"max_size": "--max-mb", "log_dir": "LOGDIR "}.get(found[1], f"--{found[1]}")
    return f"{name} {found[2]}".replace("'", "") if found[2] else name


def _say(text: str, stream: TextIO) -> None:
    """Print a line; what a terminal cannot show, or would take as a command, is escaped."""
    shown = "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
    encoding = getattr(stream, "encoding", None) or "utf-8"
    print(shown.encode(encoding, "backslashreplace").decode(encoding), file=stream)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="kerasviz", description="Look at the images that a training has logged.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    export = commands.add_parser(
        "export",
        help="write one HTML page with a slider over all steps",
        description="Write one HTML page with all logged images and a slider over their steps. It opens offline.",
    )
    export.add_argument("log_dir", metavar="LOGDIR", help="the directory that tensorboard --logdir gets")
    export.add_argument("page", metavar="PAGE", help="the file to write, such as training.html")
    export.add_argument("--every", type=int, default=1, metavar="N", help="take every N-th step, and the last one")
    export.add_argument("--tags", action="append", metavar="PATTERNS", help="such as 'grad_cam/*,overfitting/*'")
    export.add_argument("--runs", action="append", metavar="PATTERNS", help="such as '*/validation'")
    export.add_argument("--format", choices=FORMATS, default="png", help="png takes images as logged (default)")
    export.add_argument("--title", help="the title of the page; by default the name of the directory")
    most = MAX_SIZE / 1e6
    export.add_argument("--max-mb", type=float, default=most, metavar="MB", help="refuse larger pages (%(default)g)")
    return parser


def _patterns(given: list[str] | None) -> list[str] | None:
    return None if given is None else [pattern for one in given for pattern in one.split(",") if pattern]


def _progress(done: int, total: int) -> None:
    width = 30
    if done == total or done * 100 // total != (done - 1) * 100 // total:
        full = width * done // total
        end = "\n" if done == total else ""
        print(f"\r[{'=' * full}{' ' * (width - full)}] {done:,} of {total:,}", end=end, file=sys.stderr, flush=True)
