"""The modules of the front end as one script, for a page that can load nothing.

Each module becomes a function that gives what it exports, so that names of two modules cannot clash. The modules keep
to `import { a, b } from "./c.js";` at their beginning, and to `export` before `const`, `function` and `class`.
"""

from __future__ import annotations

import re
from pathlib import Path

_IMPORT = re.compile(r'^import \{([^}]*)\} from "\./([\w.]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export ((?:async )?(?:const|function|class) (\w+))", re.MULTILINE)


def bundle(directory: Path, entry: str) -> str:
    """The script of a module and all that it imports."""
    done: dict[str, str] = {}
    _add(directory, entry, done, ())
    return "".join(f"const {_variable(name)} = (() => {{\n{text}}})();\n" for name, text in done.items())


def _add(directory: Path, name: str, done: dict[str, str], above: tuple[str, ...]) -> None:
    if name in done:
        return
    if name in above:
        raise ValueError(f"modules import each other in a circle: {' -> '.join((*above, name))}")
    text = (directory / name).read_text("utf-8")
    for imported in _IMPORT.finditer(text):
        _add(directory, imported[2], done, (*above, name))
    exported = ", ".join(found[2] for found in _EXPORT.finditer(text))
    text = _IMPORT.sub(lambda found: f"const {{{found[1]}}} = {_variable(found[2])};\n", text)
    text = _EXPORT.sub(r"\1", text)
    if re.search(r"^(import|export)\b", text, re.MULTILINE):
        raise ValueError(f"{name} imports or exports in a way that cannot be bundled")
    if "</script" in text.lower():
        raise ValueError(f"{name} holds the end of a script element")
    done[name] = f"{text}return {{ {exported} }};\n"


def _variable(name: str) -> str:
    return "$" + name.removesuffix(".js")
