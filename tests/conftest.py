"""What holds for every test: the machine's own arithmetic stays out of it, and hypothesis searches briefly."""

import os

# On some processors oneDNN's fused kernels turn NaN into 0, and what the tests say of NaN must hold on every machine.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

from hypothesis import settings

# Enough to find what is wrong, little enough to be run often; other work on the machine is no failure.
settings.register_profile("quick", max_examples=40, deadline=None)
settings.load_profile("quick")
