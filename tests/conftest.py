"""Settings of every test session: no oneDNN, and how long hypothesis searches."""

import os

# On some processors oneDNN's fused kernels turn NaN into 0, and what the tests say of NaN must hold on every machine.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

from collections import Counter, defaultdict
from pathlib import Path

from hypothesis import settings

# `quick` is the default; CI also runs `-m "slow or hypothesis" --hypothesis-profile=thorough`. A test that sets
# `max_examples` itself would escape both, so none does. No deadline: a busy machine is no failure.
settings.register_profile("quick", max_examples=20, deadline=None)
settings.register_profile("thorough", max_examples=150, deadline=None)
settings.load_profile("quick")

FAULTS = """# What was done to trainings, and what held

Each fault is injected for real, by the test named beside it (in `tests/`). This page is made by

```bash
.venv/bin/python -m pytest -m fault --fault-table=docs/faults.md
```

| what is done | what holds | test | cases |
| --- | --- | --- | --- |"""


def pytest_addoption(parser):
    """A table of the faults that are injected."""
    parser.addoption("--fault-table", type=Path, help="write what was done to trainings, and what held, as Markdown")


def pytest_collection_modifyitems(items):
    """What a test says of its fault travels with its report, from a worker too."""
    for item in items:
        for marker in item.iter_markers("fault"):
            item.user_properties.append(("fault", marker.args))


def pytest_terminal_summary(terminalreporter, config):
    """Write the table."""
    table = config.getoption("--fault-table")
    if table is None or hasattr(config, "workerinput"):
        return
    found = defaultdict(Counter)
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.stats.get(outcome, ()):
            for name, fault in getattr(report, "user_properties", ()):
                if name == "fault":
                    found[(*fault, report.nodeid.partition("[")[0])][outcome] += 1
    rows = [
        f"| {done} | {holds} | `{test.removeprefix('tests/')}` | {', '.join(f'{n} {o}' for o, n in outcomes.items())} |"
        for (done, holds, test), outcomes in sorted(found.items())
    ]
    table.write_text("\n".join([FAULTS, *rows]) + "\n")
