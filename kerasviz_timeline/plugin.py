"""The *Timeline* tab of TensorBoard: its routes."""

from __future__ import annotations

import json
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tensorboard import context as tensorboard_context
from tensorboard import plugin_util
from tensorboard.backend import http_util
from tensorboard.plugins import base_plugin
from werkzeug import wrappers

from .archive import archive, images_of
from .curves import ProviderScalars
from .export import Page, Selection
from .export_html import MAX_SIZE
from .listing import listing
from .log_index import LogIndex, index_of

STATIC = Path(__file__).with_name("static")
_TYPES = {".js": "text/javascript", ".css": "text/css"}

_SECONDS_PER_LISTING = 0.5  # of reading; the page asks again until all is read
_LARGEST_REQUEST = 1 << 20  # bytes
_MOST_IMAGES = 2000  # in one request
_LARGEST_ANSWER = 256 << 20  # bytes of images in one answer

_ANEW = "TensorBoard was started anew, and the listing must be asked for again"

Handler = Callable[[wrappers.Request], wrappers.Response]


class BadRequestError(ValueError):
    """A request that the page does not make."""


class TimelinePlugin(base_plugin.TBPlugin):
    """Serves the front end, the listing and the images of all runs below the log directory."""

    plugin_name = "kerasviz_timeline"

    def __init__(self, context: base_plugin.TBContext) -> None:
        self._logdir = context.logdir or ""
        self._logdir_spec = getattr(context.flags, "logdir_spec", None) or ""
        self._provider = context.data_provider
        self._lock = threading.Lock()
        self._index: LogIndex | None = None

    def data_plugin_names(self) -> tuple[str, ...]:
        """The tab is there where TensorBoard has images."""
        return ("images",)

    def is_active(self) -> bool:
        """TensorBoard decides by `data_plugin_names`."""
        return False

    def frontend_metadata(self) -> base_plugin.FrontendMetadata:
        """Name and entry of the tab."""
        return base_plugin.FrontendMetadata(es_module_path="/tab.js", tab_name="Timeline")

    def get_plugin_apps(self) -> Mapping[str, Any]:
        """The routes. Static files are listed, so that no other file can be asked for."""
        routes: dict[str, Handler] = {
            "/listing": self._listing,
            "/images": self._images,
            "/description": self._description,
            "/scalar_tags": self._scalar_tags,
            "/curves": self._curves,
            "/export_size": self._export_size,
            "/export": self._export,
            "/archive": self._archive,
        }
        for path in sorted(STATIC.iterdir()):
            if path.suffix in _TYPES:
                routes[f"/{path.name}"] = _static(path)
        return {route: _application(handler) for route, handler in routes.items()}

    def index(self) -> LogIndex:
        """The index of the log directory, made at the first request."""
        with self._lock:
            if self._index is None:
                self._index = index_of(self._logdir, self._logdir_spec)
            return self._index

    def _listing(self, request: wrappers.Request) -> wrappers.Response:
        index = self.index()
        index.refresh(_SECONDS_PER_LISTING)
        found = listing(index, _whole_number(request.args.get("since", "0")))
        if not index.series:
            where = self._logdir or self._logdir_spec
            no_files = "TensorBoard was started without a log directory; the timeline reads event files itself."
            found["note"] = f"No images in the event files below {where}." if where else no_files
        return _json(request, found)

    def _images(self, request: wrappers.Request) -> wrappers.Response:
        """Images as `[series, version, position]` each; the answer has for each its size (uint32) and its bytes.

        The size is 0 where an image is not there any more, or where the answer would become too large.
        """
        asked, index = _posted(request), self.index()
        wanted = asked.get("images") if isinstance(asked, dict) else None
        if not isinstance(wanted, list) or len(wanted) > _MOST_IMAGES:
            raise BadRequestError(f"a list of at most {_MOST_IMAGES} images is expected")
        if asked.get("id") != index.id:
            raise BadRequestError(_ANEW)
        pieces: list[bytes] = []
        total = 0
        for one in wanted:
            if not (isinstance(one, list) and len(one) == 3 and all(type(number) is int for number in one)):
                raise BadRequestError("an image is [series, version, position], three whole numbers")
            data = (index.image(*one) if total < _LARGEST_ANSWER else None) or b""
            total += len(data)
            pieces += [struct.pack("<I", len(data)), data]
        return _respond(request, b"".join(pieces), "application/octet-stream")

    def _description(self, request: wrappers.Request) -> wrappers.Response:
        text = self.index().descriptions.get(request.args.get("tag", ""), "")
        return _respond(request, plugin_util.markdown_to_safe_html(text) if text else "", "text/plain")

    def _scalar_tags(self, request: wrappers.Request) -> wrappers.Response:
        return _json(request, self._scalars(request).tags())

    def _curves(self, request: wrappers.Request) -> wrappers.Response:
        return _json(request, self._scalars(request).curves(request.args.get("tag", "")))

    def _export_size(self, request: wrappers.Request) -> wrappers.Response:
        page = self._page(request)
        size = page.size()
        said = {"images": page.images, "steps": page.steps, "size": size, "allowed": size <= MAX_SIZE}
        return _json(request, said)

    def _export(self, request: wrappers.Request) -> wrappers.Response:
        page = self._page(request)
        if page.size() > MAX_SIZE:
            raise BadRequestError(f"the page would have more than {MAX_SIZE / 1e6:.0f} MB")
        return _attachment(page.pieces(), "training.html", "text/html; charset=utf-8")

    def _archive(self, request: wrappers.Request) -> wrappers.Response:
        """All images of `{series}`, the numbers of some series, as a zip archive."""
        images = images_of(self.index(), sorted(self._numbers(_posted(request))))
        if sum(place.size for *_, place in images) > MAX_SIZE:
            raise BadRequestError(f"the archive would have more than {MAX_SIZE / 1e6:.0f} MB")
        return _attachment(archive(self.index(), images), "images.zip", "application/zip")

    def _page(self, request: wrappers.Request) -> Page:
        """The page of `{every, format, series}`, where `series` are the numbers of those that are shown."""
        wanted = _posted(request)
        numbers = self._numbers(wanted)
        try:
            selection = Selection(wanted.get("every", 1), format=wanted.get("format", "png"), series=numbers)
        except ValueError as error:
            raise BadRequestError(str(error)) from error
        title = Path(self._logdir).name or "Training"
        return Page(self.index(), selection, self._scalars(request), plugin_util.markdown_to_safe_html, title)

    def _numbers(self, wanted: Any) -> frozenset[int]:
        """The numbers of series that are asked for."""
        if not isinstance(wanted, dict) or not isinstance(wanted.get("series"), list):
            raise BadRequestError("id and series are expected")
        if wanted.get("id") != self.index().id:
            raise BadRequestError(_ANEW)
        return frozenset(number for number in wanted["series"] if type(number) is int)

    def _scalars(self, request: wrappers.Request) -> ProviderScalars:
        context = tensorboard_context.from_environ(request.environ)
        return ProviderScalars(self._provider, context, plugin_util.experiment_id(request.environ))


def _application(handler: Handler) -> Any:
    """A WSGI application that answers with 400 or 500 and a line, and lets no exception reach TensorBoard."""

    @wrappers.Request.application
    def application(request: wrappers.Request) -> wrappers.Response:
        try:
            return handler(request)
        except BadRequestError as error:
            return _respond(request, f"{error}\n", "text/plain", code=400)
        except Exception as error:
            return _respond(request, f"{type(error).__name__}: {error}\n", "text/plain", code=500)

    return application


def _static(path: Path) -> Handler:
    def serve(request: wrappers.Request) -> wrappers.Response:
        return _respond(request, path.read_text("utf-8"), _TYPES[path.suffix])

    return serve


def _respond(request: wrappers.Request, content: str | bytes, content_type: str, code: int = 200) -> wrappers.Response:
    response: wrappers.Response = http_util.Respond(request, content, content_type, code=code)
    return response


def _attachment(pieces: Iterator[bytes], name: str, content_type: str) -> wrappers.Response:
    """A file that a browser saves and never shows."""
    headers = {
        "Content-Disposition": f"attachment; filename={name}",
        "Content-Security-Policy": "sandbox",
        "X-Content-Type-Options": "nosniff",
    }
    return wrappers.Response(pieces, headers=headers, content_type=content_type)


def _json(request: wrappers.Request, value: Any) -> wrappers.Response:
    return _respond(request, json.dumps(value, separators=(",", ":")), "application/json")


def _posted(request: wrappers.Request) -> Any:
    """The JSON of a request that the page itself has posted; other sites' pages could make TensorBoard work too."""
    if request.method != "POST":
        raise BadRequestError("this must be posted")
    # Browsers ask before they send such a header to another origin, which TensorBoard does not allow.
    foreign = request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin"
    if foreign or "X-Kerasviz-Timeline" not in request.headers:
        raise BadRequestError("this can be asked by TensorBoard's own page alone")
    if (request.content_length or 0) > _LARGEST_REQUEST:
        raise BadRequestError(f"a request may have {_LARGEST_REQUEST} bytes at most")
    try:
        return json.loads(request.get_data(cache=False))
    except (ValueError, RecursionError) as error:
        raise BadRequestError("this is no JSON") from error


def _whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise BadRequestError("a whole number is expected") from error
