"""Types that every part of the package shares."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
"""A numpy array of any shape and type."""
