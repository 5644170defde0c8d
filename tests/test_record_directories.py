"""An unwritable directory is told of before training, by the argument's name."""

import errno
import os
from pathlib import Path

import pytest

from kerasviz_callbacks.record import check_writable


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


@pytest.mark.parametrize("address", ["gs://bucket/logs", "s3://bucket", "hdfs://host/x", "https://x.org/y"])
def test_remote_addresses_are_refused_with_a_remedy(address):
    with pytest.raises(ValueError, match=r"log_dir='.*://.*': remote .*; log to a local directory and copy it"):
        check_writable(address, "log_dir")


@pytest.mark.parametrize("name", ["", "a\0b"])
def test_a_name_that_names_nothing_is_refused(name):
    with pytest.raises(ValueError, match=r"log_dir='.*': must name a directory"):
        check_writable(name, "log_dir")


@pytest.mark.parametrize("value", [None, 3, b"logs", ["logs"]])
def test_other_types_are_refused(value):
    with pytest.raises(TypeError, match=r"log_dir=.*: must be a str or a path, got (NoneType|int|bytes|list)"):
        check_writable(value, "log_dir")
