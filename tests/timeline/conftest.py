"""What the tests of the timeline share: a log, and a browser."""

import pytest
from browser import chromium, needs_chromium
from logs import write_training


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """A log directory with the two runs of a training."""
    directory = tmp_path_factory.mktemp("log")
    write_training(directory)
    return directory


@pytest.fixture(scope="module")
def browser():
    """A browser; where there is none, the test is skipped."""
    needs_chromium()
    with chromium() as opened:
        yield opened
