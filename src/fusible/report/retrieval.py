"""Results of `fit_retrieval` in the terminal: how well views find one another, beside chance and baselines."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fusible.evaluation.retrieved import Retrieval
from fusible.evaluation.study import Score
from fusible.report import _words

SHOWN = {
    "recall_any@1": "any@1",
    "recall_any@10": "any@10",
    "recall_share@10": "share@10",
    "median_rank": "median rank",
    "map": "mAP",
    "ndcg": "nDCG",
}
"""Scores that the terminal shows, and their headings."""


def print_retrieval(result: Retrieval, console: Console | None = None) -> None:
    """Print scores per direction and method, the metric that chose with its interval, and the finding."""
    console = console or Console()
    names = " + ".join(view["name"] for view in result.views)
    parts = ", ".join(f"{count:,} {part}" for part, count in result.parts.items())
    console.print(Text(f"{result.method} · {names} · {parts} rows", style="bold"))
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("", overflow="fold")
    kept = {name: title for name, title in SHOWN.items() if any(name in row.scores for row in result.rows)}
    for heading in (*kept.values(), "95 %"):
        table.add_column(heading, justify="right")
    direction = ""
    for row in result.rows:
        if row.direction != direction:
            direction = row.direction
            table.add_section()
            table.add_row(Text(direction, style="italic"))
        cells = [_words.number(row.scores[name].score) if name in row.scores else "–" for name in kept]
        span = _span(row.scores.get(result.metric))
        table.add_row(*map(Text, (row.method, *cells, span)), style="bold" if row.kind == "chosen" else "")
    table.caption, table.caption_justify = f"95 %: interval of {result.metric}, by which was chosen", "left"
    console.print(table)
    for view in result.views:
        console.print(Text(f"{view['name']}: encoder {view['encoder']} ({view['why']})"))
    console.print(Text(result.statement, style="bold"))
    for direction, one in result.differences.items():
        ends = f"{_words.number(one.low, signed=True)} to {_words.number(one.high, signed=True)}"
        gain = f"{_words.number(one.mean, signed=True)} against {result.plain} (95 % interval {ends})"
        console.print(Text(f"{direction}: {gain}"))
    for note in result.notes:
        console.print(Text(note, style="dim"))


def _span(score: Score | None) -> str:
    return "–" if score is None else _words.span(score)
