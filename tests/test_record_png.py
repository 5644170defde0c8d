"""PNG bytes, decoded by Pillow, and paths that stay where they belong."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from kerasviz_callbacks.record import encode, picture_path, safe_component

sides = st.integers(1, 12)
shapes = st.tuples(sides, sides) | st.tuples(sides, sides, st.just(3))
anything = st.text(st.characters(), max_size=150) | st.sampled_from(
    [
        "",
        ".",
        "..",
        "...",
        "nul",
        "NUL.txt",
        "con ",
        "com1.a.b",
        "COM²",
        "a.",
        "a ",
        "a/b",
        "~0123456789",
        "ü" * 51,
    ]
)


@given(hnp.arrays(np.uint8, shapes))
def test_decoding_gives_the_same_pixels(picture):
    decoded = np.asarray(Image.open(io.BytesIO(encode(picture))))
    assert decoded.shape == picture.shape
    assert (decoded == picture).all()


def test_a_view_into_a_larger_array_is_encoded_as_seen():
    picture = np.arange(5 * 8 * 3, dtype=np.uint8).reshape(5, 8, 3)[::-2, 1::3, ::-1]
    assert (np.asarray(Image.open(io.BytesIO(encode(picture)))) == picture).all()


def test_other_types_and_shapes_are_refused():
    with pytest.raises(TypeError, match=r"picture: must be uint8, got float32; scale to 0\.\.255"):
        encode(np.zeros((2, 2), np.float32))
    for shape in [(4,), (2, 2, 1), (2, 2, 4), (1, 2, 2, 3), (0, 2), (2, 0, 3)]:
        with pytest.raises(ValueError, match=r"picture: must be \(height, width, 3\).*got \("):
            encode(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("name", ["conv2d_1", "grad_cam++", "block 1", "path:1"[:4], "größe", "a..b", ".hidden", "~"])
def test_a_safe_name_stays_as_it_is(name):
    assert safe_component(name) == name


@given(anything)
def test_a_component_is_a_plain_name_everywhere(name):
    safe = safe_component(name)
    assert 1 <= len(safe.encode()) <= 100
    assert safe == os.path.basename(safe)  # noqa: PTH119
    assert safe not in {".", ".."}
    assert not set(safe) & set('/\\<>:"|?*')
    assert min(map(ord, safe)) >= 32
    assert not safe.endswith((".", " "))
    assert safe.split(".")[0].strip().lower() not in {"con", "nul", "prn", "aux", "com1", "com²"}


@given(st.sets(anything, max_size=8))
def test_names_that_differ_never_share_a_file(names):
    names |= {safe_component(name) for name in names}
    assert len({safe_component(name) for name in names}) == len(names)


@given(st.text("a/\\.:", max_size=6), st.text("a/\\.:", max_size=6))
def test_altered_names_differ_also_where_they_look_alike(one, other):
    assert (safe_component(one) == safe_component(other)) == (one == other)


@given(run=anything, tag=anything, step=st.integers(-1, 10**7))
def test_a_picture_never_leaves_save_dir(run, tag, step):
    path = picture_path("/save/here", run, tag, step)
    assert Path(os.path.normpath(path)).is_relative_to("/save/here")
    assert len(path.parts) == 3 + len(run.split("/")) + len(tag.split("/")) + 1


def test_the_path_is_the_documented_one():
    assert picture_path("out", "views/validation", "grad_cam/conv5", 7) == Path(
        "out/views/validation/grad_cam/conv5/000007.png"
    )
    assert picture_path("out", "views/model", "filters/conv1", -1).name == "-00001.png"


def test_the_path_can_be_made(tmp_path):
    for tag in ["a\0b", "x" * 300, "ü" * 300, "\ud800", "a\nb/..//c", ""]:
        path = picture_path(tmp_path, "views/model", tag, 0)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
        assert path.resolve().is_relative_to(tmp_path.resolve())
