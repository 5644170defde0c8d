"""The house stays in order: imports go one way, frameworks stay at their edge, and importing it costs nothing."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import kerasviz_callbacks as kv

HOUSE = Path(kv.__file__).parent
ROOMS = [
    "probe",
    "_autodiff",
    "maths",
    "taps",
    "explain",
    "draw",
    "record",
    "fit_context",
    "callback",
    "views",
    "visualizer",
]
ALONE = ("draw", "maths", "record")
FRAMEWORKS = {"tensorflow", "jax", "torch"}
FILES = sorted(HOUSE.rglob("*.py"))


def parts(path: Path) -> tuple[str, ...]:
    """`("views", "grad_cam")`; of a room's own `__init__` `("views",)`."""
    inside = path.relative_to(HOUSE).with_suffix("").parts
    return inside[:-1] if inside[-1] == "__init__" else inside


def imports(path: Path) -> list[str]:
    """Every module that a file imports anywhere in it, in full."""
    package = ["kerasviz_callbacks", *path.relative_to(HOUSE).parts[:-1]]
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found += [module, *(f"{module}.{alias.name}" for alias in node.names)]
    return found


def rooms_used(path: Path) -> set[str]:
    """Which rooms of the house a file imports, its own left out."""
    ours = [name.split(".")[1:] for name in imports(path) if name.split(".")[0] == "kerasviz_callbacks"]
    return {inside[0] for inside in ours if inside and inside[0] in ROOMS} - set(parts(path)[:1])


def ids(path: Path) -> str:
    return "/".join(path.relative_to(HOUSE).parts)


@pytest.mark.parametrize("path", [path for path in FILES if parts(path)], ids=ids)
def test_a_room_imports_only_rooms_before_it_and_the_lonely_ones_none(path):
    room = parts(path)[0]
    before = set() if room in ALONE else set(ROOMS[: ROOMS.index(room)])
    assert rooms_used(path) <= before


def test_the_docstring_of_the_package_lists_the_rooms_in_this_order():
    listed = [line.split()[0] for line in kv.__doc__.splitlines() if line.startswith("    ") and line.split()]
    assert [name for name in listed if name in ROOMS] == ROOMS
    assert {parts(path)[0] for path in FILES if parts(path)} == set(ROOMS)


@pytest.mark.parametrize("path", sorted((HOUSE / "views").glob("*.py")), ids=ids)
def test_views_never_import_each_other(path):
    siblings = {other.stem for other in (HOUSE / "views").glob("*.py")} - {"__init__"}
    used = {name.split(".")[2] for name in imports(path) if name.startswith("kerasviz_callbacks.views.")}
    assert not used & siblings


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_only_autodiff_imports_a_framework_and_nobody_pyplot(path):
    roots = {name.split(".")[0] for name in imports(path)}
    allowed = {path.stem.split("_")[0]} if parts(path)[:1] == ("_autodiff",) else set()
    assert not (roots & FRAMEWORKS) - allowed
    assert not [name for name in imports(path) if "pyplot" in name]
    assert "pyplot" not in path.read_text()


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
