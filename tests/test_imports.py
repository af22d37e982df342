"""The rooms of the house: data flows one way, and an import that runs back fails here."""

import ast
from pathlib import Path

import pytest

import fusible

ROOT = Path(fusible.__file__).parent
FOUNDATION = {"types", "errors", "registry", "positions"}
RANK = {
    "data": 0,
    "index": 0,
    "encoders": 1,
    "alignment": 2,
    "fusion": 3,
    "ensembles": 3,
    "networks": 3,
    "decoders": 3,
    "scorers": 3,
    "propagation": 3,
    "training": 4,
    "evaluation": 5,
    "tasks": 6,
    "report": 7,
    "apps": 8,
}
STRANGERS = {"encoders", "alignment", "fusion", "ensembles", "networks", "decoders", "scorers", "propagation"}
"""Rooms that never import one another: `tasks` brings them together."""


def imported(source: str, module: str, is_package: bool = False) -> set[str]:
    """Absolute names that a module of the package imports at run time (not under `if TYPE_CHECKING`)."""
    found: set[str] = set()
    package = module if is_package else module.rpartition(".")[0]
    for node in _runtime(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                parts = parts[: len(parts) - node.level + 1]
                base = ".".join([*parts, *([node.module] if node.module else [])])
            found.update(f"{base}.{alias.name}" for alias in node.names)
    return {name for name in found if name.split(".")[0] == "fusible"}


def _runtime(node: ast.AST):
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            yield from (grandchild for part in child.orelse for grandchild in (part, *_runtime(part)))
            continue
        yield child
        yield from _runtime(child)


def complaints(module: str, names: set[str]) -> list[str]:
    """What is wrong with a module's imports, one line each."""
    room = module.split(".")[1]
    found = []
    for name in sorted(names):
        parts = name.split(".")
        other = parts[1] if len(parts) > 1 else ""
        if not _allowed(room, other):
            found.append(f"{module} imports {name}: {room!r} may not import {other or 'the package itself'!r}")
    return found


def _allowed(room: str, other: str) -> bool:
    if room == "__main__":
        return other == "apps"
    if room == "types":
        return False
    if room in FOUNDATION:
        return other in {"errors"}
    if room == "apps" or other in {*FOUNDATION, "__version__", room}:
        return True
    if other not in RANK or {room, other} <= STRANGERS:
        return False
    return RANK[other] < RANK[room]


def modules() -> list[tuple[str, Path]]:
    """Dotted names and files of the package, but for its face `fusible/__init__.py`, which is above all rooms."""
    files = [file for file in sorted(ROOT.rglob("*.py")) if file != ROOT / "__init__.py"]
    return [(".".join(("fusible", *_dotted(file.relative_to(ROOT)))), file) for file in files]


def _dotted(path: Path) -> tuple[str, ...]:
    parts = path.with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


@pytest.mark.parametrize(("module", "file"), modules(), ids=[name for name, _ in modules()])
def test_imports_run_one_way(module, file):
    source = file.read_text(encoding="utf-8")
    assert complaints(module, imported(source, module, file.stem == "__init__")) == []


def test_every_folder_is_a_known_room():
    rooms = {folder.name for folder in ROOT.iterdir() if (folder / "__init__.py").is_file()}
    assert rooms == set(RANK)


@pytest.mark.parametrize(
    ("module", "source", "culprit"),
    [
        ("fusible.data.read", "from fusible.encoders import _base", "fusible.encoders._base"),
        ("fusible.fusion.concat", "from fusible.ensembles._base import Rule", "fusible.ensembles._base.Rule"),
        ("fusible.networks.joint", "import fusible.fusion.concat", "fusible.fusion.concat"),
        ("fusible.decoders.lstm", "from fusible.networks._layers import Layer", "fusible.networks._layers.Layer"),
        ("fusible.tasks.compare", "def f():\n    from fusible.report.html import write_report", "fusible.report.html"),
        ("fusible.tasks.compare", "from ..report import html", "fusible.report.html"),
        ("fusible.types", "from fusible.errors import DataError", "fusible.errors.DataError"),
        ("fusible.data.read", "from fusible import compare", "fusible.compare"),
        ("fusible.data.read", "import fusible", "fusible"),
        ("fusible.data.read", "from fusible import apps", "fusible.apps"),
    ],
)
def test_arrows_that_run_back_are_found(module, source, culprit):
    assert any(f"imports {culprit}" in line for line in complaints(module, imported(source, module)))


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("fusible.encoders.text_gru", "from fusible.data.media import text_key\nfrom ._base import Encoder"),
        ("fusible.report.html", "from fusible.evaluation.study import StudyResult"),
        ("fusible.apps.cli", "import fusible\nfrom fusible import __version__"),
        ("fusible.data.read", "if TYPE_CHECKING:\n    from fusible.apps.progress import RichProgress"),
        ("fusible.registry", "from fusible.errors import RegistryError"),
    ],
)
def test_arrows_that_run_forth_pass(module, source):
    assert complaints(module, imported(source, module)) == []
