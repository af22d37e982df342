"""An alignment as tables in the terminal and as one self-contained HTML page."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fusible.evaluation.alignment import ALPHA, Alignment
from fusible.report import _correlations, _words
from fusible.report.html import flat, render_template, stage_lines, write_page
from fusible.report.terminal import print_problems

SHOWN = 12
"""Components that the terminal shows."""


def print_alignment(result: Alignment, console: Console | None = None) -> None:
    """Print the leading components, what came closer, and the finding in a sentence."""
    console = console or Console()
    rows = ", ".join(f"{result.rows[part]:,} {part}" for part in ("train", "test"))
    names = " + ".join(view["name"] for view in result.views)
    console.print(Text(f"{result.method} · {names} · {rows} rows", style="bold"))
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("component", "test", "95 %", "train", "p"):
        table.add_column(heading, justify="right", overflow="fold")
    for place, component in enumerate(result.components[:SHOWN], start=1):
        cells = (
            str(place),
            _words.number(component.test.score),
            _words.span(component.test),
            _words.number(component.train),
            f"{component.p_value:.3f}",
        )
        table.add_row(*map(Text, cells), style="bold" if component.p_value <= ALPHA else "dim")
    if len(result.components) > SHOWN:
        table.caption, table.caption_justify = f"and {len(result.components) - SHOWN} more", "left"
    console.print(table)
    for line in (*_changes(result), *_retrieval(result)):
        console.print(Text("  ".join(line)))
    console.print(Text(result.statement, style="bold green" if result.significant else "bold yellow"))
    for view in result.views:
        console.print(Text(f"{view['name']}: encoder {view['encoder']}, {view['why']}", style="dim"))
    for note in result.notes:
        console.print(Text(note, style="dim"))
    print_problems(result.problems, console)


def write_report(result: Alignment, path: str | os.PathLike[str]) -> Path:
    """Write the page, whole or not at all, and return its path."""
    return write_page(lambda: render(result), Path(path))


def render(result: Alignment) -> str:
    """Give the page as text."""
    return render_template("alignment.html.j2", _content(result))


def _content(result: Alignment) -> dict[str, Any]:
    return {
        "result": result,
        "alpha": ALPHA,
        "names": " + ".join(view["name"] for view in result.views),
        "total": sum(component.test.score for component in result.components),
        "plot": _correlations.correlations(result.components),
        "changes": _changes(result),
        "retrieval": _retrieval(result),
        "stages": stage_lines(result.seconds),
        "settings": flat(result.settings),
    }


def _changes(result: Alignment) -> list[tuple[str, str, str]]:
    """Modality gap and CKA: name, before, after."""
    pairs = (("modality gap", result.gap), ("linear CKA", result.cka))
    return [
        (f"{name}:", f"{_words.number(v['before'])} before,", f"{_words.number(v['after'])} after") for name, v in pairs
    ]


def _retrieval(result: Alignment) -> list[tuple[str, ...]]:
    lines: list[tuple[str, ...]] = []
    for pair, found in result.retrieval.items():
        ranks = [name.removeprefix("recall@") for name in found if name.startswith("recall@")]
        shares = [f"@{rank} {found[f'recall@{rank}']:.3f} (chance {found[f'chance@{rank}']:.3f})" for rank in ranks]
        lines.append((f"recall {pair}:", ", ".join(shares), f"of {found['items']:,} items"))
    return lines
