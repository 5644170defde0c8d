"""Imports go one way, frameworks stay in `_autodiff`, private names stay private, and importing is quick."""

import ast
import inspect
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from harness import check_each

import kerasviz_callbacks as kv

PACKAGE = Path(kv.__file__).parent
SUBPACKAGES = [
    "_typing",
    "_arguments",
    "probe",
    "_autodiff",
    "_keras",
    "maths",
    "taps",
    "explain",
    "draw",
    "record",
    "fit_context",
    "callback",
    "views",
    "visualizer",
    "export",
    "__main__",
]
PURE = ("draw", "maths", "record")  # import nothing of the package, except checks of arguments
SHARED = {"_typing", "_arguments"}  # imported by anyone
KERAS = {"_keras"}  # imported by anyone who knows Keras or is handed its objects
PRIVATE_ALLOWED = ("_keras", "_autodiff")  # where private names of Keras and of frameworks may stand
FRAMEWORKS = {"tensorflow", "jax", "torch"}
FILES = sorted(PACKAGE.rglob("*.py"))


def parts(path: Path, root: Path = PACKAGE) -> tuple[str, ...]:
    """`("views", "grad_cam")`; of a subpackage's own `__init__` `("views",)`."""
    inside = path.relative_to(root).with_suffix("").parts
    return inside[:-1] if inside[-1] == "__init__" else inside


@cache
def nodes(path: Path) -> list[ast.AST]:
    """All nodes of a file's syntax tree."""
    return list(ast.walk(ast.parse(path.read_text())))


@cache
def module_names(root: Path) -> set[str]:
    """The last names of the modules and subpackages of a package."""
    return {inside[-1] for path in root.rglob("*.py") if (inside := parts(path, root))}


@cache
def imports(path: Path, root: Path = PACKAGE) -> list[str]:
    """Every module that a file imports anywhere in it, and every name imported from one, in full."""
    package = [root.name, *path.relative_to(root).parts[:-1]]
    found = []
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found += [f"{module}.{alias.name}" for alias in node.names]
    return found


def subpackages_used(path: Path) -> set[str]:
    """Which subpackages a file imports, its own left out."""
    ours = [name.split(".")[1:] for name in imports(path) if name.split(".")[0] == PACKAGE.name]
    return {inside[0] for inside in ours if inside and inside[0] in SUBPACKAGES} - set(parts(path)[:1])


def import_graph(root: Path) -> dict[str, set[str]]:
    """The modules of a package by dotted name (`""` the package itself), and which of them each imports.

    Imports within functions and under `TYPE_CHECKING` count. Importing `a.b` imports `a` too, except from within `a`.
    """
    modules = {".".join(parts(path, root)): path for path in root.rglob("*.py")}
    graph = {}
    for module, path in modules.items():
        inside = module if path.name == "__init__.py" else module.rpartition(".")[0]
        found = set()
        for name in imports(path, root):
            if name.split(".")[0] != root.name:
                continue
            target = name.partition(".")[2]
            while target not in modules:
                target = target.rpartition(".")[0]  # a name in a module
            found.add(target)
            above = target.rpartition(".")[0]
            while above and not f"{inside}.".startswith(f"{above}."):
                found.add(above)
                above = above.rpartition(".")[0]
        graph[module] = found - {module}
    return graph


def cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    """The groups of modules that import each other, directly or through others."""
    reached = {}
    for module in graph:
        seen, waiting = set(), list(graph[module])
        while waiting:
            if (other := waiting.pop()) not in seen:
                seen.add(other)
                waiting += graph[other]
        reached[module] = seen
    groups = {frozenset(o for o in reached[m] if m in reached[o]) for m in graph if m in reached[m]}
    return sorted(sorted(group) for group in groups)


def private_accesses(path: Path, root: Path) -> list[str]:
    """Where a file touches an underscore name of another module or object, as `line: code`.

    Free are the object itself (`self`, `cls`, `super()`), dunder names, the documented methods of named tuples, and
    modules of the package itself.
    """
    free = {"_replace", "_asdict", "_fields", "_make"} | module_names(root)
    return sorted(
        f"{node.lineno}: {ast.unparse(node)}"
        for node in nodes(path)
        for name in private_names(node)
        if name.startswith("_") and not name.startswith("__") and name not in free
    )


def private_names(node: ast.AST) -> Iterator[str]:
    """The names that a node of the syntax tree looks up on something else than the object itself."""
    if isinstance(node, ast.Attribute) and not is_own(node.value):
        yield node.attr
    elif isinstance(node, ast.ImportFrom):
        yield from [*(node.module or "").split("."), *(alias.name for alias in node.names)]
    elif isinstance(node, ast.Import):
        yield from [part for alias in node.names for part in alias.name.split(".")]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) > 1:
        by_name = node.func.id in ("getattr", "hasattr", "setattr", "delattr") and not is_own(node.args[0])
        if by_name and isinstance(node.args[1], ast.Constant):
            yield str(node.args[1].value)
    elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        held = node.value
        of = held.args[:1] if isinstance(held, ast.Call) and ast.unparse(held.func) == "vars" else []
        of = [held.value] if isinstance(held, ast.Attribute) and held.attr == "__dict__" else of
        if of and not is_own(of[0]):
            yield str(node.slice.value)


def is_own(value: ast.expr) -> bool:
    """Whether it is the object whose method is being written."""
    if isinstance(value, ast.Call):
        return isinstance(value.func, ast.Name) and value.func.id == "super"
    return isinstance(value, ast.Name) and value.id in ("self", "cls")


def ids(path: Path) -> str:
    return "/".join(path.relative_to(PACKAGE).parts)


def test_a_subpackage_imports_only_those_before_it_and_the_pure_ones_none():
    def check(path):
        own = parts(path)[0]
        before = set() if own in PURE else {*SUBPACKAGES[: SUBPACKAGES.index(own)], *KERAS}
        assert subpackages_used(path) <= before | SHARED

    check_each([path for path in FILES if parts(path)], check)


def test_shared_modules_import_nothing_of_the_package():
    for name in SHARED | KERAS:
        assert not import_graph(PACKAGE)[name]


def test_the_docstring_of_the_package_lists_the_subpackages_in_this_order():
    listed = [line.split()[0] for line in kv.__doc__.splitlines() if line.startswith("    ") and line.split()]
    assert [name for name in listed if name in SUBPACKAGES] == SUBPACKAGES
    assert {parts(path)[0] for path in FILES if parts(path)} == set(SUBPACKAGES)


def test_no_modules_of_the_package_import_each_other():
    assert cycles(import_graph(PACKAGE)) == []


def test_no_module_touches_a_private_name_of_another():
    def check(path):
        assert private_accesses(path, PACKAGE) == []

    check_each([path for path in FILES if parts(path)[:1] not in [(name,) for name in PRIVATE_ALLOWED]], check)


def planted(folder: Path, files: dict[str, str]) -> Path:
    """A package in a folder: the modules `a.x` and `b.y`, and the text given for some of its files."""
    root = folder / "package"
    empty = dict.fromkeys(["__init__.py", "_private.py", "a/__init__.py", "a/x.py", "b/__init__.py", "b/y.py"], "")
    for name, text in (empty | files).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


IN_A_FUNCTION = "def late():\n    from ..a import x\n"
FOR_TYPES = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ..a.x import One\n"
CYCLES = {
    "between modules": ({"a/x.py": "from ..b import y", "b/y.py": "from ..a.x import one"}, [["a.x", "b.y"]]),
    "by full names": ({"a/x.py": "import package.b.y", "b/y.py": "import package.a.x"}, [["a.x", "b.y"]]),
    "closed in a function": ({"a/x.py": "from ..b import y", "b/y.py": IN_A_FUNCTION}, [["a.x", "b.y"]]),
    "closed for types": ({"a/x.py": "from ..b.y import two", "b/y.py": FOR_TYPES}, [["a.x", "b.y"]]),
    "within a subpackage": ({"a/__init__.py": "from .x import one", "a/x.py": "from . import two"}, [["a", "a.x"]]),
    "through a subpackage": ({"a/__init__.py": "from ..b import y", "b/y.py": "from ..a.x import one"}, [["a", "b.y"]]),
    "with the package": ({"__init__.py": "from .a.x import one", "a/x.py": "from .. import two"}, [["", "a.x"]]),
    "of three": (
        {"a/x.py": "from ..b import y", "b/y.py": "from ..b import z", "b/z.py": "from ..a import x"},
        [["a.x", "b.y", "b.z"]],
    ),
    "none": ({"a/__init__.py": "from .x import one", "a/x.py": "from ..b import y", "b/y.py": "import os"}, []),
}


@pytest.mark.parametrize("case", CYCLES)
def test_a_planted_cycle_is_found(case, tmp_path):
    files, expected = CYCLES[case]
    assert cycles(import_graph(planted(tmp_path, files))) == expected


PRIVATE = [
    "value = other._name",
    "value = self.other._name",
    "value = self._mine._name",
    "other._name = 1",
    "del other._name",
    "other.method()._name()",
    "value = Other._name",
    "value = type(self)._name",
    "value = getattr(other, '_name', None)",
    "setattr(other, '_name', 1)",
    "value = hasattr(other, '_name')",
    "value = vars(other)['_name']",
    "other.__dict__['_name'] = 1",
    "from ..b.y import _name",
    "from ..b._name import value",
    "import numpy._core",
]
OWN = [
    "value = self._name",
    "self._name = 1",
    "value = cls._name",
    "value = super()._name()",
    "value = self.__dict__",
    "value = other.__name__",
    "value = pair._replace(first=1)",
    "value = getattr(self, '_name')",
    "value = vars(self)['_name']",
    "value = other['_name']",
    "value = _name",
    "from __future__ import annotations",
    "from .. import _private",
    "from .._private import value",
    "value = _private.value",
]


@pytest.mark.parametrize("line", PRIVATE)
def test_a_planted_access_to_a_private_name_is_found(line, tmp_path):
    root = planted(tmp_path, {"a/x.py": f"first = 1\n{line}"})
    found = private_accesses(root / "a/x.py", root)
    assert found
    assert all(one.startswith("2: ") for one in found)


@pytest.mark.parametrize("line", OWN)
def test_what_is_ones_own_or_documented_is_no_private_access(line, tmp_path):
    root = planted(tmp_path, {"a/x.py": line})
    assert private_accesses(root / "a/x.py", root) == []


@pytest.mark.parametrize("path", sorted((PACKAGE / "views").glob("*.py")), ids=ids)
def test_views_never_import_each_other(path):
    siblings = {other.stem for other in (PACKAGE / "views").glob("*.py")} - {"__init__"}
    used = {name.split(".")[2] for name in imports(path) if name.startswith("kerasviz_callbacks.views.")}
    assert not used & siblings


def test_only_autodiff_imports_a_framework_and_nobody_pyplot():
    def check(path):
        roots = {name.split(".")[0] for name in imports(path)}
        allowed = {path.stem.split("_")[0]} if parts(path)[:1] == ("_autodiff",) else set()
        assert not (roots & FRAMEWORKS) - allowed
        assert not [name for name in imports(path) if "pyplot" in name]
        assert "pyplot" not in path.read_text()

    check_each(FILES, check)


@pytest.mark.parametrize("name", kv.__all__)
def test_every_public_name_is_there_and_says_what_it_is(name):
    public = getattr(kv, name)
    assert public.__name__ == name
    assert public.__doc__
    assert len(inspect.getdoc(public)) > 80
    for attribute, value in vars(public).items() if inspect.isclass(public) else ():
        if inspect.isfunction(value) and not attribute.startswith("_"):
            assert value.__doc__, f"{name}.{attribute}"


def test_a_name_that_is_not_there_is_an_attribute_error_and_dir_lists_those_that_are():
    with pytest.raises(AttributeError, match="no attribute 'GradCamera'"):
        _ = kv.GradCamera
    assert set(kv.__all__) <= set(dir(kv))


def test_importing_the_package_loads_neither_keras_nor_a_framework_nor_what_draws():
    heavy = ["keras", "tensorflow", "jax", "torch", "matplotlib", "tensorboard", "PIL", "numpy"]
    code = f"import sys, kerasviz_callbacks; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
