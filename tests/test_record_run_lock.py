"""Runs that one sink at a time writes to, in this process and in others."""

import copy
import gc
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import filelock
import pytest

from kerasviz_callbacks.record.event_files import EventFileSink
from kerasviz_callbacks.record.png_files import PNGFileSink
from kerasviz_callbacks.record.run_lock import LOCK_FILE, PNG_LOCK_FILE, RunLock, claim_group

KINDS = pytest.mark.parametrize("kind", [EventFileSink, PNGFileSink])
ASK = """
import sys
from pathlib import Path
from kerasviz_callbacks.record.run_lock import RunLock
print(RunLock(Path(sys.argv[1]), sys.argv[2]).acquire())
"""
STAY = """
import sys, time
from kerasviz_callbacks.record.event_files import EventFileSink
sink = EventFileSink(sys.argv[1])
print(sink.begin(0), flush=True)
time.sleep(60)
"""


def another_process_may_write(directory, file=LOCK_FILE) -> bool:
    done = subprocess.run([sys.executable, "-c", ASK, str(directory), file], capture_output=True, text=True, check=True)
    return done.stdout.strip() == "True"


def test_a_lock_excludes_every_other_until_it_is_released(tmp_path):
    where = tmp_path / "made" / "for it"
    lock, other = RunLock(where), RunLock(where)
    assert lock.acquire()
    assert where.is_dir()
    assert not other.acquire()
    assert not another_process_may_write(where)
    lock.release()
    lock.release()  # once too often is no error
    assert another_process_may_write(where)
    assert other.acquire()
    assert not lock.acquire()


def test_a_link_leads_to_the_same_lock(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there", target_is_directory=True)
    lock = RunLock(tmp_path / "there")
    assert lock.acquire()
    assert not RunLock(tmp_path / "link").acquire()
    lock.release()
    assert RunLock(tmp_path / "link").acquire()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_neither_holds_nor_releases_its_parents_lock(tmp_path):
    lock = RunLock(tmp_path)
    assert lock.acquire()
    child = os.fork()
    if not child:
        lock.release()
        os._exit(1 if RunLock(tmp_path).acquire() else 0)
    assert os.waitpid(child, 0)[1] == 0
    assert not another_process_may_write(tmp_path)
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.read(reading, 1)
        os._exit(0)
    lock.release()
    assert another_process_may_write(tmp_path), "though the child lives"
    os.write(writing, b".")
    os.waitpid(child, 0)
    os.close(reading)
    os.close(writing)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_killed_parent_leaves_its_lock_to_nobody(tmp_path):
    script = """
    import os, sys, time
    from pathlib import Path
    from kerasviz_callbacks.record.run_lock import RunLock
    lock = RunLock(Path(sys.argv[1]))
    assert lock.acquire()
    if os.fork():
        os._exit(0)
    print(os.getpid(), flush=True)
    time.sleep(60)
    """
    script = "\n".join(line[4:] for line in script.splitlines())
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True) as parent:
        child = int(parent.stdout.readline())
        assert parent.wait(20) == 0
        try:
            assert another_process_may_write(tmp_path)
        finally:
            os.kill(child, 9)


def test_a_copy_holds_nothing(tmp_path):
    lock = RunLock(tmp_path)
    assert lock.acquire()
    for other in (copy.deepcopy(lock), pickle.loads(pickle.dumps(lock))):
        assert other.directory == tmp_path
        other.release()
        assert not other.acquire()


@KINDS
def test_two_sinks_of_one_process_write_to_two_groups(tmp_path, kind):
    first, second = kind(tmp_path), kind(tmp_path)
    assert (first.begin(0), second.begin(0)) == ("views", "views-2")
    first.close()
    assert kind(tmp_path).begin(0) == "views"
    assert second.group == "views-2"


@KINDS
def test_a_sink_that_nobody_closed_gives_its_claim_back(tmp_path, kind):
    sink, file = kind(tmp_path), PNG_LOCK_FILE if kind is PNGFileSink else LOCK_FILE
    assert sink.begin(0) == "views"
    assert not another_process_may_write(tmp_path / "views", file)
    del sink
    gc.collect()
    assert another_process_may_write(tmp_path / "views", file)


def test_many_sinks_that_begin_at_once_get_a_group_each(tmp_path):
    sinks = [EventFileSink(tmp_path) for _ in range(8)]
    threads = [threading.Thread(target=sink.begin, args=(0,)) for sink in sinks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len({sink.group for sink in sinks} - {""}) == len(sinks)


def test_a_group_that_another_process_writes_to_is_not_free(tmp_path):
    with subprocess.Popen([sys.executable, "-c", STAY, str(tmp_path)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline().strip() == "views"
        sink = EventFileSink(tmp_path)
        assert sink.begin(0) == "views-2"
        sink.close()
        other.kill()
    assert EventFileSink(tmp_path).begin(0) == "views", "a killed process gives it back"


@pytest.mark.parametrize("refusal", [OSError(38, "Function not implemented"), PermissionError(13, "Permission denied")])
def test_where_no_lock_can_be_made_the_claim_is_granted(tmp_path, monkeypatch, refusal):
    def refuse(self, **options):
        raise refusal

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    name, lock = claim_group(tmp_path, lambda group: group.name == "views")
    assert name == "views-2"
    lock.release()


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs /proc, where even root makes no files")
def test_where_nothing_can_be_written_the_claim_is_granted():
    assert RunLock(Path("/proc/self")).acquire()
    assert RunLock(Path("/proc/kerasviz")).acquire()


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right on Windows")
@pytest.mark.parametrize("target", ["victim", "nowhere"])
def test_no_link_at_the_name_of_the_lock_file_is_followed(tmp_path, target):
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / LOCK_FILE).symlink_to(tmp_path / target)
    assert RunLock(tmp_path / "run").acquire()
    assert (tmp_path / "victim").read_text() == "precious"
    assert not (tmp_path / "nowhere").exists()


def test_the_lock_file_is_hidden_empty_and_no_event_file(tmp_path):
    sink = EventFileSink(tmp_path)
    sink.begin(0)
    (path,) = (path for path in tmp_path.rglob("*") if path.is_file())
    assert path == tmp_path / "views" / LOCK_FILE
    assert path.name.startswith(".")
    assert "tfevents" not in path.name
    assert path.read_bytes() == b""


def test_a_group_that_cannot_be_looked_at_is_given_back(tmp_path):
    def fail(group):
        raise PermissionError(13, "Permission denied")

    with pytest.raises(PermissionError):
        claim_group(tmp_path, fail)
    assert RunLock(tmp_path / "views").acquire()
