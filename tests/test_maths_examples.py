"""The examples in the docstrings of `maths` run as written, and the subpackage stays pure numpy."""

import ast
import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

from kerasviz_callbacks import maths

NAMES = [module.name for module in pkgutil.iter_modules(maths.__path__)]


@pytest.mark.parametrize("name", NAMES)
def test_examples(name):
    module = importlib.import_module(f"{maths.__name__}.{name}")
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("name", NAMES)
def test_the_contents_page_names_it(name):
    assert f"\n    {name} " in (maths.__doc__ or "")


@pytest.mark.parametrize("name", NAMES)
def test_it_imports_numpy_alone_and_scipy_only_where_it_is_used(name):
    tree = ast.parse((Path(maths.__path__[0]) / f"{name}.py").read_text(encoding="utf-8"))
    imported, at_once = set(), {id(node) for node in tree.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            shared = node.level == 2 and node.module in ("_arguments", "_typing")
            assert node.level <= 1 or shared
            imported |= {node.module.split(".")[0]} if node.level == 0 else set()
            assert not (id(node) in at_once and node.module.startswith("scipy"))
    assert imported <= {"collections", "dataclasses", "math", "numpy", "scipy", "typing"}
