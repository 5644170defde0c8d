"""The plugin's routes, and what TensorBoard must never notice of it."""

import base64
import io
import json
import struct
import subprocess
import sys
import zipfile
from importlib.metadata import entry_points
from types import SimpleNamespace

import pytest
from browser import tensorboard
from logs import image_event, png, write
from tensorboard.plugins.base_plugin import TBContext
from werkzeug.test import Client

from kerasviz_timeline.plugin import STATIC, TimelinePlugin


class Scalars:
    """A data provider that has no scalars."""

    def list_scalars(self, context, **asked):
        return {}


SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


def plugin(logdir="", spec="", provider=None):
    return TimelinePlugin(
        TBContext(logdir=str(logdir), flags=SimpleNamespace(logdir_spec=spec), data_provider=provider)
    )


def ask(made, route, **options):
    """Status and body of the answer to a request; posted where there is a body."""
    client = Client(made.get_plugin_apps()[route])
    posted = "data" in options or "json" in options
    if posted:
        options["headers"] = {"X-Kerasviz-Timeline": "1", **options.get("headers", {})}
    answer = client.open(route, method="POST" if posted else "GET", **options)
    return answer.status_code, answer.data


def images(made, wanted, **options):
    """The images of an answer."""
    status, data = ask(made, "/images", json={"id": made.index().id, "images": wanted}, **options)
    assert status == 200, data
    found = []
    while data:
        (size,) = struct.unpack("<I", data[:4])
        found.append(data[4 : 4 + size])
        data = data[4 + size :]
    return found


@pytest.fixture
def log(tmp_path):
    write(tmp_path / "run", [image_event("a", step, [png(step)], description="# About") for step in range(3)])
    return tmp_path


def test_it_is_found_by_tensorboard_under_a_name_of_its_own():
    (entry,) = entry_points(group="tensorboard_plugins", name="kerasviz_timeline")
    assert entry.load() is TimelinePlugin
    assert TimelinePlugin.plugin_name == "kerasviz_timeline"


def test_listing_and_images(log):
    made = plugin(log)
    listing = json.loads(ask(made, "/listing", query_string={"since": 0})[1])
    assert listing.pop("id") == made.index().id
    assert listing == {"generation": 1, "complete": True, "share": 1.0, "series": [[0, "run", "a", 0, 0, [[0, 1, 3]]]]}
    assert json.loads(ask(made, "/listing", query_string={"since": 1})[1])["series"] == []
    assert "note" not in listing
    assert images(made, [[0, 0, 2], [0, 1, 0], [0, 0, 7], [5, 0, 0], [0, 0, 0]]) == [png(2), b"", b"", b"", png(0)]
    assert images(made, []) == []
    assert ask(made, "/description", query_string={"tag": "a"})[1] == b"<h1>About</h1>"
    assert ask(made, "/description", query_string={"tag": "b"})[1] == b""


REFUSED = [b"", b"{", b"null", b"{}", b"7", b'"a"', b"[]", b"[" * 20000, b"\xff\xfe", b" " * (1 << 20) + b"{}"]
WRONG_IMAGES = ["1", "{}", "[1]", "[[0]]", "[[0,0,0,0]]", '[[0,0,"0"]]', "[[0,0,0.5]]", "[[0,0,true]]", "[[0,0,null]]"]
WRONG_IMAGES += ["[[0,0,0]" + ",[0,0,0]" * 2000 + "]"]


@pytest.mark.parametrize("body", REFUSED, ids=lambda body: body[:20].decode("latin-1"))
def test_requests_that_are_no_question_for_images_are_refused(log, body):
    status, said = ask(plugin(log), "/images", data=body)
    assert status == 400
    assert said.strip()


@pytest.mark.parametrize("wanted", WRONG_IMAGES, ids=lambda wanted: wanted[:20])
def test_images_that_the_page_does_not_ask_for_are_refused(log, wanted):
    made = plugin(log)
    body = f'{{"id":"{made.index().id}","images":{wanted}}}'
    assert ask(made, "/images", data=body.encode())[0] == 400


def test_numbers_of_a_tensorboard_that_is_gone_mean_nothing(log):
    made = plugin(log)
    ask(made, "/listing")
    status, said = ask(made, "/images", json={"id": plugin(log).index().id, "images": [[0, 0, 0]]})
    assert (status, said) == (400, b"TensorBoard was started anew, and the listing must be asked for again\n")


@pytest.mark.parametrize("numbers", [[10**40, 0, 0], [0, 0, -1], [-1, 0, 0], [0, -1, 2**63]])
def test_numbers_out_of_range_are_images_that_are_not_there(log, numbers):
    made = plugin(log)
    ask(made, "/listing")
    assert images(made, [numbers]) == [b""]


@pytest.mark.parametrize("since", ["x", "1e9", "", "9" * 5000])
def test_a_generation_that_is_no_number(log, since):
    assert ask(plugin(log), "/listing", query_string={"since": since})[0] == 400


def test_only_pages_of_the_same_origin_may_ask_for_images(log):
    made = plugin(log)
    ask(made, "/listing")
    assert images(made, [[0, 0, 0]], headers=SAME_ORIGIN) == [png(0)]
    assert ask(made, "/images", query_string={"images": "[[0,0,0]]"})[0] == 400


@pytest.mark.parametrize("route", ["/images", "/export", "/export_size", "/archive"])
@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({"X-Kerasviz-Timeline": "1"}, True),
        ({"X-Kerasviz-Timeline": "1", "Origin": "http://proxied.example"}, True),  # as a proxy passes it on
        ({"X-Kerasviz-Timeline": "1", "Sec-Fetch-Site": "same-origin"}, True),
        ({"X-Kerasviz-Timeline": "1", "Sec-Fetch-Site": "cross-site"}, False),
        ({"X-Kerasviz-Timeline": "1", "Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "same-origin"}, False),
        ({"Origin": "http://localhost"}, False),
    ],
)
def test_another_sites_page_can_ask_for_nothing(log, route, headers, allowed):
    made = plugin(log, provider=Scalars())
    body = {"id": made.index().id, "images": []} if route == "/images" else {"id": made.index().id, "series": []}
    answer = Client(made.get_plugin_apps()[route]).post(route, json=body, headers=headers)
    assert (answer.status_code == 200) == allowed


def test_an_export_is_the_page_that_was_announced(log):
    made = plugin(log, provider=Scalars())
    ask(made, "/listing")
    wanted = {"id": made.index().id, "series": [0], "every": 2, "format": "png"}
    size = json.loads(ask(made, "/export_size", json=wanted)[1])
    status, page = ask(made, "/export", json=wanted)
    assert (status, len(page)) == (200, size.pop("size"))
    assert size == {"images": 2, "steps": 2, "allowed": True}
    assert base64.b64encode(png(2)) in page


@pytest.mark.parametrize(
    "wrong",
    [[], {}, {"series": 1}, {"series": [], "every": 0}, {"series": [], "every": "2"}, {"series": [], "format": 7}],
)
def test_an_export_that_the_page_does_not_ask_for(log, wrong):
    made = plugin(log, provider=Scalars())
    wrong = {"id": made.index().id, **wrong} if isinstance(wrong, dict) else wrong
    for route in ("/export", "/export_size"):
        assert ask(made, route, json=wrong)[0] == 400
        assert ask(made, route, json={"id": "another", "series": []})[0] == 400


def test_what_is_too_large_is_refused(log, monkeypatch):
    made = plugin(log, provider=Scalars())
    ask(made, "/listing")
    wanted = {"id": made.index().id, "series": [0]}
    assert ask(made, "/archive", json=wanted)[0] == 200
    monkeypatch.setattr("kerasviz_timeline.plugin.MAX_SIZE", 100)
    assert ask(made, "/archive", json=wanted)[0] == 400
    assert not json.loads(ask(made, "/export_size", json=wanted)[1])["allowed"]
    assert ask(made, "/export", json=wanted)[0] == 400


def test_an_archive_holds_every_step_as_it_was_logged(log):
    write(log / "a b", [image_event("x/../y", step, [png(step + 1), b"GIF89a" + png(7)]) for step in (-1, 3, 3)])
    write(log / "a_b", [image_event("x/../y", 3, [png(9)])])
    made = plugin(log)
    ask(made, "/listing")
    numbers = [number for number, one in enumerate(made.index().series) if one.run != "run"]
    status, data = ask(made, "/archive", json={"id": made.index().id, "series": [*numbers, 99, -1, "x"]})
    assert status == 200
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        found = {name: archive.read(name) for name in archive.namelist()}
    names = ["-00001.png", "000003.png", "000003-2.png", "000003-3.png"]
    names += ["image2/-00001.gif", "image2/000003.gif", "image2/000003-2.gif"]
    assert set(found) == {f"a_b/x/_/y/{name}" for name in names}
    assert [found[f"a_b/x/_/y/{name}"] for name in names[1:3]] == [png(4), png(4)]
    assert found["a_b/x/_/y/image2/000003.gif"] == b"GIF89a" + png(7)
    assert found["a_b/x/_/y/000003-3.png"] == png(9)


def test_only_the_files_of_the_front_end_are_served(log):
    routes = plugin(log).get_plugin_apps()
    static = {f"/{path.name}" for path in STATIC.iterdir() if path.suffix in (".js", ".css")}
    assert {route for route in routes if "." in route} == static
    assert not any("*" in route or ".." in route for route in routes)
    status, text = ask(plugin(log), "/tab.js")
    assert (status, text) == (200, (STATIC / "tab.js").read_bytes())


def test_the_front_end_stays_small_enough_to_be_read():
    lines = {path.name: len(path.read_text("utf-8").splitlines()) for path in STATIC.glob("*.js")}
    assert max(lines.values()) <= 300
    assert sum(lines.values()) <= 1200


def test_an_answer_is_never_sniffed_as_something_else(log):
    client = Client(plugin(log).get_plugin_apps()["/images"])
    answer = client.post("/images", json={}, headers={"X-Kerasviz-Timeline": "1"})
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Type"].startswith("text/plain")


def test_several_roots_by_logdir_spec(log):
    listing = json.loads(ask(plugin(spec=f"x:{log}/run,{log}"), "/listing")[1])
    assert sorted(row[1] for row in listing["series"]) == ["run", "x/."]


@pytest.mark.parametrize("logdir", ["", "/nothing/there", "relative/nowhere"])
def test_no_log_directory_is_an_empty_listing_that_says_so(logdir):
    listing = json.loads(ask(plugin(logdir), "/listing")[1])
    assert listing["series"] == []
    expected = f"No images in the event files below {logdir}." if logdir else "TensorBoard was started without"
    assert listing["note"].startswith(expected)


def test_an_error_of_ours_is_an_answer(log):
    status, said = ask(plugin(log, provider=None), "/scalar_tags")
    assert status == 500
    assert b"AttributeError" in said


@pytest.mark.slow
def test_importing_it_imports_neither_keras_nor_tensorflow_nor_the_callbacks():
    def imported_with(modules):
        code = f"import sys, {modules}; print({{'keras', 'tensorflow', 'kerasviz_callbacks'}} & set(sys.modules))"
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    found = imported_with("kerasviz_timeline.plugin")
    without = imported_with("tensorboard.plugins.base_plugin, tensorboard.plugin_util")
    assert found == without


@pytest.mark.slow
def test_tensorboard_starts_with_each_package_broken(log, tmp_path):
    with tensorboard(log, broken=["keras", "tensorflow", "kerasviz_callbacks"], directory=tmp_path) as address:
        import urllib.request

        with urllib.request.urlopen(f"{address}/data/plugin/kerasviz_timeline/listing?since=0") as answer:
            assert len(json.load(answer)["series"]) == 1
