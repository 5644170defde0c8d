"""What holds for every test: the machine's own arithmetic stays out of it, and hypothesis searches briefly."""

import os

# On some processors oneDNN's fused kernels turn NaN into 0, and what the tests say of NaN must hold on every machine.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

from pathlib import Path

from hypothesis import settings

# Enough to find what is wrong, little enough to be run often; other work on the machine is no failure.
settings.register_profile("quick", max_examples=40, deadline=None)
settings.load_profile("quick")


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
    outcomes = {}
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.stats.get(outcome, ()):
            for name, fault in getattr(report, "user_properties", ()):
                if name == "fault":
                    outcomes.setdefault(tuple(fault), {}).setdefault(report.nodeid.partition("[")[0], []).append(
                        outcome
                    )
    rows = [
        f"| {done} | {holds} | `{test}` | {', '.join(sorted({f'{found.count(one)} {one}' for one in found}))} |"
        for (done, holds), tests in sorted(outcomes.items())
        for test, found in sorted(tests.items())
    ]
    table.write_text("\n".join(["| what is done | what holds | test | |", "| --- | --- | --- | --- |", *rows]) + "\n")
