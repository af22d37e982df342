"""A film's timeline in the terminal and as one HTML page: player, lanes over one clock, storyboard, what was said."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from markupsafe import Markup
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fusible.data.kinds import by_bytes
from fusible.report import html
from fusible.report._players import data_uri, link, media_type, read_start
from fusible.report._timeline_lanes import TITLES, Block, covered, curves, lanes, length, percent, ticks
from fusible.report._timeline_story import (
    MOST_WORDS,
    content,
    has_picture,
    shares,
    statement,
    story,
    stretch,
    transcript,
    whole,
)
from fusible.tasks.video.storyboard import clock
from fusible.tasks.video.timeline import LANES, MOMENT, SHOT, WORDS, Entry, Timeline
from fusible.types import Modality

PLAYED = 8 * 2**20
"""Bytes of a film up to which it is embedded; larger ones are linked."""
UNPLAYED = "video/x-msvideo"
"""What no browser plays: linked, for another player."""
MOST_ROWS = 200
"""Entries per lane that the tables list."""
MOST_WARNINGS = 20
MOST_BANDS = 60


def write_page(timeline: Timeline, path: str | os.PathLike[str], film: str | os.PathLike[str] | None = None) -> Path:
    """Write the page, whole or not at all, and return its path; `ConfigError` where there is no such folder.

    `film` is the file that the page plays; see `render`.
    """
    path = Path(path)
    return html.write_page(lambda: render(timeline, None if film is None else Path(film), path), path)


def render(timeline: Timeline, film: Path | None = None, page: Path | None = None) -> str:
    """Give the page as text.

    A `film` of up to `PLAYED` bytes is embedded. A larger one is linked: by its place relative to the folder of `page`
    where that is given, else by its absolute place. Without a film the page shows the key frames instead.
    """
    span, cards, drawn = length(timeline), story(timeline), lanes(timeline)
    script = html.render_template("_timeline.js.j2", {})
    text = html.render_template(
        "timeline.html.j2",
        {
            "timeline": timeline,
            "name": Path(timeline.file).name or timeline.file,
            "statement": statement(timeline),
            "facts": _facts(timeline.film),
            "kicker": _kicker(timeline),
            "span": span,
            "player": _player(film, page, timeline),
            "cards": cards,
            "pictures_left": len(timeline.key_frames) - len(cards),
            "lanes": drawn,
            "curves": curves(timeline, span) if span > 0 else [],
            "ticks": ticks(span) if span > 0 else [],
            "bands": _bands(timeline, span),
            "content": content(timeline),
            "transcript": transcript(timeline),
            "words_left": max(0, len(timeline.lane(WORDS)) - MOST_WORDS),
            "tables": [_table(timeline, name) for name in LANES if timeline.lane(name)],
            "warnings": [_warning(text) for text in timeline.warnings[:MOST_WARNINGS]],
            "warnings_left": max(0, len(timeline.warnings) - MOST_WARNINGS),
            "settings": html.flat(timeline.settings),
            "held": _held(drawn, span),
            "script": Markup(script),  # noqa: S704  (our own template, with nothing filled in)
            "digest": b64encode(sha256(script.encode()).digest()).decode(),
            "clock": clock,
            "percent": percent,
        },
    )
    return text.encode("utf-8", "replace").decode()  # names of files need not be text


def _held(drawn: list[dict[str, Any]], span: float) -> dict[str, Any]:
    """What the page's script draws from: labels once, and per lane its blocks as short lists."""
    labels: dict[str, int] = {}

    def plain(block: Block) -> list[Any]:
        said = labels.setdefault(", ".join(block.labels) + (", …" if block.more else ""), len(labels))
        score = None if block.score is None else round(block.score, 3)
        return [round(block.start, 3), round(block.end, 3), said, score, block.row, block.tone, block.count]

    held = [{"name": lane["name"], "blocks": [plain(block) for block in lane["blocks"]]} for lane in drawn]
    return {"seconds": round(span, 3), "lanes": held, "labels": list(labels)}


def _player(film: Path | None, page: Path | None, timeline: Timeline) -> dict[str, Any] | None:
    """How the film is played: a sound or a video, embedded or linked; None where there is no such file."""
    start = None if film is None else read_start(film, PLAYED + 1)
    if film is None or not start:
        return None
    kind = media_type(start)
    sound = by_bytes(start[:16]) == Modality.AUDIO or not has_picture(timeline.film)
    embedded = kind is not None and kind != UNPLAYED and len(start) <= PLAYED
    return {
        "tag": "audio" if sound else "video",
        "source": data_uri(start, kind) if kind is not None and embedded else link(film, page),
        "embedded": embedded,
        "kind": film.suffix.lstrip(".").upper() or kind or "",
        "poster": None if sound else next((html._picture(one.jpeg) for one in timeline.key_frames), None),
    }


def _kicker(timeline: Timeline) -> str:
    film, parts = timeline.film, [whole(length(timeline))]
    if film.get("width") and film.get("height"):
        parts.append(f"{film['width']} × {film['height']}")
    return " · ".join(parts)


def _facts(film: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Facts of the film as lines of two texts."""
    said = {True: "yes", False: "no"}
    lines = html.flat({name: said[value] if isinstance(value, bool) else value for name, value in film.items()})
    return [(name.replace("_", " "), value) for name, value in lines]


def _bands(timeline: Timeline, span: float) -> list[tuple[float, float]]:
    """Left edges and widths in percent of the moments, which are marked behind all lanes."""
    moments = timeline.lane(MOMENT)
    if span <= 0 or len(moments) > MOST_BANDS:
        return []
    return [(100 * one.start / span, 100 * (one.end - one.start) / span) for one in moments]


def _table(timeline: Timeline, name: str) -> dict[str, Any]:
    entries = timeline.lane(name)
    shown = entries[:MOST_ROWS]
    scored = any(entry.score is not None for entry in shown)
    return {"title": TITLES[name], "count": len(entries), "entries": shown, "scored": scored}


def _warning(text: str) -> tuple[str, str]:
    """Name and explanation of a warning."""
    name, colon, rest = text.partition(": ")
    return (name, rest) if colon else (text, "")


def print_timeline(timeline: Timeline, console: Console | None = None) -> None:
    """Print the film in a sentence, then per lane how much was found and what, its moments, and its warnings."""
    console = console or Console()
    console.print(Text(f"{timeline.file} · {_kicker(timeline)}", style="dim"))
    console.print(Text(statement(timeline), style="bold"))
    span = length(timeline)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("lane")
    table.add_column("entries", justify="right")
    table.add_column("of the film", justify="right")
    table.add_column("what", overflow="fold", ratio=1)
    for name in LANES:
        entries = timeline.lane(name)
        if entries:
            share = percent(covered(entries) / span) if span else "–"
            table.add_row(TITLES[name].lower(), f"{len(entries):,}", share, Text(_what(timeline, name, entries)))
    if table.row_count:
        console.print(table)
    for text in timeline.warnings[:MOST_WARNINGS]:
        console.print(Text(text, style="yellow"))
    if len(timeline.warnings) > MOST_WARNINGS:
        console.print(Text(f"and {len(timeline.warnings) - MOST_WARNINGS:,} more warnings", style="yellow"))


def _what(timeline: Timeline, name: str, entries: list[Entry]) -> str:
    """What a lane holds, in a line: labels with their shares, lengths of shots, words as said, times of moments."""
    if name == SHOT:
        lengths = sorted(entry.end - entry.start for entry in entries)
        return f"{lengths[0]:.1f} to {lengths[-1]:.1f} s, half of them under {lengths[len(lengths) // 2]:.1f} s"
    if name == WORDS:
        said = " ".join(" ".join(entry.label for entry in entries[:60]).split())
        return said if len(said) <= 120 else said[:119] + "…"
    if name == MOMENT:
        times = [stretch(entry) for entry in entries[:5]]
        return ", ".join(times) + (", …" if len(entries) > 5 else "")
    found = shares(timeline, name)
    return ", ".join(f"{label} {percent(share)}" for label, share, _ in found[:6]) + (", …" if len(found) > 6 else "")
