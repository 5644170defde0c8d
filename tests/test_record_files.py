"""Files that are written whole or not at all, through no link, with the permissions of any new file."""

import errno
import os
import stat
import sys
import threading
from pathlib import Path

import pytest

from kerasviz_callbacks.record.files import put, write_all

posix = pytest.mark.skipif(sys.platform == "win32", reason="links and permissions are others on Windows")


def test_a_file_is_made_and_replaced_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "a.png"
    for content in (b"first", b"", b"x" * 3_000_000):
        put(path, content)
        assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


@posix
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_permissions_are_those_of_any_new_file(tmp_path, mask):
    before = os.umask(mask)
    try:
        put(tmp_path / "ours", b"")
        (tmp_path / "other").touch()
    finally:
        os.umask(before)
    ours, other = (stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("ours", "other"))
    assert ours == other == 0o666 & ~mask


@posix
def test_a_link_at_the_destination_is_replaced(tmp_path):
    (tmp_path / "victim").write_bytes(b"precious")
    for target in ("victim", "nowhere"):
        path = tmp_path / f"link to {target}"
        path.symlink_to(tmp_path / target)
        put(path, b"new")
        assert (path.is_symlink(), path.read_bytes()) == (False, b"new")
    assert (tmp_path / "victim").read_bytes() == b"precious"
    assert not (tmp_path / "nowhere").exists()


def test_the_temporary_name_is_another_each_time(tmp_path, monkeypatch):
    names, opened = [], Path.open
    monkeypatch.setattr(
        Path, "open", lambda path, mode, **given: names.append((path, mode)) or opened(path, mode, **given)
    )
    for _ in range(20):
        put(tmp_path / "a.png", b"x")
    assert len({path for path, _ in names}) == 20
    assert {mode for _, mode in names} == {"xb"}, "an existing file is never written to, nor a link followed"


def test_a_failed_write_leaves_what_was_there(tmp_path, monkeypatch):
    put(tmp_path / "a.png", b"before")

    def full(descriptor, parts):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "writev" if hasattr(os, "writev") else "write", full)
    with pytest.raises(OSError, match="No space left"):
        put(tmp_path / "a.png", b"after")
    assert (tmp_path / "a.png").read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("system", ["takes 7 bytes at a time", "has no writev", "takes all"])
@pytest.mark.parametrize("sizes", [[], [0], [1, 0, 100, 5], [3] * 1200])
def test_all_parts_are_written_in_order_however_the_system_takes_them(tmp_path, monkeypatch, system, sizes):
    if system == "has no writev":
        monkeypatch.delattr(os, "writev", raising=False)
    elif system == "takes 7 bytes at a time":
        monkeypatch.setattr(
            os, "writev", lambda descriptor, parts: os.write(descriptor, b"".join(parts)[:7]), raising=False
        )
    parts = [bytes([number % 256]) * size for number, size in enumerate(sizes)]
    with (tmp_path / "file").open("wb", buffering=0) as file:
        write_all(file.fileno(), parts)
    assert (tmp_path / "file").read_bytes() == b"".join(parts)


def test_a_reader_never_meets_half_a_file(tmp_path):
    path, sizes, done = tmp_path / "a.png", set(), threading.Event()
    put(path, b"x" * 1_000_000)

    def read():
        while not done.is_set():
            sizes.add(len(path.read_bytes()))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(60):
        put(path, b"x" * (1_000_000 + number % 2))
    done.set()
    reader.join(20)
    assert sizes <= {1_000_000, 1_000_001}
    assert sizes
