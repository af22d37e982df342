"""A study as a Markdown model card, the README.md of a model folder (Mitchell et al., "Model Cards", 2019)."""

from __future__ import annotations

import re
from typing import Any

from fusible.evaluation.study import StudyResult
from fusible.report import _words

SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!&])")


def model_card(result: StudyResult) -> str:
    """Give the card: what the model predicts and from what, how it scored against what, and its limits."""
    parts = [
        [f"# Model of {_plain(result.target)}", "", _plain(result.statement)],
        _what(result),
        _scores(result),
        _data(result),
        _limits(result),
        _reproduce(result),
    ]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _what(result: StudyResult) -> list[str]:
    kind = result.task.kind
    names = list(result.task.classes)
    shown = ", ".join(_plain(name) for name in names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
    lines = ["## What it does", "", f"- Task: {kind}, target {_plain(result.target)}"]
    if names:
        lines.append(f"- {'Labels' if kind == 'multilabel' else 'Classes'}: {shown}")
    lines.append(f"- Strategy: `{result.auto}`, chosen on validation rows")
    for view in result.views:
        columns = ", ".join(_plain(column) for column in view.get("columns", ()))
        lines.append(f"- View {_plain(view.get('name'))} ({_plain(view.get('modality'))}): columns {columns}")
    return lines


def _scores(result: StudyResult) -> list[str]:
    title = _words.metric_title(result.metric)
    lines = [
        f"## Scores on {result.rows.get('test', 0):,} test rows",
        "",
        f"| strategy | {title} | 95 % interval | parameters | rows/s |",
        "|---|---:|---:|---:|---:|",
    ]
    for row in result.strategies:
        mark = ", ".join(_words.marks(result, row))
        name = f"{_plain(row.name)} ({mark})" if mark else _plain(row.name)
        cells = (
            _words.number(row.test.score),
            _words.span(row.test),
            f"{row.parameters:,}",
            _words.count(row.rows_per_second),
        )
        lines.append(f"| {name} | {' | '.join(cells)} |")
    names = {row.name for row in result.strategies}
    further = result.strategy("auto" if "auto" in names else result.auto).metrics
    if further:
        scores = ", ".join(f"{_words.metric_title(name)} {_words.number(value)}" for name, value in further.items())
        lines += ["", f"Further scores of the chosen strategy: {scores}."]
    return lines


def _data(result: StudyResult) -> list[str]:
    rows = ", ".join(f"{number:,} {part}" for part, number in result.rows.items())
    lines = ["## Data", "", f"- Rows: {rows}"]
    lines += [f"- {_plain(problem.kind)}: {_plain(problem.message)}" for problem in result.problems[:20]]
    if len(result.problems) > 20:
        lines.append(f"- and {len(result.problems) - 20} more problems, listed in the study's report")
    return lines


def _limits(result: StudyResult) -> list[str]:
    return [
        "## Limits",
        "",
        "- Scores hold for rows like the test rows; nothing was measured on other data.",
        "- The intervals cover the choice of test rows, not the chance in training.",
        "- A row with every view absent gets the prior: class frequencies or the mean of the training rows.",
    ]


def _reproduce(result: StudyResult) -> list[str]:
    versions = ", ".join(f"{name} {version}" for name, version in result.versions.items())
    lines = ["## Reproduce", "", f"- Seed: {result.seed}"]
    if versions:
        lines.append(f"- Versions: {_plain(versions)}")
    if result.command:
        lines += ["", *(f"    {line}" for line in result.command.splitlines())]
    return lines


def _plain(value: Any) -> str:
    """Text of the user on one line, with Markdown's signs escaped."""
    return SPECIAL.sub(r"\\\1", " ".join(str(value).split()))
