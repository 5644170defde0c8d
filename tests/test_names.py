"""Names from outside stay where they belong, and are shown as they are: in files, in tags, in Markdown, on terminals.

Keras itself lets no layer's name hold a slash, and TensorFlow's graphs only a few signs; a model that runs eagerly
takes anything else, and nested models make paths of slashes.
"""

import io
import re
import sys
from html.parser import HTMLParser

import keras
import numpy as np
import pytest
from harness import fit, runs
from hypothesis import example, given
from hypothesis import strategies as st
from tensorboard.plugin_util import markdown_to_safe_html

import kerasviz_callbacks as kv
from kerasviz_callbacks.callback.markdown import code_span
from kerasviz_callbacks.record.console import say

PLAIN = "plain"
NAMES = [
    PLAIN,
    "..\\..\\win",
    "..",
    "`a``b`",
    "` x",
    "x|y\n--- | ---",
    "<script>alert(1)<b>",
    "*a* _b_ [x](y) ![i](j)",
    "line\n\n# head\n- item",
    "nul\0x\x1b[31m",
    "\N{GRINNING FACE}\N{ZERO WIDTH JOINER}\N{SNOWMAN}",
    "l" * 300,
    "CON",
    "<!-- c",
    "{path} {0.__class__} %s",
    "\\",
]
CLASSES = ["`c`|<i>x", "half \ud800 [x](y)\n# head\t.", "../../../c"]
INPUT = "../../<b>in`put`\ud800"


class Elements(HTMLParser):
    """The elements of a document in their order, and the text of each `code`."""

    def __init__(self, document):
        super().__init__()
        self.found, self.codes, self._open = [], [], False
        self.feed(document)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, attrs))
        if tag == "code":
            self.codes.append("")
        self._open = tag == "code"

    def handle_endtag(self, tag):
        self._open = False

    def handle_data(self, data):
        if self._open:
            self.codes[-1] += data


def literally(name):
    """What a person should read: spaces for line ends, a sign for what is no character."""
    flat = re.sub(r"[\n\t]", " ", name)
    return re.sub("[\0\x1b\ud800]", "\N{REPLACEMENT CHARACTER}", flat).strip()


def in_tags(name):
    """As TensorBoard can hold it."""
    return name.replace("\ud800", "\\ud800")


@pytest.fixture(scope="module")
def classified(tmp_path_factory):
    """A fit with every view of a classifier, whose layers, input and classes have all the names."""
    where = tmp_path_factory.mktemp("classifier") / "deep" / "er"
    x = entry = keras.Input((4, 4, 2))
    entry.name = INPUT
    for name in NAMES:
        layer = keras.layers.Conv2D(2, 1, activation="relu")
        layer.name = name
        x = layer(x)
    nested = keras.Sequential([keras.Input((4, 4, 2)), keras.layers.Conv2D(2, 1, name="etc")], name="..")
    holder = keras.Sequential([keras.Input((4, 4, 2)), nested], name="...")
    x = keras.layers.Dense(3, activation="softmax")(keras.layers.GlobalAveragePooling2D()(holder(x)))
    model = keras.Model({INPUT: entry}, x, name="`model`\n# <b>head")
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    rng = np.random.default_rng(0)
    data = ({INPUT: rng.random((6, 4, 4, 2)).astype(np.float32)}, np.arange(6) % 3)
    layers = [layer for layer in model.layers if layer.name in NAMES] + [nested.layers[0]]
    given = {"on_error": "raise", "save_dir": where / "pictures"}
    of_data = {**given, "class_names": CLASSES, "count": 3}
    logs = where / "logs"
    views = [
        kv.FilterImages(logs, layers=layers, timelapse=True, **given),
        kv.WeightHeatmaps(logs, data, layers=layers, **of_data),
        *(kv.Coefficients(logs, layer=layer, **given) for layer in layers),
        kv.ActivationMaps(logs, data, layers=layers, **of_data),
        kv.NeuronResponses(logs, data, layers=layers, **of_data),
        kv.FilterOverlap(logs, data, layers=layers, **of_data),
        *(kv.GradCAM(logs, data, layer=layer, target=1, **of_data) for layer in layers),
        kv.Attribution(logs, data, method="gradient", target=1, **of_data),
    ]
    fit(model, *data, [kv.Visualizer(logs, data, views=views)], epochs=1, verbose=2)
    return where, runs(logs)


PATHS = [*NAMES, ".../../etc"]
BY_LAYER = {
    "model": ("filters", "weights", "coefficients"),
    "validation": ("activations", "responses", "overlap", "grad_cam"),
}


@pytest.mark.slow
@pytest.mark.fault("hostile names of layers and classes", "no file leaves `log_dir` or `save_dir`")
def test_files_stay_below_log_dir_and_save_dir(classified):
    where, _ = classified
    assert [path.name for path in where.parent.parent.iterdir()] == ["deep"]
    assert [path.name for path in where.parent.iterdir()] == ["er"]
    assert sorted(path.name for path in where.iterdir()) == ["logs", "pictures"]
    parts = {part for path in (where / "pictures").rglob("*") for part in path.relative_to(where).parts}
    assert not parts & {"..", ".", "CON"}
    assert not any(set(part) & set('<>:"|?*\\\n\0\x1b') or len(part.encode()) > 100 for part in parts)


@pytest.mark.slow
def test_every_tag_has_its_own_file(classified):
    where, found = classified
    pictures = [
        (run, tag, step) for run, read in found.items() for tag, steps in read.pictures.items() for step in steps
    ]
    files = list((where / "pictures").rglob("*.png"))
    assert len(files) == len(pictures) > 4 * len(PATHS)
    assert {path.relative_to(where / "pictures").parts[:2] for path in files} == {
        tuple(run.split("/")) for run in found
    }


@pytest.mark.slow
def test_tensorboard_gives_every_tag_back(classified):
    _, found = classified
    for source, views in BY_LAYER.items():
        tags = found[f"views/{source}"].pictures
        for view in views:
            assert {f"{view}/{path}" for path in PATHS} <= set(tags)
    assert f"gradient/{in_tags(INPUT)}" in found["views/validation"].pictures
    assert {f"health/{path}/norm" for path in PATHS} <= set(found["views/model"].scalars)


@pytest.mark.slow
@pytest.mark.fault(
    "hostile names of layers and classes", "TensorBoard's HTML shows the name and nothing that it brought in"
)
@pytest.mark.parametrize(("source", "view"), [(source, view) for source, views in BY_LAYER.items() for view in views])
def test_a_description_shows_the_name_and_nothing_that_it_brought_in(classified, source, view):
    descriptions = classified[1][f"views/{source}"].descriptions
    plain = Elements(markdown_to_safe_html(descriptions[f"{view}/{PLAIN}"].encode()))
    assert {tag for tag, _ in plain.found} <= {"p", "strong", "em", "code"}
    for path in PATHS:
        seen = Elements(markdown_to_safe_html(descriptions[f"{view}/{path}"].encode()))
        assert seen.found == plain.found, path
        assert [literally(path) if code == PLAIN else code for code in plain.codes] == seen.codes


@pytest.mark.slow
def test_other_names_are_shown_too(classified):
    descriptions = classified[1]["views/validation"].descriptions
    cam = Elements(markdown_to_safe_html(descriptions[f"grad_cam/{PLAIN}"].encode()))
    assert cam.codes == [PLAIN, literally(CLASSES[1])]
    gradient = Elements(markdown_to_safe_html(descriptions[f"gradient/{in_tags(INPUT)}"].encode()))
    assert gradient.codes == [literally(INPUT), literally(CLASSES[1])]
    timelapse = classified[1]["views/model"].descriptions[f"filters/{NAMES[3]}/timelapse"]
    assert Elements(markdown_to_safe_html(timelapse.encode())).codes == [
        f"filters/{NAMES[3]}/timelapse"[:-10],
        NAMES[3],
    ]


@pytest.mark.slow
def test_codes_of_any_name_and_classes_in_the_projector(tmp_path):
    codes = keras.layers.Dense(2)
    codes.name = "`c`\n# <b> \\"
    model = keras.Sequential([keras.Input((5,), name="in"), keras.layers.Dense(4), codes, keras.layers.Dense(5)])
    model.compile("sgd", "mse", run_eagerly=True)
    x, y = np.random.default_rng(0).random((6, 5)).astype(np.float32), np.arange(6) % 3
    given = {"class_names": CLASSES, "on_error": "raise", "save_dir": tmp_path / "pictures"}
    views = [view(tmp_path / "logs", (x, y), **given) for view in (kv.LatentTrajectory, kv.LatentProfiles)]
    fit(model, x, x, [*views, kv.Reconstructions(tmp_path / "logs", (x, y), **given)], epochs=1)
    read = runs(tmp_path / "logs")["views/validation"]
    for tag in ("latent/trajectory", "latent/profiles", "reconstructions/walk"):
        seen = Elements(markdown_to_safe_html(read.descriptions[tag].encode()))
        assert seen.codes == ["`c` # <b> \\"]
        assert {element for element, _ in seen.found} <= {"p", "strong", "em", "code"}
    rows = (tmp_path / "logs/views/validation/metadata.tsv").read_text().splitlines()
    assert [row.split("\t")[1:] for row in rows] == [["label", "row"], *([str(n % 3), str(n)] for n in range(6))]
    assert [row.split("\t")[0] for row in rows[1:4]] == ["`c`|<i>x", "half   [x](y) # head .", "../../../c"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["logs", "pictures"]


@given(st.text(st.characters(), max_size=30) | st.text(st.sampled_from("`\\*_[]()<>!#-|&; \n\x02a"), max_size=12))
@example("``")
@example("<!-- x")
@example("a\\`b\\")
@example("&lt;")
def test_a_code_span_holds_whatever_is_put_into_it(name):
    shown = Elements(markdown_to_safe_html(f"**The filters of {code_span(name)}**, (3, 3).\n\n*How:* x\n"))
    assert [tag for tag, _ in shown.found] == ["p", "strong", *["code"] * len(shown.codes), "p", "em"]
    text = "".join(" " if one.isspace() else one for one in name).strip()
    assert len(shown.codes) == bool(text)
    if text:
        assert len(shown.codes[0]) == len(text)
        assert all(a in (b, "\N{REPLACEMENT CHARACTER}") for a, b in zip(shown.codes[0], text, strict=True))
        if text.isprintable():
            assert shown.codes == [text]


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_any_name_can_be_printed_and_steers_no_terminal(encoding, monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))
    say("of \ud800 \N{SNOWMAN} a\x1b[31m\nb")
    text = written.getvalue().decode(encoding)
    assert text.endswith("a\\x1b[31m\\nb\n")
    assert text.startswith("of \\ud800 ")
    assert ("\N{SNOWMAN}" if encoding == "utf-8" else "\\u2603") in text
