"""From mentions to a graph: names to entities, and each triple once, with how sure it is."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from fusible.tasks.knowledge.construct._alias_names import Named
from fusible.tasks.knowledge.construct._alias_rules import Encode, Merge
from fusible.tasks.knowledge.construct.aliases import merge_names
from fusible.tasks.knowledge.graph_store import ENTITIES, MENTIONS, MERGES, TRIPLES, rows_table
from fusible.tasks.source import Progress
from fusible.types import Problem

CLEAR = 2 / 3
"""Share of a name's mentions that must have one type for it to be clear."""


def assemble(
    mentions: pa.Table,
    settings: Mapping[str, Any],
    *,
    device: str = "cpu",
    cache: str | Path | None = None,
    progress: Progress | None = None,
) -> tuple[dict[str, pa.Table], list[Problem]]:
    """The tables `triples`, `mentions` (with names of entities), `entities` and `merges`, and what is odd."""
    names = names_of(mentions)
    encode = _encoder(device, cache, progress) if settings["encodings"] else None
    if settings["merge"]:
        entity, made = merge_names(names, encode=encode, apart=settings["apart"])
    else:
        entity, made = {name.name: name.name for name in names}, []
    for end in ("head", "tail"):
        called = [entity[name] for name in mentions[f"{end}_name"].to_pylist()]
        place = mentions.schema.get_field_index(end)
        mentions = mentions.set_column(place, MENTIONS.field(end), pa.array(called, pa.large_string()))
    triples, loops = _triples(mentions)
    tables = {
        "triples": triples,
        "mentions": mentions,
        "entities": _entities(names, entity),
        "merges": _merges(made, entity),
    }
    if not loops:
        return tables, []
    message = f"{loops} mention(s) lead from an entity to itself: they are kept, but are no triple"
    return tables, [Problem("loop", "graph", message, count=loops)]


def names_of(mentions: pa.Table) -> list[Named]:
    """Each name at an end of a mention: how often, in which documents, and its type where most mentions have one."""
    count: Counter[str] = Counter()
    types: dict[str, Counter[str]] = defaultdict(Counter)
    places: dict[str, set[str]] = defaultdict(set)
    documents = mentions["document"].to_pylist()
    for end in ("head", "tail"):
        columns = (mentions[f"{end}_name"].to_pylist(), mentions[f"{end}_type"].to_pylist())
        for name, type_, document in zip(*columns, documents, strict=True):
            count[name] += 1
            types[name][type_] += 1
            places[name].add(document)
    return [Named(name, _type(types[name]), count[name], frozenset(places[name])) for name in sorted(count)]


def _type(found: Counter[str]) -> str:
    type_, most = min(found.items(), key=lambda item: (-item[1], item[0]))
    return type_ if most >= CLEAR * found.total() else ""


def _triples(mentions: pa.Table) -> tuple[pa.Table, int]:
    """Each triple once, in the order of places, and how many mentions are loops.

    A triple is wrong where all that say it are: 1 - prod(1 - c) over sentences, each with the best c of those that read
    it there. A sentence that stands in several places, as copies do, counts once; `count` has all places.
    """
    best: dict[tuple[str, str, str], dict[str, float]] = {}
    count: Counter[tuple[str, str, str]] = Counter()
    columns = (mentions[name].to_pylist() for name in ("head", "relation", "tail", "sentence", "confidence"))
    loops = 0
    for head, relation, tail, sentence, confidence in zip(*columns, strict=True):
        if head == tail:
            loops += 1
            continue
        triple = (head, relation, tail)
        count[triple] += 1
        found = best.setdefault(triple, {})
        text = " ".join(sentence.split())
        found[text] = max(found.get(text, 0.0), confidence)
    rows = [
        dict(zip(TRIPLES.names, (*triple, _any(sorted(found.values())), count[triple]), strict=True))
        for triple, found in best.items()
    ]
    return rows_table(rows, TRIPLES), loops


def _any(confidences: Sequence[float]) -> float:
    return float(1.0 - np.prod(1.0 - np.asarray(confidences)))


def _entities(names: Sequence[Named], entity: Mapping[str, str]) -> pa.Table:
    groups: dict[str, list[Named]] = defaultdict(list)
    for name in names:
        groups[entity[name.name]].append(name)
    rows = []
    for called, group in sorted(groups.items()):
        types: Counter[str] = Counter()
        for name in group:
            types[name.type] += name.count if name.type else 0
        type_ = min(types.items(), key=lambda item: (-item[1], item[0]))[0]
        others = sorted(name.name for name in group if name.name != called)
        total = sum(name.count for name in group)
        rows.append({"entity": called, "type": type_, "aliases": others, "count": total})
    return rows_table(rows, ENTITIES)


def _merges(made: Sequence[Merge], entity: Mapping[str, str]) -> pa.Table:
    rows = [
        {"name": m.name, "other": m.other, "rule": m.rule, "score": m.score, "entity": entity[m.name]} for m in made
    ]
    return rows_table(sorted(rows, key=lambda row: (row["entity"], row["name"], row["other"])), MERGES)


def _encoder(device: str, cache: str | Path | None, progress: Progress | None) -> Encode:
    """Vectors of names by the packaged sentence encoder, through the feature cache: no name is encoded twice."""

    def encode(names: Sequence[str]) -> np.ndarray:
        from fusible import registry
        from fusible.data.cache import ArrayCache
        from fusible.data.read import read
        from fusible.tasks.source import Source
        from fusible.tasks.vectors import pooled

        dataset = read(pd.DataFrame({"name": list(names)}), columns={"name": "text"})
        store = ArrayCache(None if cache is None else Path(cache))
        source = Source(dataset, cache=store, device=device, progress=progress)
        feed = source.feed(dataset.views["name"], registry.build("encoders", "text_minilm"), encoded=True)
        values: np.ndarray = pooled(feed, np.arange(dataset.rows)).astype(np.float32)
        return np.asarray(values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-9))

    return encode
