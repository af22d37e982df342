"""Knowledge graphs as arrays: triples of head, relation and tail, in the parts of a split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fusible.data.graph_files import COLUMNS, PARTS, Batches, read_files
from fusible.data.iri import NAMESPACE, check_namespace
from fusible.errors import DataError
from fusible.types import Problem


@dataclass(frozen=True, slots=True)
class Graph:
    """A graph: names of `entities` and `relations`, `triples` int64 (rows, 3) of their places, no triple twice.

    `parts` {name: rows of `triples`} is the split; a graph without one has the part `train` only. `problems` say what
    is odd: triples that were there twice, loops, and what stands in a later part alone.
    """

    entities: tuple[str, ...]
    relations: tuple[str, ...]
    triples: np.ndarray
    parts: Mapping[str, np.ndarray]
    problems: tuple[Problem, ...] = field(default=())

    def part(self, name: str) -> np.ndarray:
        """Triples (rows, 3) of a part; none where the graph lacks it."""
        return np.asarray(self.triples[self.parts.get(name, np.zeros(0, np.int64))])

    def __len__(self) -> int:
        return len(self.triples)


def read_graph(path: Any, namespace: str = NAMESPACE) -> Graph:
    """Read a graph: a file of triples, a folder of `train`, `valid` and `test` of such files, or a stored graph.

    A file has three columns apart by tabs, cells as they are, without quotes; or it is N-Triples (`.nt`), Turtle
    (`.ttl`), GraphML (`.graphml`) or Parquet (`.parquet`). Of RDF, IRIs of `namespace` become names, of literals their
    text is taken, other IRIs are their own names. Files are read in batches: memory holds names and numbers only. Also
    a table (pandas or Arrow) with the columns `head`, `relation`, `tail`, and `split` where there is one. Raises
    `DataError`, with the line, for what is no triple.

    >>> graph = read_graph(pa.table({"head": ["a", "b"], "relation": ["likes"] * 2, "tail": ["b", "a"]}))
    >>> graph.entities, graph.relations, graph.triples.tolist()
    (('a', 'b'), ('likes',), [[0, 0, 1], [1, 0, 0]])
    """
    if isinstance(path, str | Path):
        found = read_files(Path(path), check_namespace(namespace))
        return graph_of(_split(found) if isinstance(found, pa.Table) else found, str(path))
    table = path if isinstance(path, pa.Table) else pa.Table.from_pandas(path, preserve_index=False)
    return graph_of(_split(table))


def read_triples(path: Any) -> pa.Table:
    """Read triples as they stand, none left out: a file or a table as `read_graph` takes them, without a split.

    Gives text columns `head`, `relation`, `tail`. Raises `DataError`, with the line, for what is no triple.

    >>> read_triples(pa.table({"head": ["a", "a"], "relation": ["likes"] * 2, "tail": ["b", "b"]})).num_rows
    2
    """
    if isinstance(path, str | Path):
        found = read_files(Path(path))
        tables, where = _split(found) if isinstance(found, pa.Table) else found, str(path)
    else:
        table = path if isinstance(path, pa.Table) else pa.Table.from_pandas(path, preserve_index=False)
        tables, where = {"train": _columned(table)}, "graph"
    coded = _Coded(where)
    for given in tables.values():
        coded.take(given)
    entities, relations, places = coded.finish()
    names = {"head": entities, "relation": relations, "tail": entities}
    cells = {name: [held[at] for at in places[:, i]] for i, (name, held) in enumerate(names.items())}
    return pa.table(cells, schema=pa.schema([(name, pa.string()) for name in COLUMNS]))


def graph_of(tables: Mapping[str, pa.Table | Batches], where: str = "graph") -> Graph:
    """Build a graph of tables, or batches, with the columns `head`, `relation`, `tail`, one per part of the split.

    `where` they are from is said of a triple that lacks something.
    """
    coded = _Coded(where)
    sizes = [coded.take(given) for given in tables.values()]
    entities, relations, triples = coded.finish()
    kept, parts, problems = _distinct(triples, list(tables), sizes)
    found = Graph(entities, relations, kept, parts)
    return Graph(entities, relations, kept, parts, (*problems, *_odd(found)))


class _Coded:
    """Triples as numbers, batch by batch: each name is held once."""

    def __init__(self, where: str) -> None:
        self.where, self.rows = where, 0
        self.names: dict[str, dict[str, int]] = {name: {} for name in COLUMNS}
        self.codes: dict[str, list[np.ndarray]] = {name: [np.zeros(0, np.int32)] for name in COLUMNS}

    def take(self, given: pa.Table | Batches) -> int:
        """Code a table, or batches, and say how many triples it has."""
        before = self.rows
        for batch in given.to_batches() if isinstance(given, pa.Table) else given:
            self.add(batch)
        return self.rows - before

    def add(self, batch: pa.RecordBatch) -> None:
        """Code a batch; `DataError` with the row for a triple that lacks something, or whose names are no texts."""
        for name, known in self.names.items():
            cells = batch.column(name)
            try:
                if not pa.types.is_dictionary(cells.type):
                    cells = cells.cast(pa.large_string()).dictionary_encode()
                levels = cells.dictionary.cast(pa.large_string()).to_pylist()
            except pa.ArrowException:
                raise DataError(f"{self.where}: column {name!r}: expected names, got {cells.type}") from None
            if cells.null_count or "" in levels:
                gone = pc.equal(cells.cast(pa.large_string()), "")
                row = int(np.flatnonzero(pc.fill_null(gone, True).to_numpy(zero_copy_only=False))[0])
                what = "expected head, relation and tail"
                raise DataError(f"{self.where}: triple {self.rows + row + 1} has no {name}; {what}")
            places = np.array([known.setdefault(level, len(known)) for level in levels], np.int32)
            self.codes[name].append(places[cells.indices.to_numpy()])
        self.rows += batch.num_rows

    def finish(self) -> tuple[tuple[str, ...], tuple[str, ...], np.ndarray]:
        """Entities (those of heads first), relations, and triples (rows, 3)."""
        heads, relations, tails = (self.names[name] for name in COLUMNS)
        found, kinds, ends = (np.concatenate(self.codes[name]) for name in COLUMNS)
        entities = dict(heads)
        places = np.array([entities.setdefault(name, len(entities)) for name in tails], np.int64)
        triples = np.stack([found.astype(np.int64), kinds.astype(np.int64), places[ends]], axis=1)
        return tuple(entities), tuple(relations), triples


def _columned(table: pa.Table) -> pa.Table:
    """The table, where it has the columns of triples."""
    lacking = [name for name in COLUMNS if name not in table.column_names]
    if lacking:
        raise DataError(f"graph: no column {lacking[0]!r}; expected {', '.join(COLUMNS)}, got {table.column_names}")
    return table


def _split(table: pa.Table) -> dict[str, pa.Table]:
    _columned(table)
    if "split" not in table.column_names:
        return {"train": table}
    names = pc.unique(table.column("split")).to_pylist()
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        raise DataError(f"graph: split {unknown[0]!r}, expected one of {', '.join(PARTS)}")
    return {part: table.filter(pc.equal(table.column("split"), part)) for part in PARTS if part in names}


def _first_rows(triples: np.ndarray) -> np.ndarray:
    """First row of each distinct triple; as one number each where that has room, which takes less memory."""
    sizes = (triples.max(axis=0, initial=0) + 1).tolist()
    if sizes[0] * sizes[1] * sizes[2] < 2**62:
        keys = (triples[:, 0] * sizes[1] + triples[:, 1]) * sizes[2] + triples[:, 2]
        return np.asarray(np.unique(keys, return_index=True)[1])
    return np.asarray(np.unique(triples, axis=0, return_index=True)[1])


def _distinct(
    triples: np.ndarray, names: Sequence[str], sizes: Sequence[int]
) -> tuple[np.ndarray, dict[str, np.ndarray], list[Problem]]:
    """Every triple once, in the first part that has it, and what was dropped."""
    first = _first_rows(triples)
    kept = np.sort(first)
    ends = np.cumsum([0, *sizes])
    at = np.searchsorted(kept, ends)
    parts = {name: np.arange(at[i], at[i + 1]) for i, name in enumerate(names)}
    problems = []
    if gone := len(triples) - len(kept):
        text = f"{gone} triple(s) stand there more than once; each is kept once, in the first part that has it"
        rows = np.setdiff1d(np.arange(len(triples)), kept)
        problems.append(Problem("duplicate", "graph", text, tuple(int(row) for row in rows[:100]), gone))
    return triples[kept], parts, problems


def _odd(graph: Graph) -> list[Problem]:
    """Loops, and entities and relations that training never sees."""
    found = []
    loops = np.flatnonzero(graph.triples[:, 0] == graph.triples[:, 2])
    if len(loops):
        text = f"{len(loops)} triple(s) lead from an entity to itself"
        found.append(Problem("loop", "graph", text, tuple(int(row) for row in loops[:100]), len(loops)))
    train = graph.part("train")
    seen = {"entity": np.unique(train[:, [0, 2]]), "relation": np.unique(train[:, 1])}
    for kind, names, columns in (("entity", graph.entities, [0, 2]), ("relation", graph.relations, [1])):
        unseen = np.setdiff1d(np.arange(len(names)), seen[kind])
        if len(unseen):
            rows = np.flatnonzero(np.isin(graph.triples[:, columns], unseen).any(axis=1))
            shown = ", ".join(repr(names[i]) for i in unseen[:3])
            text = f"{len(unseen)} {kind} name(s) are in no training triple ({shown}): nothing is learned of them"
            found.append(Problem("unseen", kind, text, tuple(int(row) for row in rows[:100]), len(rows)))
    return found


def split_graph(graph: Graph, seed: int = 0, share: float = 0.1) -> Graph:
    """Hold out a share of all triples each for validation and test, drawn by a seed.

    None is held out that would leave an entity or a relation without a training triple, so that there may be fewer.
    """
    uses = np.bincount(graph.triples[:, [0, 2]].ravel(), minlength=len(graph.entities))
    kinds = np.bincount(graph.triples[:, 1], minlength=len(graph.relations))
    wanted = round(len(graph) * share)
    held: list[int] = []
    for row in np.random.default_rng(seed).permutation(len(graph)).tolist():
        if len(held) == 2 * wanted:
            break
        head, kind, tail = graph.triples[row].tolist()
        least = 3 if head == tail else 2
        if min(uses[head], uses[tail]) >= least and kinds[kind] >= 2:
            uses[head] -= 1
            uses[tail] -= 1
            kinds[kind] -= 1
            held.append(row)
    valid, test = np.sort(held[: len(held) // 2]), np.sort(held[len(held) // 2 :])
    train = np.setdiff1d(np.arange(len(graph)), held)
    parts = {"train": train, "valid": valid.astype(np.int64), "test": test.astype(np.int64)}
    return Graph(graph.entities, graph.relations, graph.triples, parts, graph.problems)
