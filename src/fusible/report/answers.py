"""Answers to questions about pictures: tables in the terminal, pages, and the model card."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fusible.evaluation.answered import Answer, Answers, Covered, Group
from fusible.evaluation.explanation import Saliency
from fusible.evaluation.study import Score
from fusible.report import _plots, _words, html
from fusible.report._plots import LEFT, TOP, WIDTH, Frame, _axis_title, _ticks
from fusible.report._reliability import reliability_diagram
from fusible.report._saliency import saliency_blocks
from fusible.report.card import _plain as escaped
from fusible.report.terminal import print_problems

SHOWN_TYPES = 30
PATCHES = 3
"""Patches that the terminal names."""
LEAST = 0.005
"""Drop of the confidence under which a piece is not shaded."""
TONES = {"helps": "good", "hurts": "bad"}
COLOURS = {"good": "green", "bad": "red", "even": "yellow"}
TITLES = {
    "worst": ("Worst cases", "The surest of the wrong answers on test rows, one per picture."),
    "best": ("Best cases", "The surest right answers on test rows that the best baseline gets wrong, one per picture."),
}


def write_report(result: Answers, path: str | os.PathLike[str]) -> Path:
    """Write the page of a fit, whole or not at all, and return its path."""
    return html.write_page(lambda: render(result), Path(path))


def write_page(found: Answer, path: str | os.PathLike[str]) -> Path:
    """Write the page of one answer, whole or not at all, and return its path."""
    return html.write_page(lambda: render_answer(found), Path(path))


def render(result: Answers) -> str:
    """Give the page of a fit as text."""
    chosen, baseline = result.row(result.strategy), result.row(result.baseline)
    limits = _plots.axis([row.test for row in result.rows])
    return html.render_template(
        "answers.html.j2",
        {
            "result": result,
            "tone": TONES.get(result.verdict, "even"),
            "chosen": chosen,
            "baseline": baseline,
            "lines": [(row, _bar(row.test, baseline.test.score, limits, row.kind)) for row in result.rows],
            "scale": _plots.scale_line(limits),
            "types": [
                (
                    "Question types",
                    "leading words with which at least one in twenty training questions begins",
                    result.question_types[:SHOWN_TYPES],
                ),
                ("Answer types", "of the true answers", result.answer_types),
            ],
            "type_bar": _type_bar,
            "reliability": reliability_diagram(result.bins),
            "coverage": coverage_plot(result.curve, result.abstain),
            "sections": [(*TITLES[kind], _cases(result, kind)) for kind in TITLES],
            "views": [dict(view) for view in result.views],
            "stages": html.stage_lines({k: v for k, v in result.seconds.items() if k != "total"}),
            "settings": html.flat(result.settings),
        },
    )


def render_answer(found: Answer) -> str:
    """Give the page of one answer as text."""
    return html.render_template("answer.html.j2", {"found": found, **_shown(found)})


def coverage_plot(curve: Sequence[Covered], abstain: Covered | None) -> Markup:
    """Accuracy of the given answers over the share of rows that gets one; a ring marks the model's threshold."""
    points = [(one.coverage, one.accuracy) for one in curve if one.accuracy is not None]
    low = min([accuracy for _, accuracy in points], default=0.0)
    frame = Frame((0.0, 1.0), (max(0.0, low - 0.1 * (1.0 - low) - 0.01), 1.0))
    places = [(frame.x(coverage), frame.y(accuracy)) for coverage, accuracy in points]
    parts = [Markup('<svg class="scatter coverage" viewBox="0 0 450 370" role="img">'), *_ticks(frame)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    parts.append(Markup('<polyline class="covered" points="{}"/>').format(line))
    dot = Markup('<g><title>{}</title><circle class="mean" cx="{:.1f}" cy="{:.1f}" r="3"/></g>')
    for one, (x, y) in zip([c for c in curve if c.accuracy is not None], places, strict=True):
        said = f"confidence {one.threshold:.3f} and more: {one.coverage:.1%} answered, {one.accuracy:.1%} right"
        parts.append(dot.format(said, x, y))
    if abstain is not None and abstain.accuracy is not None:
        ring = Markup('<circle class="ring" cx="{:.1f}" cy="{:.1f}" r="8"/>')
        parts.append(ring.format(frame.x(abstain.coverage), frame.y(max(abstain.accuracy, frame.y_range[0]))))
    parts.append(_axis_title(LEFT + WIDTH / 2, 362, "share of questions answered"))
    parts.append(_axis_title(14, TOP + 150, "share of these that is right", turned=True))
    return Markup("").join([*parts, Markup("</svg>")])


def print_answers(result: Answers, console: Console | None = None) -> None:
    """Print every way of answering, accuracy by type, calibration, and the finding in a sentence."""
    console = console or Console()
    rows = ", ".join(f"{number:,} {part}" for part, number in result.parts.items())
    console.print(Text(f"{len(result.answers):,} answers · {rows} rows", style="bold"))
    table = _table(("answers by", result.metric, "95 %", "valid", "fit"))
    for row in result.rows:
        seconds = _words.duration(row.seconds) if row.seconds else "–"
        cells = (row.name, _words.number(row.test.score), _words.span(row.test), _words.number(row.valid), seconds)
        table.add_row(
            *map(Text, cells), style="bold" if row.kind == "chosen" else "dim" if row.kind == "baseline" else ""
        )
    console.print(table)
    for title, groups in (("question type", result.question_types), ("answer type", result.answer_types)):
        console.print(_type_table(title, groups))
    console.print(Text(_sure(result)))
    if result.scores:
        console.print(Text("  ".join(f"{name} {_words.number(value)}" for name, value in result.scores.items())))
    console.print(Text(result.statement, style=f"bold {COLOURS[TONES.get(result.verdict, 'even')]}"))
    for note in result.notes:
        console.print(Text(note, style="dim"))
    print_problems(result.problems, console)


def print_answer(found: Answer, console: Console | None = None) -> None:
    """Print one answer with its confidence, the runners-up, and what it rests on."""
    console = console or Console()
    withheld = f", withheld below {found.threshold:.1%}" if found.abstained and found.threshold is not None else ""
    console.print(Text(f"{found.answer}  {found.confidence:.1%} sure{withheld}", style="bold"))
    others = found.top if found.abstained else found.top[1:]
    if others:
        console.print(Text("  ".join(f"{answer} {confidence:.1%}" for answer, confidence in others), style="dim"))
    for one in found.evidence:
        if one.kind == "words":
            pairs = sorted(zip(one.pieces, one.values, strict=True), key=lambda pair: -abs(pair[1]))
            console.print(
                Text("words: " + ", ".join(f"{p.strip()} {_words.number(v, signed=True)}" for p, v in pairs[:5]))
            )
        if one.kind == "patches":
            console.print(Text(f"{one.column}: {_strongest(np.asarray(one.values, float))}"))
    for note in found.notes:
        console.print(Text(note, style="dim"))


def _strongest(values: np.ndarray) -> str:
    """The patches of a grid that matter most, by their places from the top left.

    >>> _strongest(np.array([[0.0, 0.25], [0.0, 0.0]])).split(", ")[0]
    'row 1 column 2 of 2 x 2 +0.250'
    """
    order = np.argsort(-np.abs(values), axis=None, kind="stable")[:PATCHES]
    places = zip(*np.unravel_index(order, values.shape), strict=True)
    size = f"of {values.shape[0]} x {values.shape[1]}"
    return ", ".join(f"row {i + 1} column {j + 1} {size} {_words.number(values[i, j], signed=True)}" for i, j in places)


def answers_card(result: Answers) -> str:
    """Give the model card: what it answers, how well beside what, and its limits."""
    shown = ", ".join(escaped(name) for name in result.answers[:20])
    more = f" and {len(result.answers) - 20} more" if len(result.answers) > 20 else ""
    lines = [
        "# Model that answers questions about pictures",
        "",
        escaped(result.statement),
        "",
        f"- Strategy: `{result.strategy}`, chosen on validation rows",
        f"- Answers: {shown}{more}",
        f"- Rows: {', '.join(f'{number:,} {part}' for part, number in result.parts.items())}",
        "",
        f"| answers by | {result.metric} on test rows | 95 % interval |",
        "|---|---:|---:|",
        *(
            f"| {escaped(row.name)} | {_words.number(row.test.score)} | {_words.span(row.test)} |"
            for row in result.rows
        ),
        "",
        _sure(result),
        "",
        "## Limits",
        "",
        "- It gives no other answers than the ones that it knows, which stand in training rows.",
        "- Scores hold for rows like the test rows; intervals cover their choice, not the chance in training.",
    ]
    command = ["", "## Reproduce", "", *(f"    {line}" for line in result.command.splitlines())]
    return "\n".join([*lines, *(command if result.command else [])]) + "\n"


def _sure(result: Answers) -> str:
    """Calibration, answers that the model does not know, and abstaining, in words."""
    parts = [f"Calibration error {_words.number(result.ece)} (temperature {_words.number(result.temperature)})."]
    if result.unseen["test"]:
        parts.append(
            f"{result.unseen['test']:,} test rows have an answer that the model does not know: it counts as wrong."
        )
    if (held := result.abstain) is not None:
        accuracy = "none" if held.accuracy is None else f"{held.accuracy:.1%}"
        parts.append(
            f"Below a confidence of {held.threshold:.3f} no answer is given: {held.coverage:.1%} of the test rows get "
            f"one, {accuracy} of these right."
        )
    return " ".join(parts)


def _table(headings: Sequence[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="right" if place else "left", overflow="fold")
    return table


def _type_table(title: str, groups: Sequence[Group]) -> Table:
    table = _table((title, "rows", "accuracy", "95 %", "baseline"))
    for group in groups[:SHOWN_TYPES]:
        cells = (_words.number(group.test.score), _words.span(group.test), _words.number(group.baseline))
        table.add_row(*map(Text, (group.name, f"{group.rows:,}", *cells)))
    return table


def _bar(score: Score, reference: float, limits: tuple[float, float], kind: str) -> Markup:
    return _plots.interval_bar(score, reference, limits, "chosen" if kind == "chosen" else "plain")


def _type_bar(group: Group) -> Markup:
    return _plots.interval_bar(group.test, group.baseline, (-0.02, 1.02), "chosen")


def _cases(result: Answers, kind: str) -> list[dict[str, Any]]:
    return [
        {**case, "found": case["answer"], **_shown(case["answer"])} for case in result.cases if case["kind"] == kind
    ]


def _shown(found: Answer) -> dict[str, Any]:
    """Pictures that have no evidence map, and drawings of evidence."""
    mapped = {one.column for one in found.evidence if one.kind == "patches"}
    return {
        "pictures": [(name, html._picture(data)) for name, data in found.pictures.items() if name not in mapped],
        "blocks": saliency_blocks([_quiet(one) for one in found.evidence], found.pictures),
    }


def _quiet(one: Saliency) -> Saliency:
    """Nothing shaded where no piece matters: each item is shaded by its own strongest, however weak that is."""
    values = np.asarray(one.values, float)
    return one if np.abs(values).max(initial=0.0) >= LEAST else replace(one, values=np.zeros_like(values).tolist())
