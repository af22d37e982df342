"""Lanes of a timeline's page: entries on rows, joined where they are too many to be drawn, ticks and curves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fusible.tasks.video.storyboard import clock
from fusible.tasks.video.timeline import (
    EVENT,
    LANES,
    MOMENT,
    OBJECT,
    SHOT,
    SIGHT,
    SOUND,
    TAG,
    WORDS,
    Entry,
    Timeline,
)

TITLES = {SHOT: "Shots", SIGHT: "Seen", OBJECT: "Objects", SOUND: "Heard", WORDS: "Said"}
TITLES |= {TAG: "Tags", EVENT: "Events", MOMENT: "Moments"}
ROWS = {SHOT: 1, SIGHT: 5, OBJECT: 5, SOUND: 4, WORDS: 2, TAG: 4, EVENT: 4, MOMENT: 1}
LABELLED = {lane: TITLES[lane] for lane in (SIGHT, OBJECT, SOUND, TAG, EVENT)}
"""Lanes whose labels have colours, and what they are called on the page."""
TONES = 8
MOST_DRAWN = 20_000
"""Entries of a lane up to which the page holds each one; of more, neighbours are joined."""
FINE, COARSE = 20_000, 320
"""Parts of the film's length: entries shorter than one are joined with their neighbours, for zooming and at first."""
JOINED = 8
"""Parts that joined entries are at most long."""
NAMED = 3
POINTS = 2_400
LONGEST_LABEL = 80
STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800)


@dataclass(slots=True)
class Block:
    """What is drawn on a row: one entry, or `count` of them, with the first few of their labels."""

    start: float
    end: float
    labels: list[str]
    score: float | None
    row: int
    tone: int
    count: int = 1
    more: bool = field(default=False)

    @property
    def label(self) -> str:
        """Text on the block."""
        said = ", ".join(self.labels) + (", …" if self.more else "")
        return said if self.count == 1 else f"{self.count:,}: {said}"

    @property
    def title(self) -> str:
        """All that is known of it, in a line."""
        sure = "" if self.score is None else f" · {percent(self.score)}"
        return f"{clock(self.start)} to {clock(self.end)} · {self.label}{sure}"


def length(timeline: Timeline) -> float:
    """Seconds that the page's clock runs: of the film, or up to the last entry where that is later."""
    ends = [timeline.seconds, *(entry.end for entry in timeline.entries)]
    return max([end for end in ends if np.isfinite(end)], default=0.0)


def percent(share: float) -> str:
    """A share of one in percent, cut to what is possible.

    >>> percent(0.4321), percent(1.2)
    ('43 %', '100 %')
    """
    return f"{100 * min(max(share, 0.0), 1.0):.0f} %"


def covered(entries: Iterable[Entry]) -> float:
    """Seconds that at least one entry covers.

    >>> covered([Entry("sound", 0, 2, "a"), Entry("sound", 1, 3, "b"), Entry("sound", 5, 6, "a")])
    4.0
    """
    total, reached = 0.0, float("-inf")
    for entry in sorted(entries, key=lambda e: e.start):
        total += max(0.0, entry.end - max(entry.start, reached))
        reached = max(reached, entry.end)
    return total


def tones(timeline: Timeline) -> dict[str, int]:
    """Number of a colour per label of lanes that are `LABELLED`: those that last longest differ."""
    held: dict[str, float] = {}
    for entry in timeline.entries:
        if entry.lane in LABELLED and entry.label != "silence":
            held[entry.label] = held.get(entry.label, 0.0) + entry.end - entry.start
    order = sorted(held, key=lambda label: (-held[label], label))
    return {label: place % TONES for place, label in enumerate(order)}


def lanes(timeline: Timeline) -> list[dict[str, Any]]:
    """Every lane that has entries: name, title, number of rows, blocks for zooming, and those drawn at first."""
    span, colours, found = length(timeline), tones(timeline), []
    for name in LANES:
        entries = sorted(timeline.lane(name), key=lambda e: (e.start, e.end))
        if not entries or span <= 0:
            continue
        blocks = [
            Block(e.start, e.end, [_short(e.label)], e.score, row, colours.get(e.label, -1))
            for e, row in zip(entries, rows(entries, ROWS[name]), strict=True)
        ]
        held = blocks if len(blocks) <= MOST_DRAWN else joined(blocks, span / FINE)
        found.append(
            {
                "name": name,
                "title": TITLES[name],
                "count": len(entries),
                "rows": 1 + max(block.row for block in blocks),
                "blocks": held,
                "drawn": joined(held, span / COARSE),
            }
        )
    return found


def rows(entries: Sequence[Entry], most: int) -> list[int]:
    """A row per entry, in order of start: free, the one of its label if possible; where none is free, the last.

    >>> rows([Entry("sight", 0, 4, "sea"), Entry("sight", 1, 2, "dog"), Entry("sight", 3, 5, "dog")], 4)
    [0, 1, 1]
    """
    ends: list[float] = []
    labels: list[str] = []
    found = []
    for entry in entries:
        free = [row for row, end in enumerate(ends) if end <= entry.start + 1e-6]
        row = next((row for row in free if labels[row] == entry.label), free[0] if free else len(ends))
        if row == most:
            row -= 1
        if row == len(ends):
            ends.append(entry.end)
            labels.append(entry.label)
        ends[row], labels[row] = max(ends[row], entry.end), entry.label
        found.append(row)
    return found


def joined(blocks: Iterable[Block], pitch: float) -> list[Block]:
    """Blocks in order of start; those of a row that overlap, and short ones less than `pitch` apart, are joined."""
    found: list[Block] = []
    last: dict[int, Block] = {}
    for block in blocks:
        before = last.get(block.row)
        if before is not None and _joins(before, block, pitch):
            before.end, before.count = max(before.end, block.end), before.count + block.count
            fresh = [label for label in block.labels if label not in before.labels]
            before.more |= block.more or len(before.labels) + len(fresh) > NAMED
            before.labels = (before.labels + fresh)[:NAMED]
            before.tone, before.score = (before.tone if before.tone == block.tone else -1), None
            continue
        copy = Block(block.start, block.end, block.labels, block.score, block.row, block.tone, block.count, block.more)
        last[block.row] = copy
        found.append(copy)
    return found


def _joins(before: Block, block: Block, pitch: float) -> bool:
    if block.start < before.end - 1e-6:
        return True
    near = block.start - before.end < pitch and block.end - before.start <= JOINED * pitch
    return near and block.end - block.start < pitch and (before.count > 1 or before.end - before.start < pitch)


def ticks(span: float) -> list[tuple[float, str]]:
    """Places in percent and times of at most ten marks of the clock."""
    step = next((step for step in STEPS if span / step <= 10), span / 10)
    places = [step * k for k in range(int(span / step) + 1)]
    return [(100 * place / span, clock(place) if step < 1 else clock(place + 1e-6)[:-2]) for place in places]


def curves(timeline: Timeline, span: float) -> list[dict[str, Any]]:
    """Each curve that has values: its name, range, and its line as SVG points, 1000 wide and 100 high, by runs."""
    found = []
    for name, values in timeline.curves.items():
        times, peaks = _thinned(np.asarray(timeline.times, float), np.asarray(values, float))
        known = np.isfinite(peaks)
        if not known.any():
            continue
        low, high = float(peaks[known].min()), float(peaks[known].max())
        heights = 96 - 92 * (peaks - low) / ((high - low) or 1.0)
        edges = np.flatnonzero(np.diff(known.astype(int), prepend=0, append=0))
        lines = []
        for first, end in edges.reshape(-1, 2):
            xs = 1000 * np.append(times[first:end], times[end] if end < len(times) else span) / span
            ys = np.append(heights[first:end], heights[end - 1])
            points = " ".join(f"{x:.2f},{y:.0f}" for x, y in zip(xs, ys, strict=True))
            lines.append((points, f"{xs[0]:.2f},100 {points} {xs[-1]:.2f},100"))
        said = f"{low:.2g} to {high:.2g}".replace("-", "−")
        found.append({"name": _short(name), "range": said, "lines": lines})
    return found


def _thinned(times: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most `POINTS` steps: of several that fall together the highest value."""
    size = max(1, -(-len(values) // POINTS))
    starts = np.arange(0, len(values), size)
    return times[starts], np.fmax.reduceat(values, starts) if len(values) else values


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_LABEL else text[: LONGEST_LABEL - 1] + "…"
