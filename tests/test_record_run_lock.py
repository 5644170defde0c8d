"""Directories that one process at a time writes to, and what could not be written."""

import errno
import gc
import os
import subprocess
import sys

import pytest

from kerasviz_callbacks.record import Log, WriteErrors, claimed_free_run
from kerasviz_callbacks.record.run_lock import claim, release

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no locks on directories")
ASK = "import sys; from kerasviz_callbacks.record.run_lock import claim; print(claim(sys.argv[1]))"
STAY = """
import sys, time
from kerasviz_callbacks.record import claimed_free_run
print(claimed_free_run(sys.argv[1], 0), flush=True)
time.sleep(60)
"""


def another_may_claim(directory) -> bool:
    done = subprocess.run([sys.executable, "-c", ASK, str(directory)], capture_output=True, text=True, check=True)
    return done.stdout.strip() == "True"


def test_a_directory_is_this_process_own_until_its_last_claim_is_given_back(tmp_path):
    where = tmp_path / "made" / "for it"
    assert claim(where)
    assert where.is_dir()
    assert claim(where)
    assert not another_may_claim(where)
    release(where)
    assert not another_may_claim(where)
    release(where)
    assert another_may_claim(where)
    release(where)  # once too often is no error
    assert claim(where)
    release(where)


def test_a_way_round_leads_to_the_same_claim(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "there", target_is_directory=True)
    assert claim(tmp_path / "there")
    assert not another_may_claim(tmp_path / "link")
    release(tmp_path / "link")
    assert another_may_claim(tmp_path / "there")


def test_a_forked_child_holds_nothing_of_its_parents_claim(tmp_path):
    assert claim(tmp_path)
    child = os.fork()
    if not child:
        os._exit(1 if claim(tmp_path) else 0)
    assert os.waitpid(child, 0)[1] == 0
    release(tmp_path)


def test_a_log_that_nobody_closed_gives_its_claim_back(tmp_path):
    log = Log(tmp_path, claimed_free_run(tmp_path, 0), claimed=True)
    assert not another_may_claim(tmp_path / "views")
    del log
    gc.collect()
    assert another_may_claim(tmp_path / "views")


def test_a_run_that_another_process_writes_to_is_not_free(tmp_path):
    with subprocess.Popen([sys.executable, "-c", STAY, str(tmp_path)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline().strip() == "views"
        assert claimed_free_run(tmp_path, 0) == "views-2"
        other.kill()
    assert claimed_free_run(tmp_path, 0) == "views", "a killed process gives it back"
    for group in ("views", "views-2"):
        release(tmp_path / group)


def test_losses_are_all_counted_and_each_cause_is_named_once():
    losses = WriteErrors()
    for number in (errno.ENOSPC, errno.ENOSPC, errno.EROFS, errno.ENOSPC):
        with losses.noted():
            raise OSError(number, os.strerror(number))
    assert losses.count == 4
    assert [one.errno for one in losses.causes] == [errno.ENOSPC, errno.EROFS]
    with pytest.raises(ValueError, match="not of the system"), losses.noted():
        raise ValueError("not of the system")
    assert losses.count == 4
