"""Caption files: SubRip (SRT) and WebVTT (W3C), read leniently, as players do."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from fusible.errors import DataError
from fusible.types import Problem

Row = tuple[int, float, float, str]
"""Number of the cue in the file, from 1; start and end in seconds; text without markup."""

CLOCK = r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})(?:[.,](\d{1,6}))?"
MARK = re.compile(r"-->|\d\s*->")
ARROW = re.compile(rf"^\s*{CLOCK}\s*-{{1,2}}>\s*{CLOCK}(?:\s.*)?$")
TAG = re.compile(r"</?[A-Za-z][^<>\n]*>|</?>|<\d[\d:.]*>|\{\\[^{}\n]*\}|\{/?[A-Za-z]:[^{}\n]*\}|\{/?[biuBIU]\}")
"""HTML-like tags, WebVTT's voice, class and time tags, SubStation overrides and MicroDVD codes."""
HIDDEN = ("NOTE", "STYLE", "REGION")
"""Blocks of WebVTT that are no cues."""


def captions(text: str, where: str) -> tuple[list[Row], list[Problem]]:
    """Cues of a caption file, and what could not be read.

    Raises `DataError` where nothing in it looks like a cue's times.
    """
    rows: list[Row] = []
    problems: list[Problem] = []
    for number, (times, body) in enumerate(_blocks(text), start=1):
        match = ARROW.match(times)
        if match is None:
            message = f"cue {number}: times {times.strip()[:40]!r}, expected 00:00:01,000 --> 00:00:02,000"
            problems.append(Problem("cue", where, message, rows=(number,), count=1))
            continue
        parts = match.groups()
        rows.append((number, _seconds(*parts[:4]), _seconds(*parts[4:]), plain(body)))
    if not rows and not problems:
        raise DataError(f"{where}: no cues: expected lines such as 00:00:01,000 --> 00:00:02,000")
    return rows, problems


def plain(text: str) -> str:
    r"""Text without markup, entities resolved, in one line.

    >>> plain("<i>Well,</i> {\\an8}<v Ann>you &amp; I</v>\n  know 1 < 2")
    'Well, you & I know 1 < 2'
    """
    bare = html.unescape(TAG.sub("", text)).replace("\u200e", "").replace("\u200f", "").replace("\\N", " ")
    return " ".join(bare.split())


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    """The line of times of each cue, and the lines below it, up to an empty one or the next cue's number and times."""
    lines = text.split("\n")
    marks = [n for n, line in enumerate(lines) if MARK.search(line) and not _hidden(lines, n)]
    for mark, following in zip(marks, [*marks, len(lines)][1:], strict=True):
        body = lines[mark + 1 : following]
        if following < len(lines) and body and body[-1].strip().isdigit():
            body = body[:-1]  # a next cue's number that no empty line stands before
        elif following < len(lines) and len(body) > 1 and not body[-2].strip():
            body = body[:-1]  # a next cue's name
        yield lines[mark], "\n".join(_until_empty(body))


def _until_empty(body: list[str]) -> Iterator[str]:
    """Lines up to the first empty one; SRT files with empty lines within a cue lose none of it: digits end it."""
    for number, line in enumerate(body):
        rest = [one for one in body[number:] if one.strip()]
        if not line.strip() and (not rest or rest[0].strip().isdigit() or rest[0].startswith(HIDDEN)):
            return
        yield line


def _hidden(lines: list[str], place: int) -> bool:
    """Whether the line stands in a comment or another block that is no cue."""
    first = place
    while first > 0 and lines[first - 1].strip():
        first -= 1
    word = lines[first].split(" ")[0].strip()
    return first < place and word in HIDDEN and not any(MARK.search(line) for line in lines[first:place])


def _seconds(hours: str | None, minutes: str, seconds: str, fraction: str | None) -> float:
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + float(f"0.{fraction or 0}")
