"""Every part that the package registers has a test file of its own, and that file asserts something."""

import ast
from pathlib import Path

import pytest

from fusible import registry

TESTS = Path(__file__).parent
OWN = [
    (family, name)
    for family in registry.FAMILIES
    for name in registry.names(family)
    if (TESTS.parent / "src" / "fusible" / family / f"{name}.py").is_file()
]
CHECKS = {"raises", "warns", "assert_close", "assert_allclose", "assert_array_equal"}


def asserting_tests(source: str) -> list[str]:
    """Names of test functions that hold an assertion, or a call that raises by itself when it fails."""
    functions = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef))
    return [f.name for f in functions if f.name.startswith("test_") and any(map(_checks, ast.walk(f)))]


def _checks(node: ast.AST) -> bool:
    if isinstance(node, ast.Assert):
        return not isinstance(node.test, ast.Constant)
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        return name in CHECKS
    return False


@pytest.mark.parametrize(("family", "name"), OWN)
def test_every_part_has_a_test_of_its_own(family, name):
    file = TESTS / family / f"test_{name}.py"
    assert file.is_file(), f"{family}/{name}.py has no test: write {file.relative_to(TESTS.parent)}"
    assert asserting_tests(file.read_text(encoding="utf-8")), f"{file.relative_to(TESTS.parent)} asserts nothing"


@pytest.mark.parametrize(("family", "name"), OWN)
def test_every_part_can_be_got_by_name(family, name):
    part = registry.get(family, name)
    assert part.__name__ == registry.class_name(name)
    assert part.__module__ == f"fusible.{family}.{name}"


def test_a_test_that_asserts_nothing_is_seen():
    assert asserting_tests("def test_a():\n    run()\n") == []
    assert asserting_tests("def test_a():\n    assert True\n") == []
    assert asserting_tests("def test_a():\n    assert run() == 1\n") == ["test_a"]
    assert asserting_tests("def test_a():\n    np.testing.assert_allclose(a, b)\n") == ["test_a"]
