"""A study and an inspection as tables in the terminal.

Text of the user goes through `Text`, so that neither markup ([bold]) nor emoji names (:question:) in it are acted on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fusible.evaluation.study import StrategyResult, StudyResult
from fusible.report import _words

COLOURS = {"helps": "green", "no evidence": "yellow", "hurts": "red"}
SHOWN_ROWS = 8
COLUMNS = ("strategy", "family", "score", "95 %", "Δ", "valid", "parameters", "fit", "rows/s")
ONLY_WIDE = frozenset({"family", "parameters"})
WIDE = 100


def print_study(result: StudyResult, console: Console | None = None) -> None:
    """Print every strategy with its interval and costs, then the verdict.

    Strategies stand in the order of the study. Δ is against the best single view on the test rows; positive is better.
    A console under 100 columns leaves out the family, which the name says, and the parameters.
    """
    console = console or Console()
    console.print(_study_table(result, console.width))
    colour = COLOURS.get(result.verdict, "white")
    console.print(Text(result.statement, style=f"bold {colour}"))
    for row in result.strategies:
        if row.note:
            console.print(Text(f"{row.name}: {row.note}", style="dim"))
    print_problems(result.problems, console)


def print_inspection(inspection: Mapping[str, Any], console: Console | None = None) -> None:
    """Print the `columns`, `views` (by name, or a list) and `problems` that `Inspection.to_dict()` gives."""
    console = console or Console()
    rows = inspection.get("rows")
    console.print(
        _mapping_table(f"columns ({rows:,} rows)" if isinstance(rows, int) else "columns", inspection["columns"])
    )
    views = inspection.get("views") or {}
    if views:
        named = [{"name": name, **view} for name, view in views.items()] if isinstance(views, Mapping) else list(views)
        console.print(_mapping_table("views", named))
    print_problems(inspection.get("problems", ()), console)


def _study_table(result: StudyResult, width: int) -> Table:
    rows = ", ".join(f"{number:,} {part}" for part, number in result.rows.items())
    title = Text(f"{result.target} · {result.task.kind} · {rows} rows")
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold", padding=(0, 1, 0, 0))
    kept = [column for column in COLUMNS if width >= WIDE or column not in ONLY_WIDE]
    for column in kept:
        if column in {"strategy", "family"}:
            table.add_column(column, overflow="fold", no_wrap=column == "family", min_width=12)
        else:
            heading = _words.metric_title(result.metric) if column == "score" else column
            table.add_column(heading, justify="right", overflow="fold")
    for row in result.strategies:
        style = "bold" if _words.marks(result, row) or row.name == "auto" else ""
        cells = _cells(result, row)
        table.add_row(*(Text(cells[column]) for column in kept), style=style)
    table.caption = "● best single view  ★ chosen by auto  Δ against ●, positive is better"
    table.caption_justify = "left"
    return table


def _cells(result: StudyResult, row: StrategyResult) -> dict[str, str]:
    signs = {"best single view": "●", "chosen by auto": "★"}
    mark = "".join(signs[name] for name in _words.marks(result, row))
    return {
        "strategy": f"{row.name} {mark}".rstrip(),
        "family": _words.family_title(row.family),
        "score": _words.number(row.test.score),
        "95 %": _words.span(row.test),
        "Δ": _words.number(_words.gain(result, row), signed=True),
        "valid": _words.number(row.valid.score),
        "parameters": _words.count(row.parameters),
        "fit": _words.duration(row.fit_seconds),
        "rows/s": _words.count(row.rows_per_second),
    }


def _mapping_table(title: str, entries: list[Mapping[str, Any]]) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold")
    names = list(dict.fromkeys(name for entry in entries for name in entry))
    for name in names:
        numeric = all(isinstance(entry.get(name), int | float) for entry in entries)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for entry in entries:
        table.add_row(*(Text(_cell(name, entry.get(name))) for name in names))
    return table


def _cell(name: str, value: Any) -> str:
    if value is None:
        return "–"
    if name == "coverage" and isinstance(value, float):
        return f"{value:.1%}"
    if isinstance(value, float):
        return _words.number(value)
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def print_problems(problems: Any, console: Console) -> None:
    """Print problems, a line each, with the first rows they are in."""
    for problem in problems:
        found = problem if isinstance(problem, Mapping) else {n: getattr(problem, n) for n in problem.__slots__}
        colour = "red" if found.get("severity") == "error" else "yellow"
        text = Text.assemble((str(found["kind"]), colour), " ", str(found["message"]))
        rows = found.get("rows") or ()
        if rows:
            shown = ", ".join(str(row) for row in rows[:SHOWN_ROWS])
            text.append(f" (rows {shown}{', …' if len(rows) > SHOWN_ROWS else ''})", style="dim")
        console.print(text)
