"""An explanation as tables in the terminal and as one self-contained HTML page."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fusible.evaluation.explanation import Explanation, Saliency
from fusible.report import _words, html
from fusible.report._saliency import saliency_blocks
from fusible.report.attribution import attribution_content

SHOWN = 8
"""Columns, and pieces of an item, that the terminal shows."""


def write_page(found: Explanation, path: str | os.PathLike[str]) -> Path:
    """Write the page, whole or not at all, and return its path."""
    return html.write_page(lambda: render(found), Path(path))


def render(found: Explanation) -> str:
    """Give the page as text."""
    return html.render_template("explain.html.j2", _content(found))


def _content(found: Explanation) -> dict[str, Any]:
    shaded = {one.column for one in found.saliency if one.kind == "patches"}
    return {
        "found": found,
        "attribution": attribution_content(found),
        "pictures": [(name, html._picture(data)) for name, data in found.pictures.items() if name not in shaded],
        "saliency": saliency_blocks(found.saliency, found.pictures),
    }


def print_explanation(found: Explanation, console: Console | None = None) -> None:
    """Print the finding in a sentence, views, interactions, the top columns, and the pieces that matter most."""
    console = console or Console()
    about = f"row {found.row}" if found.row is not None else f"{found.rows:,} rows"
    console.print(Text(f"{found.strategy} · {found.target} · {about}", style="bold"))
    console.print(_view_table(found))
    total = f"{_words.number(found.base)} + Shapley values {_words.number(found.gain, signed=True)}"
    if found.row is not None:
        console.print(Text(f"sum: {total} = {_words.number(found.value)} ({found.what})"))
    for pair in found.interactions[:SHOWN]:
        console.print(Text(f"interaction {' × '.join(pair.views)}: {_words.number(pair.value, signed=True)}"))
    if found.columns:
        console.print(_column_table(found))
    for one in found.saliency:
        console.print(Text(f"{one.view}, {one.kind}: {_strongest(one)}"))
    console.print(Text(found.statement, style="bold"))
    for note in found.notes:
        console.print(Text(note, style="dim"))


def _view_table(found: Explanation) -> Table:
    headings = ("Shapley", "95 %", "alone", "without", "present")
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("view", overflow="fold")
    kept = [heading for heading in headings if found.row is None or heading != "95 %"]
    for heading in kept:
        table.add_column(heading, justify="right")
    for share in found.views:
        cells = {
            "Shapley": _words.number(share.value, signed=True),
            "95 %": f"{_words.number(share.low)} to {_words.number(share.high)}",
            "alone": _words.number(share.alone),
            "without": _words.number(share.without),
            "present": f"{share.present:.0%}" if found.row is None else ("yes" if share.present else "no"),
        }
        table.add_row(Text(share.view), *(Text(cells[heading]) for heading in kept))
    return table


def _column_table(found: Explanation) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    one_row = found.row is not None
    for heading in ("column", "cell", "effect") if one_row else ("column", "drop when permuted"):
        table.add_column(
            heading, justify="right" if heading.startswith(("effect", "drop")) else "left", overflow="fold"
        )
    for column in found.columns[:SHOWN]:
        effect = f"{_words.number(column.value, signed=True)} ± {_words.number(column.spread)}"
        table.add_row(*map(Text, (column.column, column.cell, effect) if one_row else (column.column, effect)))
    if len(found.columns) > SHOWN:
        table.caption, table.caption_justify = f"and {len(found.columns) - SHOWN} more", "left"
    return table


def _strongest(one: Saliency) -> str:
    values = np.asarray(one.values, float).reshape(-1)
    columns = len(one.values[0]) if one.kind == "patches" else 1
    order = np.argsort(-np.abs(values), kind="stable")[:SHOWN]
    names = [
        f"row {k // columns + 1} column {k % columns + 1}" if one.kind == "patches" else one.pieces[k].strip()
        for k in order
    ]
    return ", ".join(
        f"{name} {_words.number(float(values[k]), signed=True)}" for name, k in zip(names, order, strict=True)
    )
