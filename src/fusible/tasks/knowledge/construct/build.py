"""Building a graph from documents, and adding to one: what is read once is never read again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fusible.data.graph import Graph, read_graph
from fusible.data.schema import near_names
from fusible.data.texts import Document, read_texts
from fusible.errors import ConfigError, DataError
from fusible.evaluation.study import plain
from fusible.tasks.knowledge.construct._tables import assemble
from fusible.tasks.knowledge.extract.extracted import Extractor, Said
from fusible.tasks.knowledge.graph_store import (
    DOCUMENTS,
    INFO,
    MENTIONS,
    GraphStore,
    check_store,
    read_store,
    rows_table,
)
from fusible.tasks.source import Progress, stage
from fusible.types import Problem

BATCH = 256
"""Documents read at a time."""
ORDER = ("document", "head_start", "tail_start", "relation", "head_end", "tail_end", "extractor")
"""Columns by which mentions are in order: the same whatever was read first."""


@dataclass(slots=True)
class Built:
    """What `build_graph` gives: the graph with its sources, sizes, what was done to documents, and what is odd."""

    store: GraphStore
    folder: Path | None
    sizes: dict[str, int]
    documents: dict[str, int]
    problems: list[Problem] = field(default_factory=list)

    @property
    def graph(self) -> Graph:
        """The triples alone, as `read_graph` gives them."""
        return read_graph(self.store.triples.select(["head", "relation", "tail"]))

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        found = {"sizes": self.sizes, "documents": self.documents, "extractors": self.store.info["extractors"]}
        return {**plain(found), "problems": [f"{one.column}: {one.message}" for one in self.problems]}


def build_graph(
    texts: Any = None,
    output: str | Path | None = None,
    *,
    text: str | None = None,
    id: str | None = None,
    extractor: str | Path | Extractor | None = None,
    merge: bool | None = None,
    encodings: bool | None = None,
    apart: Collection[str] = (),
    remove: Collection[str] = (),
    device: str = "cpu",
    cache: str | Path | None = None,
    progress: Progress | None = None,
) -> Built:
    """Read a graph out of documents; where `output` holds one already, bring that up to date.

    Documents that the graph has with the same content are not read again, those with other content are read in place
    of the old ones, others are added. Names and triples are then put together anew, from what was read: the graph is
    the same as one built at once from the same documents.

    Parameters
    ----------
    texts : path, table, mapping or sequence, optional
        As `fusible.data.texts.read_texts` takes them: a text file, a folder of `.txt` files, a table, texts by id.
    output : path, optional
        Folder of the graph; without it nothing is written.
    text, id : str, optional
        Columns of a table: the texts, and what they are called (their hashes else).
    extractor : path or Extractor, optional
        Folder of a trained extractor, or any object that keeps the contract (default: rules over a parse).
    merge, encodings : bool, optional
        Whether names of one entity are put together (default: as the graph in `output` has it, else yes), and whether
        like encodings by `text_minilm` count as evidence.
    apart : collection of str
        Names that stay for themselves, now and later.
    remove : collection of str
        Documents to take out.

    Raises
    ------
    DataError
        Texts that cannot be read; documents to remove that are not there.

    >>> built = build_graph(["Ada Lovelace was born in London."], encodings=False)
    >>> built.store.triples.select(["head", "relation", "tail"]).to_pylist()
    [{'head': 'Ada Lovelace', 'relation': 'born in', 'tail': 'London'}]
    """
    place = None if output is None else check_store(Path(output))
    old = read_store(place) if place is not None and (place / INFO).is_file() else None
    if texts is None and (old is None or (text or id)):
        raise ConfigError("graph build: no texts; give a text file, a folder of .txt files, or a table")
    documents, problems = ([], []) if texts is None else read_texts(texts, text=text, id=id)
    reader = _extractor(extractor, device)
    plan = _Plan.of(old, documents, remove)
    mentions, none = _read(plan, reader, progress)
    settings = _settings(old, merge, encodings, apart)
    info = {"extractors": sorted({*pc.unique(mentions["extractor"]).to_pylist()}), **settings}
    tables, odd = assemble(mentions, settings, device=device, cache=cache, progress=progress)
    store = GraphStore(info=info, documents=plan.table(), **tables)
    if place is not None:
        store.save(place)
    sizes = {"entities": len(store.entities), "triples": len(store.triples), "mentions": len(store.mentions)}
    sizes["relations"] = len(pc.unique(store.triples["relation"]))
    odd = [
        *_silent(none),
        *_mixed(old, mentions, reader.name, plan, extractor is not None),
        *_unknown(apart, mentions),
        *odd,
    ]
    return Built(store, place, sizes, plan.counts, [*problems, *odd])


@dataclass(slots=True)
class _Plan:
    """What is kept of the old graph, and what is to be read."""

    kept: dict[str, tuple[str, str]]
    old: pa.Table
    fresh: list[Document]
    counts: dict[str, int]

    @classmethod
    def of(cls, old: GraphStore | None, documents: Sequence[Document], remove: Collection[str]) -> _Plan:
        rows = [] if old is None else old.documents.to_pylist()
        known = {row["document"]: row["hash"] for row in rows}
        for name in remove:
            if name not in known:
                hint = near_names(name, list(known), "documents") if known else "the graph has none"
                raise DataError(f"graph build: no document {name!r} to remove; {hint}")
        told = {document.id: document for document in documents}
        both = sorted(set(remove) & set(told))
        if both:
            raise ConfigError(f"graph build: {both[0]!r} is to be removed and is among the texts; leave one out")
        fresh = [document for document in documents if known.get(document.id) != document.hash]
        changed = sum(document.id in known for document in fresh)
        gone = {*remove, *(document.id for document in fresh)}
        kept = {row["document"]: (row["hash"], row["text"]) for row in rows if row["document"] not in gone}
        counts = {"added": len(fresh) - changed, "changed": changed, "same": len(documents) - len(fresh)}
        counts |= {"removed": len(set(remove)), "all": len(kept) + len(fresh)}
        mentions = MENTIONS.empty_table() if old is None else old.mentions
        return cls(kept, mentions, fresh, counts)

    def table(self) -> pa.Table:
        """All documents, by name."""
        rows = {name: {"document": name, "hash": key, "text": text} for name, (key, text) in self.kept.items()}
        rows |= {d.id: {"document": d.id, "hash": d.hash, "text": d.text} for d in self.fresh}
        return rows_table([rows[name] for name in sorted(rows)], DOCUMENTS)


def _read(plan: _Plan, reader: Extractor, progress: Progress | None) -> tuple[pa.Table, list[str]]:
    """Mentions of all documents, in their order, and fresh documents that say nothing; equal texts are read once."""
    texts = {document.hash: document.text for document in plan.fresh}
    said = _extracted(texts, reader, progress)
    names = pa.array(list(plan.kept), pa.large_string())
    fresh = [row for document in plan.fresh for row in _mentions(document, said[document.hash], reader.name)]
    kept = plan.old.filter(pc.is_in(plan.old["document"], value_set=names))
    whole = pa.concat_tables([kept, rows_table(fresh, MENTIONS)])
    none = [d.id for d in plan.fresh if d.text.strip() and not said[d.hash]]
    return whole.take(pc.sort_indices(whole, sort_keys=[(name, "ascending") for name in ORDER])), none


def _extracted(texts: Mapping[str, str], reader: Extractor, progress: Progress | None) -> dict[str, list[Said]]:
    """What each text says, by its hash."""
    said: dict[str, list[Said]] = {}
    keys = list(texts)
    with stage(progress, "read", len(keys)) as bar:
        for start in range(0, len(keys), BATCH):
            some = keys[start : start + BATCH]
            said.update(zip(some, reader.extract([texts[key] for key in some]), strict=True))
            bar.advance(len(some))
    return said


def _mentions(document: Document, found: Iterable[Said], name: str) -> Iterable[dict[str, Any]]:
    for said in found:
        start, end = said.sentence
        yield {
            "head": said.head,
            "relation": said.relation,
            "tail": said.tail,
            "document": document.id,
            "sentence": document.text[start:end],
            "start": start,
            "end": end,
            "head_name": " ".join(said.head.split()),
            "head_text": document.text[slice(*said.head_at)],
            "head_start": said.head_at[0],
            "head_end": said.head_at[1],
            "head_type": said.head_type,
            "tail_name": " ".join(said.tail.split()),
            "tail_text": document.text[slice(*said.tail_at)],
            "tail_start": said.tail_at[0],
            "tail_end": said.tail_at[1],
            "tail_type": said.tail_type,
            "confidence": float(np.clip(said.confidence, 0.0, 1.0)),
            "extractor": name,
        }


def _extractor(given: str | Path | Extractor | None, device: str) -> Extractor:
    if given is None:
        from fusible.tasks.knowledge.construct.parse_rules import RuleExtractor

        return RuleExtractor()
    if isinstance(given, str | Path):
        from fusible.tasks.knowledge.extract.extractor import load_extractor

        trained: Extractor = load_extractor(given, device=device)
        return trained
    return given


def _settings(
    old: GraphStore | None, merge: bool | None, encodings: bool | None, apart: Collection[str]
) -> dict[str, Any]:
    """How names are put together: as said, else as before."""
    before: dict[str, Any] = {} if old is None else dict(old.info)
    return {
        "merge": bool(before.get("merge", True) if merge is None else merge),
        "encodings": bool(before.get("encodings", True) if encodings is None else encodings),
        "apart": sorted({*map(str, before.get("apart", ())), *apart}),
    }


def _silent(names: Sequence[str]) -> list[Problem]:
    if not names:
        return []
    shown = ", ".join(map(repr, names[:3]))
    message = f"nothing was read from {len(names)} document(s) ({shown}): none states facts, or none in English"
    return [Problem("silent", "documents", message, count=len(names))]


def _mixed(old: GraphStore | None, mentions: pa.Table, reader: str, plan: _Plan, chosen: bool) -> list[Problem]:
    """Documents that another extractor has read: they are not read again, also where one is asked for."""
    if old is None or not (plan.fresh or (chosen and plan.counts["same"])):
        return []
    others = mentions.filter(
        pc.and_(
            pc.not_equal(mentions["extractor"], reader),
            pc.is_in(mentions["document"], value_set=pa.array(list(plan.kept), pa.large_string())),
        )
    )
    count = len(pc.unique(others["document"]))
    if not count:
        return []
    names = ", ".join(sorted(pc.unique(others["extractor"]).to_pylist()))
    message = f"{count} document(s) stay as {names} read them, not {reader}; build a new graph to read all alike"
    return [Problem("mixed", "documents", message, count=count)]


def _unknown(apart: Collection[str], mentions: pa.Table) -> list[Problem]:
    """Names to leave alone that no text has."""
    known = {name for end in ("head", "tail") for name in pc.unique(mentions[f"{end}_name"]).to_pylist()}
    lost = sorted(set(apart) - known)
    if not lost:
        return []
    message = (
        f"no text has the name {lost[0]!r} that is to be left alone; {near_names(lost[0], sorted(known), 'names')}"
    )
    return [Problem("unknown", "names", message, count=len(lost))]
