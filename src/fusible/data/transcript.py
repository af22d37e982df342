"""Transcripts: what is said when, from SubRip (SRT), WebVTT, or a table of words or sentences with their times."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fusible.data._captions import captions
from fusible.data._encoding import decoded
from fusible.data._timed_table import timed_rows
from fusible.data.files import kind_of
from fusible.errors import DataError, FusibleWarning
from fusible.types import Problem

ENDINGS = (".srt", ".vtt")
SHOWN = 3
"""Skipped cues that a warning names; all are in `skipped`."""

WORD = re.compile(r"\s*(?:[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]|[^\s\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]+)")
"""A word; a glyph of a script that is written without blanks (Thai, Lao, Japanese, Chinese) is one."""


@dataclass(frozen=True, slots=True)
class Cue:
    """A text that is said, or shown, from `start` to `end` seconds."""

    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class Transcript:
    """Cues in the order of their starts, then ends; they may overlap. `skipped` says what could not be used."""

    cues: tuple[Cue, ...]
    skipped: tuple[Problem, ...] = ()

    def during(self, start: float, end: float) -> str:
        """Text said from `start` to `end`: of each cue the words that fall there, joined by blanks.

        Words are taken to be spread evenly over their cue, each where its middle is; a cue of one word counts where its
        own middle is. A text without blanks (Chinese, Japanese) is divided by characters.

        >>> said = Transcript((Cue(0.0, 4.0, "one two three four"), Cue(3.0, 5.0, "and")))
        >>> said.during(0, 2), said.during(2, 4.5), said.during(5, 9)
        ('one two', 'three four and', '')
        """
        return self.on(np.array([start]), np.array([end]))[0]

    def on(self, starts: np.ndarray, ends: np.ndarray) -> list[str]:
        """Text said in each span from `starts` to `ends` (spans,), as `during` gives it."""
        words = _words(self.cues)
        middles = np.array([middle for middle, _, _ in words])
        found = []
        for start, end in zip(np.asarray(starts, float), np.asarray(ends, float), strict=True):
            low, high = np.searchsorted(middles, [start, end], side="left")
            found.append(_joined(words[low:high]))
        return found

    def __len__(self) -> int:
        return len(self.cues)


def read_transcript(path: str | Path, *, encoding: str | None = None, clip: str | None = None) -> Transcript:
    """Read `.srt`, `.vtt`, or a table (`.csv`, `.tsv`, `.jsonl`, `.parquet`) of texts with start and end.

    Markup is taken out. Overlapping cues are kept; empty, malformed or reversed ones are skipped, listed in `skipped`
    and counted in a `FusibleWarning`. Files that are not UTF-8 are read as UTF-16 where they look like it, else as
    Windows-1252, with a `FusibleWarning` that says so; `encoding` says what they are. A table may hold several clips:
    `clip` picks one. Raises `DataError` in one line for what is no transcript or has no cue to use.
    """
    file = Path(path)
    if file.suffix.lower() in ENDINGS:
        rows, skipped = captions(decoded(file, encoding), str(file))
    elif kind_of(file):
        rows, skipped = timed_rows(file, encoding, clip)
    else:
        raise DataError(f"{file}: not a transcript: expected .srt, .vtt, or a table (.csv, .tsv, .jsonl, .parquet)")
    return _checked(rows, skipped, str(file))


def _checked(rows: Iterable[tuple[int, float, float, str]], skipped: Sequence[Problem], where: str) -> Transcript:
    """Sort cues (place, start, end, text), leave out those that cannot be, and say how many."""
    problems, cues = list(skipped), []
    for place, start, end, text in rows:
        if not text:
            problems.append(_problem(where, place, "no text"))
        elif not (np.isfinite(start) and np.isfinite(end) and start >= 0):
            problems.append(_problem(where, place, f"times {start:g} to {end:g} s"))
        elif end <= start:
            problems.append(_problem(where, place, f"ends at {end:g} s, not after it starts at {start:g} s"))
        else:
            cues.append(Cue(float(start), float(end), text))
    if not cues:
        why = f"; {problems[0].message}" if problems else ""
        raise DataError(f"{where}: no cue that can be used: expected texts with start and end{why}")
    if problems:
        named = "; ".join(problem.message for problem in problems[:SHOWN])
        more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        warnings.warn(f"{where}: {len(problems)} cues skipped: {named}{more}", FusibleWarning, stacklevel=3)
    return Transcript(tuple(sorted(cues, key=lambda cue: (cue.start, cue.end))), tuple(problems))


def _problem(where: str, place: int, what: str) -> Problem:
    return Problem("cue", where, f"cue {place}: {what}", rows=(place,), count=1)


def _words(cues: Iterable[Cue]) -> list[tuple[float, int, str]]:
    """Words with their middles and cues, in the order of these; a blank before a word is part of it."""
    words = []
    for number, cue in enumerate(cues):
        parts = WORD.findall(cue.text)
        width = (cue.end - cue.start) / max(1, len(parts))
        words += [(cue.start + (place + 0.5) * width, number, part) for place, part in enumerate(parts)]
    return sorted(words, key=lambda word: word[:2])


def _joined(words: Sequence[tuple[float, int, str]]) -> str:
    """Words cue by cue: what overlaps is not mixed."""
    texts: dict[int, str] = {}
    for _, number, part in words:
        texts[number] = texts.get(number, "") + part
    return " ".join(texts[number].strip() for number in sorted(texts))
