"""Studies of several tables as an index page and as a table in the terminal."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fusible.evaluation.ranking import ALPHA, Ranking
from fusible.evaluation.several import SeveralResult, TableStudy
from fusible.report import _words
from fusible.report._ranks import ranks_diagram
from fusible.report.html import render_template, write_page

TONES = {"helps": "good", "hurts": "bad"}
MOST_CONTRASTS = 60


def write_index(result: SeveralResult, path: Path) -> Path:
    """Write the index page, whole or not at all; raises `ConfigError` where there is no such folder."""
    return write_page(lambda: render_index(result), path)


def render_index(result: SeveralResult) -> str:
    """Give the page as text: it needs nothing but the reports that it links to."""
    return render_template("several.html.j2", _content(result))


def print_several(result: SeveralResult, console: Console | None = None) -> None:
    """Print scores by strategy and table with average ranks, the verdict of each table, and what ranks say."""
    console = console or Console()
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("strategy", overflow="fold", min_width=20)
    for study in result.studies:
        heading = f"{study.name}\n{_words.metric_title(study.study['metric'])}"
        table.add_column(Text(heading), justify="right", overflow="fold")
    table.add_column("rank", justify="right")
    for line in _lines(result):
        table.add_row(Text(line["name"]), *(Text(cell["text"]) for cell in line["cells"]), line["rank"])
    console.print(table)
    for study in result.studies:
        console.print(Text.assemble((f"{study.name}: ", "bold"), str(study.study["statement"])))
    console.print(Text(result.statement, style="bold"))


def _content(result: SeveralResult) -> dict[str, Any]:
    ranking = result.ranking
    return {
        "result": result,
        "ranking": ranking,
        "studies": [_study(study) for study in result.studies],
        "lines": _lines(result),
        "diagram": None if ranking is None else ranks_diagram(ranking),
        "contrasts": [] if ranking is None else _contrasts(ranking),
        "alpha": ALPHA,
        "rows": sum(sum(study.study["rows"].values()) for study in result.studies),
        "helps": sum(study.study["verdict"] == "helps" for study in result.studies),
    }


def _study(study: TableStudy) -> dict[str, Any]:
    given, difference = study.study, study.study["difference"]
    return {
        "name": study.name,
        "link": f"{quote(study.folder)}/report.html" if study.folder else "",
        "target": given["target"],
        "kind": given["task"],
        "rows": sum(given["rows"].values()),
        "metric": _words.metric_title(given["metric"]),
        "verdict": given["verdict"],
        "tone": TONES.get(given["verdict"], "even"),
        "single": given["best_single"],
        "auto": given["auto"],
        "difference": _words.number(difference["mean"], signed=True),
        "interval": "auto fell back"
        if given["auto"] == given["best_single"]
        else f"{_words.number(difference['low'])} to {_words.number(difference['high'])}",
    }


def _lines(result: SeveralResult) -> list[dict[str, Any]]:
    """One line per strategy: its score on each table, whether it is the best there, and its average rank."""
    ranking = result.ranking
    ranks = {} if ranking is None else dict(zip(ranking.strategies, ranking.ranks, strict=True))
    frame = result.frame
    signed = frame.mul([study.sign for study in result.studies], axis=0)
    best = signed.max(axis=1)
    lines = []
    for name in frame.columns:
        values = [float(value) for value in frame[name]]
        tops = [float(s) == float(top) for s, top in zip(signed[name], best, strict=True)]
        cells = [{"text": _words.number(v), "best": t} for v, t in zip(values, tops, strict=True)]
        lines.append({"name": name, "cells": cells, "rank": f"{ranks[name]:.2f}" if name in ranks else "–"})
    return lines


def _contrasts(ranking: Ranking) -> list[dict[str, Any]]:
    """Pairs with the smallest p first."""
    pairs = sorted(ranking.contrasts, key=lambda c: (c.adjusted, c.p_value))[:MOST_CONTRASTS]
    return [
        {"a": c.a, "b": c.b, "wins": c.wins, "ties": c.ties, "losses": c.losses}
        | {"p": _p(c.p_value), "adjusted": _p(c.adjusted), "real": ranking.decides and c.adjusted <= ALPHA}
        for c in pairs
    ]


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 or not math.isfinite(value) else f"{value:.1e}"
