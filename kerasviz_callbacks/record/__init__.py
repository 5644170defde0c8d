"""Where images, scalars, points and text go: event files, PNG files, memory; and the worker that writes them.

In the order of the flow:

* `StepQueue`, `Admission`: the work of one step after the other, and what of it is done (`step_queue.py`).
* `Worker`: jobs run in order, off the training thread (`worker.py`).
* `Sink`: what every destination can do (`sink.py`).
* `EventFileSink`: TensorBoard event files, one a run (`event_files.py`).
* `PNGFileSink`: PNG files in directories (`png_files.py`).
* `MemorySink`: keeps everything, for notebooks and tests (`memory.py`).
* `WriteErrors`: what could not be written (`write_errors.py`).
* `check_writable`, `absolute`: directories checked before training, and resolved (`directories.py`).
* `claim_group`, `RunLock`: which group of runs a sink writes to, and that no other does (`run_lock.py`).
* `last_step`: which steps a run already holds (`steps.py`).
* `EventFile`: one event file, without TensorFlow (`events.py`), made of messages (`messages.py`) in framed
  records (`tfrecord.py`).
* `Points`, `Projector`: the files of TensorBoard's projector (`projector.py`).
* `encode`, `decode`, `size_of`, `picture_path`, `safe_component`: PNG bytes and their paths (`png.py`).
* `animation`: several PNG files as one animated PNG (`animation.py`).

Nothing here knows Keras, a framework, or a view. TensorBoard's protobufs, Pillow, the checksum and the locks load on
first use.
"""

from .animation import animation
from .directories import absolute, check_writable
from .event_files import EventFileSink
from .events import EventFile
from .memory import MemorySink
from .png import decode, encode, picture_path, safe_component, size_of
from .png_files import PNGFileSink
from .projector import Points, Projector
from .run_lock import RunLock, claim_group
from .sink import Sink, is_loggable
from .step_queue import Admission, StepQueue
from .steps import last_step
from .worker import Worker
from .write_errors import WriteErrors

__all__ = [
    "Admission",
    "EventFile",
    "EventFileSink",
    "MemorySink",
    "PNGFileSink",
    "Points",
    "Projector",
    "RunLock",
    "Sink",
    "StepQueue",
    "Worker",
    "WriteErrors",
    "absolute",
    "animation",
    "check_writable",
    "claim_group",
    "decode",
    "encode",
    "is_loggable",
    "last_step",
    "picture_path",
    "safe_component",
    "size_of",
]
