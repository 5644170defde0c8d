"""Run the benchmarks and print their tables."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

README = Path(__file__).with_name("README.md")
TABLES = {
    "floor": 15,
    "fits": 5,
    "others": 15,
    "growth": 9,
    "writing": 15,
    "overfitting": 3,
    "unbalanced": 3,
    "start": 3,
    "autoencoder": 5,
    "batches": 15,
    "disk": 3,
    "timeline": 9,
    "data_map": 9,
    "doubtful": 5,
}  # and their rounds


def main() -> None:
    """Run the tables named on the command line, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("tables", nargs="*", metavar="table", help=f"some of {', '.join(TABLES)}; all by default")
    parser.add_argument("--rounds", type=int, help="rounds of each table, instead of its default")
    parser.add_argument("--write", action="store_true", help="update these tables in benchmarks/README.md")
    given = parser.parse_args()
    unknown = [name for name in given.tables if name not in TABLES]
    if unknown:
        parser.error(f"{unknown[0]}: no such table; expected some of {', '.join(TABLES)}")

    from .table import machine

    print(machine(), flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        tempfile.tempdir = scratch  # all logs are written there
        _run(given)


def _run(given: argparse.Namespace) -> None:
    from .table import machine

    for name in given.tables or TABLES:
        module = __import__(f"{__package__}.{name}", fromlist=["table"])
        text = module.table(given.rounds or TABLES[name])
        print(f"\n{text}", flush=True)
        if given.write:
            README.write_text(renewed(README.read_text(), name, f"*{machine()}*\n\n{text}"))


def renewed(page: str, name: str, text: str) -> str:
    """Return the page with the table between its two comments replaced."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, _, rest = page.partition(begin)
    return f"{before}{begin}\n{text}{end}{rest.partition(end)[2]}"


if __name__ == "__main__":
    sys.exit(main())
