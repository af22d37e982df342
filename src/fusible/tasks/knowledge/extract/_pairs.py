"""Texts with the triples that they say: read from tables, split, and aligned to windows of words."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from fusible.data.read import read
from fusible.data.split import from_names
from fusible.errors import DataError
from fusible.evaluation.extraction import Triple
from fusible.tasks.knowledge.extract._align import Spans, aligned, mentions
from fusible.tasks.knowledge.extract._text import windows
from fusible.tasks.knowledge.extract._train import Labelled

NAMES = ("texts", "text")
TRIPLES = "triples"
PARTS = ("train", "valid", "test")
SHARE = 0.1
"""Of rows without a split, what is held out for validation, and for test."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One row: texts that say the same triples."""

    texts: tuple[str, ...]
    triples: tuple[Triple, ...]


def read_pairs(source: Any, *, part: str = "train") -> dict[str, list[Pair]]:
    """Read rows of texts and triples, by the part of the split; all in `part` where there is none.

    A file, folder or table as `fusible.read` takes it (also `.json`, a list of objects), with the column `texts` or
    `text` (a text, or a list of texts that say the same) and the column `triples`: lists of head, relation, tail, as
    such or as JSON. Raises `DataError` naming the row.
    """
    table = _table(source)
    where = str(source) if isinstance(source, str | Path) else "pairs"
    name = next((name for name in NAMES if name in table.column_names), None)
    if name is None or TRIPLES not in table.column_names:
        missing = "text" if name is None else TRIPLES
        raise DataError(f"{where}: no column {missing!r}; expected text (or texts) and triples: {table.column_names}")
    named = f"{where}: row "
    cells = zip(table.column(name).to_pylist(), table.column(TRIPLES).to_pylist(), strict=True)
    pairs = [
        Pair(_texts(texts, f"{named}{row}"), _triples(triples, f"{named}{row}"))
        for row, (texts, triples) in enumerate(cells, start=1)
    ]
    if "split" not in table.column_names:
        return {part: pairs}
    split = from_names(np.array(table.column("split").to_pylist(), dtype=object))
    return {one: [pairs[row] for row in rows] for one, rows in split.parts.items() if len(rows)}


def split_pairs(pairs: Sequence[Pair], seed: int) -> dict[str, list[Pair]]:
    """Hold out a tenth each for validation and test; rows with the same triples stay together."""
    groups: dict[tuple[Triple, ...], list[Pair]] = {}
    for pair in pairs:
        groups.setdefault(tuple(sorted(pair.triples)), []).append(pair)
    if len(groups) < 3:
        raise DataError(f"pairs: {len(groups)} row(s) with different triples; expected at least 3 to split")
    order = list(groups.values())
    held = max(1, round(SHARE * len(order)))
    places = np.random.default_rng(seed).permutation(len(order))
    bounds = {"test": places[:held], "valid": places[held : 2 * held], "train": places[2 * held :]}
    return {part: [pair for place in bounds[part].tolist() for pair in order[place]] for part in PARTS}


@dataclass(slots=True)
class Material:
    """Labelled windows of each row, and how many triples (of each text) could be found in it."""

    rows: list[list[Labelled]]
    found: int = 0
    triples: int = 0
    lost: list[Triple] = field(default_factory=list)
    """Those that could not be."""
    called: list[tuple[str, str, str, str]] = field(default_factory=list)
    """Relation, role, what the text says, and the name in the triple, of each mention of a triple."""


def labelled(pairs: Sequence[Pair], relations: Mapping[str, int], tokenizer: Any) -> Material:
    """Align texts to their triples; a text of several windows has what each of them says by itself."""
    material, texts = Material([]), [text for pair in pairs for text in pair.texts]
    held: dict[int, list[Labelled]] = {}
    triples = [pair.triples for pair in pairs for _ in pair.texts]
    seen: list[set[Triple]] = [set() for _ in texts]
    for window in windows(tokenizer, texts):
        own = triples[window.text]
        spans = Spans(texts[window.text], window.words.tolist())
        places = mentions(list(dict.fromkeys(name for head, _, tail in own for name in (head, tail))), spans)
        for one in own:
            if aligned([one], places):
                seen[window.text].add(one)
                ends = (("head", one[0]), ("tail", one[2]))
                material.called += [(one[1], role, spans.slice(at), name) for role, name in ends for at in places[name]]
        held.setdefault(window.text, []).append(_labels(window, own, places, relations))
    for number in range(len(texts)):
        material.triples += len(triples[number])
        material.found += len(seen[number])
        material.lost += [one for one in triples[number] if one not in seen[number]]
    start = 0
    for pair in pairs:
        own_windows = [one for number in range(start, start + len(pair.texts)) for one in held.get(number, ())]
        start += len(pair.texts)
        if own_windows:
            material.rows.append(own_windows)
    return material


def _labels(
    window: Any, triples: Sequence[Triple], places: Mapping[str, Any], relations: Mapping[str, int]
) -> Labelled:
    spans = {(first, end - 1) for held in places.values() for first, end in held}
    pairs = [
        ((a, b - 1), relations[relation], (c, d - 1))
        for (a, b), relation, (c, d) in aligned(triples, places)
        if relation in relations
    ]
    return Labelled(window, tuple(sorted(spans)), tuple(pairs))


def _table(source: Any) -> pa.Table:
    if not isinstance(source, str | Path) or not Path(source).name.lower().endswith((".json", ".json.gz")):
        return read(source).table
    path = Path(source)
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix.lower() == ".gz" else path.read_bytes()
        return pa.Table.from_pylist(json.loads(raw))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (OSError, EOFError, ValueError, TypeError, AttributeError, pa.ArrowException) as error:
        said = " ".join(str(error).split())[:200]
        raise DataError(f"{path}: expected a JSON list of objects with text and triples: {said}") from None


def _texts(cell: Any, where: str) -> tuple[str, ...]:
    """Texts of a cell: none, one, or several; a list may be written as JSON."""
    if isinstance(cell, str) and cell.lstrip().startswith("["):
        try:
            cell = json.loads(cell)
        except ValueError:
            return (cell,)
    texts = [cell] if isinstance(cell, str) else [] if cell is None else cell
    if not isinstance(texts, list):
        raise DataError(f"{where}: expected a text, or a list of texts, got {str(cell)[:80]!r}")
    return tuple(text for text in texts if isinstance(text, str) and text.strip())


def _triples(cell: Any, where: str) -> tuple[Triple, ...]:
    expected = f"{where}: expected a list of triples [head, relation, tail]"
    if isinstance(cell, str):
        try:
            cell = json.loads(cell or "[]")
        except ValueError as error:
            raise DataError(f"{expected} as JSON: {error}") from None
    if not isinstance(cell, list | None):
        raise DataError(f"{expected}, got {str(cell)[:80]!r}")
    found = []
    for one in cell or ():
        parts: Any = [one.get(name) for name in ("head", "relation", "tail")] if isinstance(one, Mapping) else one
        good = isinstance(parts, list | tuple) and len(parts) == 3
        if not good or not all(isinstance(part, str) and part.strip() for part in parts):
            raise DataError(f"{expected} of text, got {str(one)[:80]!r}")
        found.append((parts[0], parts[1], parts[2]))
    return tuple(dict.fromkeys(found))
