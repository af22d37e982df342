"""Results of learning events, in the terminal and as a model card: candidates with their scores, and the verdict."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fusible.report import _words
from fusible.report.terminal import COLOURS, WIDE, print_problems
from fusible.tasks.video.events_result import EventRow, Events

METRIC = "mAP@.5"
COLUMNS = (METRIC, "95 %", "mAP .5 to .95", "valid", "parameters", "fit")
NARROW = 4
"""Columns of a console of under 100 columns."""
MOST_PROBLEMS = 20
MOST_CLASSES = 12


def print_events(result: Events, console: Console | None = None) -> None:
    """Print every candidate with mAP@.5 on validation and test films, the verdict, and what could not be used."""
    console = console or Console()
    console.print(Text(heading(result), style="bold"))
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("candidate", overflow="fold")
    shown = len(COLUMNS) if console.width >= WIDE else NARROW
    for name in COLUMNS[:shown]:
        table.add_column(name, justify="right", overflow="fold")
    for row in result.rows:
        table.add_row(*map(Text, _cells(row)[: 1 + shown]), style="bold" if row.name == result.chosen else "")
    table.caption, table.caption_justify = f"bold: chosen on validation films; {METRIC} is of test films", "left"
    console.print(table)
    console.print(Text(result.statement, style=f"bold {COLOURS.get(result.verdict, 'white')}"))
    console.print(Text(_classes(result)))
    for view in result.views:
        console.print(Text(_view(view), style="dim"))
    for note in result.notes:
        console.print(Text(note, style="dim"))
    print_problems(result.problems[:MOST_PROBLEMS], console)
    if len(result.problems) > MOST_PROBLEMS:
        console.print(Text(f"and {len(result.problems) - MOST_PROBLEMS:,} more problems", style="yellow"))


def heading(result: Events) -> str:
    """How many labels, films and events there are, in a line."""
    films = ", ".join(f"{count:,} {part}" for part, count in result.films.items())
    events = ", ".join(f"{count:,}" for count in result.events.values())
    views = " + ".join(view["name"] for view in result.views)
    return f"events · {views} · {len(result.model.classes):,} labels · {films} films ({events} events)"


def events_card(result: Events) -> str:
    """README of the model folder: what the model finds, from what it learned, and how well it and others do."""
    lines = [
        f"# Fusible event model: {result.chosen}\n",
        f"{heading(result)}\n",
        f"Finds: {', '.join(result.model.classes)}\n",
        f"Tells events from a confidence of {result.model.confidence:.2f} on: best F1 on validation films.\n",
        f"| candidate | {' | '.join(COLUMNS)} |",
        "|---|---|---|---|---|---|---|",
        *(f"| {' | '.join(_cells(row))} |" for row in result.rows),
        "",
        f"{METRIC} is of test films; {result.chosen} was chosen on validation films.\n",
        f"{result.statement}\n",
        *(_view(view) + "\n" for view in result.views),
        *([f"Made by: `{result.command}`\n"] if result.command else []),
    ]
    return "\n".join(lines)


def _cells(row: EventRow) -> tuple[str, ...]:
    return (
        row.name,
        _words.number(row.test.score),
        _words.span(row.test),
        _words.number(row.mean.score),
        _words.number(row.valid),
        _words.count(row.parameters),
        _words.duration(row.fit_seconds),
    )


def _classes(result: Events) -> str:
    """The labels that the chosen one finds best and worst on test films."""
    own = next(row for row in result.rows if row.name == result.chosen).classes
    order = sorted(own, key=lambda name: (-own[name], name))
    if len(order) <= MOST_CLASSES:
        return "by label: " + ", ".join(f"{name} {_words.number(own[name])}" for name in order)
    best, worst = order[: MOST_CLASSES // 2], order[-MOST_CLASSES // 2 :]
    said = [", ".join(f"{name} {_words.number(own[name])}" for name in some) for some in (best, worst)]
    return f"found best: {said[0]}; worst: {said[1]}"


def _view(view: dict[str, object]) -> str:
    return f"{view['name']}: {view['encoder']}, {view['columns']} columns, there in {view['coverage']:.0%} of all steps"
