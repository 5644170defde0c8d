"""An unwritable directory is told of before training, by the argument's name."""

import errno
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from kerasviz_callbacks.record.directories import absolute, check_writable


@pytest.mark.parametrize("kind", [str, Path])
def test_a_writable_directory_is_made_and_left_empty(tmp_path, kind):
    directory = tmp_path / "deep" / "logs"
    assert check_writable(kind(directory), "log_dir") == directory
    assert check_writable(kind(directory), "log_dir") == directory
    assert list(directory.iterdir()) == []


def test_a_file_is_no_directory(tmp_path):
    path = tmp_path / "logs"
    path.touch()
    with pytest.raises(NotADirectoryError, match=r'save_dir=".*logs": cannot be written: is a file; pass a dir'):
        check_writable(path, "save_dir")
    with pytest.raises(NotADirectoryError, match=r'log_dir=".*below": cannot be written: Not a directory; pass'):
        check_writable(path / "below", "log_dir")


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs /proc, where even root makes no files")  # noqa: PTH112
@pytest.mark.parametrize("path", ["/proc/kerasviz", "/proc/self"])
def test_a_directory_that_takes_no_files_is_an_oserror(path):
    with pytest.raises(OSError, match=rf'log_dir="{path}": cannot be written: .+; pass a directory') as caught:
        check_writable(path, "log_dir")
    assert caught.value.errno is not None


def test_the_kind_of_error_is_the_systems(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(PermissionError, match=r'log_dir=".*": cannot be written: Permission denied; pass'):
        check_writable(tmp_path / "logs", "log_dir")


@pytest.mark.parametrize("kind", [str, Path])
@pytest.mark.parametrize(
    "address", ["gs://bucket/logs", "s3://bucket", "hdfs://host/x", "https://x.org/y", "a+b-c.d://x"]
)
def test_remote_addresses_are_refused_with_a_remedy_as_text_and_as_paths(address, kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"log_dir='.*:/.*': remote .*; log to a local directory and copy it"):
        check_writable(kind(address), "log_dir")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="a colon is a drive there")
@pytest.mark.parametrize("name", ["c:/logs", "run:1", "./s3:/x", "a b://c", "2023:/x"])
def test_other_colons_are_local(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert check_writable(name, "log_dir") == tmp_path / name


def test_the_directory_is_absolute_and_a_tilde_the_home(tmp_path, monkeypatch):
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    assert check_writable("logs", "log_dir") == absolute("logs") == tmp_path / "logs"
    assert check_writable("~/logs", "log_dir") == absolute(Path("~/logs")) == tmp_path / "home/logs"
    assert (tmp_path / "home/logs").is_dir()
    assert not (tmp_path / "~").exists()
    assert absolute("a~b") == tmp_path / "a~b"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows looks for no users")
def test_the_home_of_an_unknown_user_is_refused():
    with pytest.raises(ValueError, match=r"log_dir='~nobody-of-this-name/x': .*home.*; write the path in full"):
        check_writable("~nobody-of-this-name/x", "log_dir")


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right on Windows")
@pytest.mark.parametrize("below", ["", "deeper/still"])
def test_a_link_that_leads_nowhere_is_named(tmp_path, below):
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    words = (
        r'save_dir=".*": cannot be written: ".*/link" is a symbolic link to ".*/nowhere", which does not exist; pass'
    )
    with pytest.raises(FileNotFoundError, match=words):
        check_writable(tmp_path / "link" / below, "save_dir")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right on Windows")
def test_a_link_to_a_directory_is_a_directory(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    assert check_writable(tmp_path / "link" / "logs", "log_dir") == tmp_path / "link" / "logs"
    assert (tmp_path / "there/logs").is_dir()


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="needs to become another user, as root can")
@pytest.mark.parametrize("below", ["", "logs", "file"])
def test_what_belongs_to_another_user_is_named(below):
    directory = Path(tempfile.mkdtemp())  # pytest's own are closed to other users
    (directory / "file").touch()
    directory.chmod(0o755)
    os.seteuid(65534)
    try:
        with pytest.raises(
            OSError, match=r'log_dir=".*": cannot be written: (Permission denied|is a file); pass a dir'
        ):
            check_writable(directory / below, "log_dir")
    finally:
        os.seteuid(0)
    assert [path.name for path in directory.iterdir()] == ["file"]
    shutil.rmtree(directory)


@pytest.mark.parametrize("name", ["", "a\0b"])
def test_a_name_that_names_nothing_is_refused(name):
    with pytest.raises(ValueError, match=r"log_dir='.*': must name a directory"):
        check_writable(name, "log_dir")


@pytest.mark.parametrize("value", [None, 3, b"logs", ["logs"]])
def test_other_types_are_refused(value):
    with pytest.raises(TypeError, match=r"log_dir=.*: must be a str or a path, got (NoneType|int|bytes|list)"):
        check_writable(value, "log_dir")
