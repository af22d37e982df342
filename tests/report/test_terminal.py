from io import StringIO

import pytest
from rich.console import Console

from fusible.report.terminal import print_inspection, print_study
from fusible.types import Problem


def printed(show, *arguments, width=120):
    stream = StringIO()
    show(*arguments, Console(file=stream, width=width, color_system=None))
    return stream.getvalue()


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("kind", ["multiclass", "regression"])
def test_every_strategy_has_its_line_at_any_width(study, kind, width):
    result = study(kind)
    lines = printed(print_study, result, width=width).splitlines()
    for row in result.strategies:
        line = next(line for line in lines if line.strip().startswith(row.name)).replace("−", "-")
        assert f" {row.test.score:.3f} " in line
        assert f" {row.test.low:.3f} to " in line
    assert max(map(len, lines)) <= width


def test_marks_and_difference(study):
    result = study()
    lines = printed(print_study, result).splitlines()
    single, chosen = (
        next(line for line in lines if line.strip().startswith(name)) for name in ("single:question", "feature:concat")
    )
    assert single.split()[1] == "●"
    assert chosen.split()[1] == "★"
    gain = result.strategy("feature:concat").test.score - result.strategy("single:question").test.score
    assert f"+{gain:.3f}" in chosen


def test_verdict_notes_and_problems_are_said(study):
    result = study(problems=[Problem("unreadable", "image", "9 pictures [bad]", tuple(range(9)))])
    result.strategies[0].note = "stopped [early]"
    text = " ".join(printed(print_study, result).split())
    assert result.statement in text
    assert "single:question: stopped [early]" in text
    assert "unreadable 9 pictures [bad] (rows 0, 1, 2, 3, 4, 5, 6, 7, …)" in text


@pytest.mark.parametrize(
    "views", [[{"name": "table", "columns": ["price", "rooms"]}], {"table": {"columns": ["price", "rooms"]}}]
)
def test_inspection(views):
    inspection = {
        "rows": 1200,
        "columns": [
            {"name": "photo [1]", "modality": "image", "reason": "paths", "coverage": 0.5, "distinct": 7},
            {"name": "price", "modality": "number", "reason": "floats", "coverage": 1.0, "distinct": None},
        ],
        "views": views,
        "problems": [{"kind": "leak", "message": "price tells the target", "column": "price", "severity": "error"}],
    }
    text = " ".join(printed(print_inspection, inspection).split())
    assert "columns (1,200 rows)" in text
    assert "photo [1] image paths 50.0% 7" in text
    assert "price number floats 100.0% –" in text
    assert "table price, rooms" in text
    assert "leak price tells the target" in text
