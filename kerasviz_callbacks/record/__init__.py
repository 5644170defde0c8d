"""Where pictures and figures go: event files, PNG files, memory; and the worker that brings them there.

In the order of the flow:

* `StepQueue`: work of one step after the other, and whether it is drawn (`hand_over.py`).
* `Worker`, `Ticket`: jobs run in order, off the training thread, within a bound of memory (`worker.py`).
* `Sink`: what every destination can do (`base.py`).
* `Log`: TensorBoard event files, one a run, and PNG files beside them (`log.py`).
* `MemorySink`: keeps everything, for tests and notebooks (`memory.py`).
* `check_writable`: says before training that a directory cannot be written (`directories.py`).
* `last_step`, `claimed_free_run`: which runs are already there (`steps.py`), or written to by others (`claims.py`).
* `WriteErrors`: what could not be written (`losses.py`).
* `EventFile`: one event file, without TensorFlow (`events.py`), made of framed records (`frames.py`).
* `Points`, `Projector`: the files of TensorBoard's projector (`projector.py`).
* `encode`, `decode`, `size_of`, `picture_path`, `safe_component`: PNG bytes and where they lie on disk (`png.py`).
* `animation`: several PNG files as one that plays (`animation.py`).

Nothing here knows Keras, a framework, or a view. TensorBoard's protobufs, Pillow and the checksum load on
first use.
"""

from kerasviz_callbacks.record.animation import animation
from kerasviz_callbacks.record.base import Sink
from kerasviz_callbacks.record.directories import check_writable
from kerasviz_callbacks.record.events import EventFile
from kerasviz_callbacks.record.log import Log
from kerasviz_callbacks.record.memory import MemorySink
from kerasviz_callbacks.record.png import decode, encode, picture_path, safe_component, size_of
from kerasviz_callbacks.record.projector import Points, Projector
from kerasviz_callbacks.record.step_queue import StepQueue
from kerasviz_callbacks.record.steps import claimed_free_run, last_step
from kerasviz_callbacks.record.worker import Ticket, Worker
from kerasviz_callbacks.record.write_errors import WriteErrors

__all__ = [
    "EventFile",
    "Log",
    "MemorySink",
    "Points",
    "Projector",
    "Sink",
    "StepQueue",
    "Ticket",
    "Worker",
    "WriteErrors",
    "animation",
    "check_writable",
    "claimed_free_run",
    "decode",
    "encode",
    "last_step",
    "picture_path",
    "safe_component",
    "size_of",
]
