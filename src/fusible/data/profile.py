"""The figures of a column that inference looks at."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fusible.data.cells import CODE, ByteCells, absent, is_binary, is_string, parse_numbers
from fusible.data.kinds import by_bytes, by_path, resolve
from fusible.types import Modality

SAMPLE = 200
"""Cells looked at where reading all of them would take long."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Figures of one column: how full, how varied, and (for text) what its values look like.

    `distinct` counts different present values; -1 for cells that cannot be compared. `length` and `words` are means
    over the different values (a Chinese or Japanese sign counts as a word); `numeric` is the share of cells that are
    numbers or dates, `strangers` the number of those that are not. `media` is what most cells are by ending or first
    bytes; `media_share` their share in the sample, `found` of `looked` sampled files exist.
    """

    name: str
    kind: pa.DataType
    rows: int
    present: int
    distinct: int
    length: float = 0.0
    words: float = 0.0
    blanks: bool = False
    ascii: bool = True
    values: tuple[str, ...] = ()
    numeric: float = 0.0
    strangers: int = 0
    codes: bool = False
    counter: bool = False
    media: Modality | None = None
    media_share: float = 0.0
    found: int = 0
    looked: int = 0


def profile(name: str, column: pa.ChunkedArray, root: Path | None) -> Profile:
    """Measure a column."""
    kind = column.type
    there = ~absent(column)
    rows, present = len(column), int(there.sum())
    if is_binary(kind):
        cells = ByteCells(column)
        media, share = _most([by_bytes(bytes(cells[row][:16])) for row in _sample(there).tolist()])
        return Profile(name, kind, rows, present, -1, media=media, media_share=share)
    if is_string(kind):
        return _profile_text(name, column.filter(pa.array(there)), rows, root)
    if pa.types.is_nested(kind):
        return Profile(name, kind, rows, present, -1)
    values = column.filter(pa.array(there))
    distinct = len(values.unique())
    return Profile(name, kind, rows, present, distinct, counter=_counts_rows(values, distinct))


def _sample(there: np.ndarray) -> np.ndarray:
    """Rows of at most `SAMPLE` present cells, evenly spaced."""
    rows = np.flatnonzero(there)
    if len(rows) <= SAMPLE:
        return rows
    return rows[np.linspace(0, len(rows) - 1, SAMPLE).astype(np.int64)]


def _most(kinds: list[Modality | None]) -> tuple[Modality | None, float]:
    """Most frequent medium and its share."""
    counts = Counter(kind for kind in kinds if kind is not None)
    if not counts:
        return None, 0.0
    media, count = counts.most_common(1)[0]
    return media, count / len(kinds)


def _counts_rows(values: pa.ChunkedArray, distinct: int) -> bool:
    """Whether integers number the rows: all different, without a gap."""
    if not pa.types.is_integer(values.type) or distinct != len(values) or distinct < 20:
        return False
    ends = pc.min_max(values).as_py()
    return bool(ends["max"] - ends["min"] + 1 == distinct)


def _profile_text(name: str, values: pa.ChunkedArray, rows: int, root: Path | None) -> Profile:
    levels = pc.unique(values)
    sample = [levels[int(index)].as_py() for index in _sample(np.ones(len(levels), dtype=bool))]
    media, share = _most([by_path(text) for text in sample])
    found, looked = _existing(sample, root) if media is not None else (0, 0)
    numbers, bad = parse_numbers(values)
    spaces = pc.count_substring_regex(pc.utf8_trim_whitespace(levels), r"\s+")
    signs = pc.count_substring_regex(levels, r"[\p{Han}\p{Hiragana}\p{Katakana}]")
    return Profile(
        name,
        values.type,
        rows,
        len(values),
        len(levels),
        length=pc.mean(pc.utf8_length(levels)).as_py() or 0.0,
        words=(pc.mean(pc.add(spaces, signs)).as_py() or 0.0) + 1.0,
        blanks=bool(pc.any(pc.greater(spaces, 0)).as_py()),
        ascii=bool(pc.all(pc.string_is_ascii(levels)).as_py()),
        values=tuple(levels.to_pylist()) if len(levels) <= 6 else (),
        numeric=1.0 - float(bad.mean()) if len(values) else 0.0,
        strangers=int(bad.sum()),
        codes=bool(pc.any(pc.match_substring_regex(values, CODE)).as_py()),
        counter=_counts_rows(numbers, len(levels)),
        media=media,
        media_share=share,
        found=found,
        looked=looked,
    )


def _existing(paths: list[str], root: Path | None) -> tuple[int, int]:
    """How many of the paths are files, of how many."""
    media = [path for path in paths if by_path(path) is not None]
    return sum(resolve(path, root).is_file() for path in media), len(media)
