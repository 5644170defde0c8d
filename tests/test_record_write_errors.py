"""What could not be written is counted, and each cause named once."""

import errno
import os

import pytest

from kerasviz_callbacks.record.write_errors import WriteErrors


def test_errors_are_all_counted_and_each_cause_is_kept_once():
    errors = WriteErrors()
    for number in (errno.ENOSPC, errno.ENOSPC, errno.EROFS, errno.ENOSPC):
        with errors.collect():
            raise OSError(number, os.strerror(number))
    with errors.collect():
        pass
    assert (errors.count, errors.told) == (4, 0)
    assert [one.errno for one in errors.causes] == [errno.ENOSPC, errno.EROFS]


def test_other_errors_are_not_caught():
    errors = WriteErrors()
    with pytest.raises(ValueError, match="not of the system"), errors.collect():
        raise ValueError("not of the system")
    assert errors.count == 0
