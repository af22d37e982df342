"""Captions in the terminal and as self-contained pages: scores beside baselines, and where the writer looked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from markupsafe import Markup
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fusible.evaluation.explanation import Saliency
from fusible.evaluation.written import Captions, WriterResult, sign, title
from fusible.report import _plots, _words, html
from fusible.report._saliency import saliency_blocks
from fusible.report.terminal import print_problems
from fusible.tasks._caption_examples import maps_of, picture_of

if TYPE_CHECKING:
    from fusible.tasks.captioner import CaptionModel
    from fusible.tasks.hf_captioner import HfCaptionModel

TONES = {"helps": "good", "hurts": "bad"}
COLOURS = {"helps": "bold green", "hurts": "bold red"}
SHOWN = ("cider_d", "bleu_4", "rouge_l", "meteor", "wer", "exact", "distinct_2")
"""Metrics that tables show beside the one that was chosen by."""
KINDS = {
    "worst": ("Worst", "Test inputs with the lowest scores."),
    "best": ("Best", "Test inputs with the highest scores."),
    "drawn": ("Drawn", "Test inputs drawn at random."),
}
MOST_ROWS = 24


def print_captions(result: Captions, console: Console | None = None) -> None:
    """Print every writer and baseline with its scores, and the verdict in a sentence."""
    console = console or Console()
    sizes = ", ".join(f"{count:,} {part}" for part, count in result.items.items())
    names = " + ".join(view["name"] for view in result.views)
    console.print(Text(f"captions · {names} · {sizes} inputs", style="bold"))
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    others = [name for name in _metrics(result) if name != result.metric]
    table.add_column("writer", overflow="fold")
    for name in (title(result.metric), "95 %", *map(title, others)):
        table.add_column(name, justify="right", overflow="fold")
    for row in result.rows:
        score = row.scores[result.metric]
        cells = [row.name, _words.number(score.score), _words.span(score)]
        cells += [_words.number(row.metrics.get(name)) for name in others]
        style = "bold" if row.name == result.chosen else "dim" if row.kind == "baseline" else ""
        table.add_row(*map(Text, cells), style=style)
    console.print(table)
    console.print(Text(result.statement, style=COLOURS.get(result.verdict, "bold yellow")))
    if result.fusion is not None:
        console.print(Text(fusion_line(result)))
    for view in result.views:
        console.print(Text(f"{view['name']}: encoder {view['encoder']}, {view['why']}", style="dim"))
    for note in result.notes:
        console.print(Text(note, style="dim"))
    print_problems(result.problems, console)


def fusion_line(result: Captions) -> str:
    """Whether fusing beats the best view alone, in a sentence."""
    found = result.fusion or {}
    d = found["difference"]
    said = {"helps": "Fusion helps", "hurts": "Fusion hurts"}.get(found["verdict"], "No evidence that fusion helps")
    return (
        f"{said}: {found['best_fused']} {d.mean:+.3f} {title(result.metric)} against {found['best_single']} alone "
        f"(95 % interval {d.low:+.3f} to {d.high:+.3f}; positive is better)."
    )


def render(result: Captions) -> str:
    """Give the page of a fit as text."""
    limits = _plots.axis([row.scores[result.metric] for row in result.rows])
    rival = result.row(result.rival).scores[result.metric].score
    return html.render_template(
        "captions.html.j2",
        {
            "result": result,
            "tone": TONES.get(result.verdict, "even"),
            "metric": title(result.metric),
            "higher": sign(result.metric) > 0,
            "chosen": result.row(result.chosen),
            "fusion": "" if result.fusion is None else fusion_line(result),
            "names": [(name, title(name)) for name in _metrics(result)],
            "lines": [_line(row, rival, limits, result) for row in result.rows],
            "scale": _plots.scale_line(limits),
            "groups": [(*KINDS[kind], _cards(result, kind)) for kind in KINDS],
            "stages": html.stage_lines(result.seconds),
            "settings": html.flat(result.settings),
        },
    )


def _metrics(result: Captions) -> list[str]:
    return [name for name in SHOWN if any(name in row.metrics for row in result.rows)]


def _line(row: WriterResult, rival: float, limits: tuple[float, float], result: Captions) -> dict[str, Any]:
    kind = "chosen" if row.name == result.chosen else "plain"
    return {"row": row, "bar": _plots.interval_bar(row.scores[result.metric], rival, limits, kind)}


def _cards(result: Captions, kind: str) -> list[dict[str, Any]]:
    return [_card(example) for example in result.examples if example["kind"] == kind]


def _card(example: Mapping[str, Any]) -> dict[str, Any]:
    picture = example["picture"]
    words = [_look(word, maps, picture) for word, maps in zip(example["words"], example["maps"], strict=False)]
    return {**example, "picture": html._picture(picture), "words": [one for one in words if one["drawings"]]}


def _look(word: str, maps: list[Saliency], picture: bytes | None) -> dict[str, Any]:
    """A word with a drawing per view of where the writer looked when it wrote it."""
    drawings: list[Markup] = []
    for one in maps:
        drawings += [block["drawing"] for block in saliency_blocks([one], {one.column: picture} if picture else {})]
    return {"word": word, "drawings": drawings}


def write_page(
    model: CaptionModel | HfCaptionModel,
    data: Any,
    frame: pd.DataFrame,
    path: str | os.PathLike[str],
    settings: Mapping[str, Any],
) -> Path:
    """Write a page of captions, and where a writer that can say it looked, for the first rows; whole or not at all."""
    return html.write_page(lambda: render_rows(model, data, frame, settings), Path(path))


def render_rows(
    model: CaptionModel | HfCaptionModel, data: Any, frame: pd.DataFrame, settings: Mapping[str, Any]
) -> str:
    """Give the page of some captions as text."""
    data, cards = model.read(data), []  # once: not again for the picture and the look of every row
    for row in range(min(len(frame), MOST_ROWS)):
        picture = picture_of(model, data, row)
        said, confidence, words = str(frame["caption"].iloc[row]), float(frame["confidence"].iloc[row]), []
        if model.explains:
            seen = model.look(data, row, **settings)
            maps = maps_of(model.views, seen)
            said, confidence = seen.text, seen.confidence
            words = [_look(word, found, picture) for word, found in zip(seen.words, maps, strict=True)]
        cards.append(
            {
                "title": str(frame["file"].iloc[row]) if "file" in frame else f"row {row}",
                "picture": html._picture(picture),
                "said": said,
                "confidence": confidence,
                "words": [one for one in words if one["drawings"]],
            }
        )
    return html.render_template(
        "written.html.j2",
        {
            "cards": cards,
            "left": max(0, len(frame) - MOST_ROWS),
            "views": [view.name for view in model.views],
            "settings": html.flat({**asdict(model.settings), **{k: v for k, v in settings.items() if v is not None}}),
        },
    )
