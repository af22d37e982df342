"""What a Whisper model wrote of a window of sound, as cues: tokens between time stamps (Radford et al., ICML 2023)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

PRECISION = 0.02
"""Seconds between the times of two stamps that follow one another."""


class Piece(NamedTuple):
    """Tokens of what is said from `start` to `end` seconds of a window."""

    start: float
    end: float
    tokens: tuple[int, ...]


def pieces_of(tokens: Sequence[int], stamp: int, seconds: float) -> tuple[list[Piece], float]:
    """Pieces that end within a window of `seconds`, and up to which time it was written down.

    Tokens from `stamp` on are times, 0.02 s each. Two of them side by side end a piece and begin the next. A piece that
    is begun but not ended stands at the window's edge, and is to be heard again from its start on; a single stamp at
    the end says that nothing is said any more.

    >>> pieces_of([100, 7, 8, 150, 150, 9], 100, 30.0)
    ([Piece(start=0.0, end=1.0, tokens=(7, 8))], 1.0)
    >>> pieces_of([100, 7, 8, 150], 100, 30.0)
    ([Piece(start=0.0, end=1.0, tokens=(7, 8))], 30.0)
    """
    times = [token >= stamp for token in tokens]
    cuts = [place + 1 for place in range(len(tokens) - 1) if times[place] and times[place + 1]]
    if not cuts:
        stamps = [token for token in tokens if token >= stamp]
        start = (tokens[0] - stamp) * PRECISION if tokens and times[0] else 0.0
        end = (stamps[-1] - stamp) * PRECISION if stamps and stamps[-1] > stamps[0] else seconds
        return _piece(tokens, stamp, start, min(end, seconds)), seconds
    done = times[-2:] == [False, True]
    edges = [0, *cuts, *([len(tokens)] if done else [])]
    found: list[Piece] = []
    for first, last in pairwise(edges):
        part = tokens[first:last]
        start, end = ((part[side] - stamp) * PRECISION for side in (0, -1))
        found += _piece(part, stamp, max(0.0, start), min(end, seconds))
    return found, seconds if done else min((tokens[cuts[-1] - 1] - stamp) * PRECISION, seconds)


def _piece(tokens: Sequence[int], stamp: int, start: float, end: float) -> list[Piece]:
    """One piece, none where nothing is said or it has no length."""
    said = tuple(token for token in tokens if token < stamp)
    return [Piece(round(start, 3), round(end, 3), said)] if said and end > start else []
