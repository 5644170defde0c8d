"""PNG bytes, decoded by Pillow, and paths that stay where they belong."""

import io
import os
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from kerasviz_callbacks.record import png
from kerasviz_callbacks.record.animation import animation
from kerasviz_callbacks.record.png import decode, encode, picture_path, safe_component, size_of

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
    png = encode(picture)
    Image.open(io.BytesIO(png)).verify()  # every chunk's checksum
    decoded = np.asarray(Image.open(io.BytesIO(png)))
    assert decoded.shape == picture.shape
    assert (decoded == picture).all()


@pytest.mark.parametrize("shape", [(300, 40_000), (300, 12_000, 3), (3000, 1, 3), (1, 3000)])
def test_rows_longer_than_the_window_of_deflate_are_kept_too(shape):
    picture = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    picture[len(picture) // 2 :] = 255
    assert (np.asarray(Image.open(io.BytesIO(encode(picture)))) == picture).all()


def test_a_drawing_stays_small():
    rows, columns = np.mgrid[:400, :400] // 50
    drawing = np.stack([rows, columns, rows + columns], -1).astype(np.uint8) * 16
    assert len(encode(drawing)) < drawing.size / 100


def test_a_view_into_a_larger_array_is_encoded_as_seen():
    picture = np.arange(5 * 8 * 3, dtype=np.uint8).reshape(5, 8, 3)[::-2, 1::3, ::-1]
    assert (np.asarray(Image.open(io.BytesIO(encode(picture)))) == picture).all()


def test_other_types_and_shapes_are_refused():
    with pytest.raises(TypeError, match=r"picture: must be uint8, got float32; scale to 0\.\.255"):
        encode(np.zeros((2, 2), np.float32))
    for shape in [(4,), (2, 2, 1), (2, 2, 4), (1, 2, 2, 3), (0, 2), (2, 0, 3)]:
        with pytest.raises(ValueError, match=r"picture: must be \(height, width, 3\).*got \("):
            encode(np.zeros(shape, np.uint8))


@given(hnp.arrays(np.uint8, shapes))
def test_decode_and_size_are_of_the_same_picture(picture):
    png = encode(picture)
    np.testing.assert_array_equal(decode(png), picture)
    assert size_of(png) == picture.shape[:2]


def test_decode_gives_colours_of_any_png():
    picture = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    file = io.BytesIO()
    Image.fromarray(picture).convert("P", palette=Image.Palette.ADAPTIVE).save(file, format="PNG")
    assert decode(file.getvalue()).shape == (4, 5, 3)


@pytest.mark.parametrize("wrong", [b"", b"GIF89a" + bytes(30), encode(np.zeros((1, 1), np.uint8))[:20]])
def test_what_is_no_png_file_has_no_size(wrong):
    with pytest.raises(ValueError, match="png: must be a PNG file, got b"):
        size_of(wrong)


@given(shape=shapes, count=st.integers(2, 5), data=st.data())
def test_an_animation_plays_every_frame_untouched_for_its_time(shape, count, data):
    frames = [data.draw(hnp.arrays(np.uint8, shape)) for _ in range(count)]
    for number, frame in enumerate(frames):
        frame.flat[0] = number  # equal ones would be joined
    times = data.draw(st.lists(st.integers(1, 65535), min_size=count, max_size=count))
    film = animation([encode(frame) for frame in frames], times)
    np.testing.assert_array_equal(decode(film), frames[0])
    assert size_of(film) == shape[:2]
    with Image.open(io.BytesIO(film)) as picture:
        assert picture.n_frames == count
        assert picture.info["loop"] == 0
        for number, (frame, time) in enumerate(zip(frames, times, strict=True)):
            picture.seek(number)
            np.testing.assert_array_equal(
                np.asarray(picture.convert("RGB")), np.asarray(Image.fromarray(frame).convert("RGB"))
            )
            assert picture.info["duration"] == pytest.approx(time)  # Pillow divides


def test_an_animation_of_one_frame_is_that_picture():
    frame = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    np.testing.assert_array_equal(decode(animation([encode(frame)], [100])), frame)


def test_equal_frames_in_a_row_are_one_that_lasts_as_long_as_a_frame_can():
    one, other = (encode(np.full((2, 2, 3), value, np.uint8)) for value in (1, 2))
    film = animation([one, one, other, one, one, one], [100, 200, 300, 40_000, 25_535, 7])
    Image.open(io.BytesIO(film)).verify()
    with Image.open(io.BytesIO(film)) as picture:
        lasting = []
        for number in range(picture.n_frames):
            picture.seek(number)
            lasting.append((np.asarray(picture.convert("RGB")).flat[0], round(picture.info["duration"])))
    assert lasting == [(1, 300), (2, 300), (1, 65_535), (1, 7)]


def test_frames_that_make_no_animation_are_refused():
    one, wide = encode(np.zeros((2, 3, 3), np.uint8)), encode(np.zeros((2, 4, 3), np.uint8))
    grey = encode(np.zeros((2, 3), np.uint8))
    for other, said in ((wide, r"\(4, 2\) RGB"), (grey, r"\(3, 2\) L")):
        with pytest.raises(ValueError, match=rf"frame 1 is {said}, the first \(3, 2\) RGB"):
            animation([one, other], [100, 100])
    with pytest.raises(OSError, match="cannot identify"):
        animation([one, b"GIF89a"], [100, 100])
    with pytest.raises(ValueError, match="at least one, with a duration each; got 0 and 0"):
        animation([], [])
    with pytest.raises(ValueError, match="at least one, with a duration each; got 1 and 2"):
        animation([one], [100, 100])
    for wrong in (0, 65536):
        with pytest.raises(ValueError, match=f"1 to 65535 milliseconds, got .100, {wrong}"):
            animation([one, one], [100, wrong])


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


@pytest.mark.parametrize("package", [True, False], ids=["ISA-L", "zlib"])
def test_the_pixels_are_the_same_whoever_compresses_them(package, monkeypatch):
    if package:
        pytest.importorskip("isal")
    else:
        monkeypatch.setitem(sys.modules, "isal", None)
    png._deflate.cache_clear()
    try:
        assert (png._deflate() is zlib.compress) == (not package)
        picture = np.random.default_rng(0).integers(0, 256, (90, 70, 3), np.uint8).repeat(3, axis=0)
        np.testing.assert_array_equal(decode(encode(picture)), picture)
    finally:
        png._deflate.cache_clear()
