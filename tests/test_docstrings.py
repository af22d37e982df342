"""Every public symbol says what it is, and what its examples show is so."""

import ast
import doctest
from importlib import import_module
from pathlib import Path

import pytest

import fusible

ROOT = Path(fusible.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))


def dotted(file: Path) -> str:
    """Dotted name of a file of the package."""
    parts = file.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def undocumented(source: str) -> list[str]:
    """Public classes, functions and methods without a docstring; an override keeps the docstring of its base."""
    tree = ast.parse(source)
    missing = [] if ast.get_docstring(tree) else ["the module"]
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            missing += [] if ast.get_docstring(node) else [node.name]
            if isinstance(node, ast.ClassDef):
                missing += [f"{node.name}.{name}" for name in _methods(node)]
    return missing


def _methods(node: ast.ClassDef) -> list[str]:
    functions = (child for child in node.body if isinstance(child, ast.FunctionDef))
    return [function.name for function in functions if function.name[0] != "_" and not ast.get_docstring(function)]


@pytest.mark.parametrize("file", FILES, ids=dotted)
def test_public_symbols_are_documented(file):
    assert undocumented(file.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("file", [file for file in FILES if ">>> " in file.read_text(encoding="utf-8")], ids=dotted)
def test_examples_hold(file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(import_module(dotted(file)), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.attempted > 0
    assert result.failed == 0


def test_what_is_undocumented_is_seen():
    source = (
        '"""A module."""\nclass A:\n    """A class."""\n    def run(self): ...\ndef _private(): ...\ndef f(): ...\n'
    )
    assert undocumented(source) == ["A.run", "f"]
