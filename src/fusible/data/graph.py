"""Knowledge graphs as arrays: triples of head, relation and tail, in the parts of a split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv

from fusible.errors import DataError
from fusible.types import Problem

COLUMNS = ("head", "relation", "tail")
PARTS = ("train", "valid", "test")
ENDINGS = (".txt", ".tsv", ".tab")


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


def read_graph(path: Any) -> Graph:
    """Read a graph: a file of three columns apart by tabs, or a folder of `train`, `valid` and `test` of such files.

    Also a table (pandas or Arrow) with the columns `head`, `relation`, `tail`, and `split` where there is one. Cells
    are taken as they are, without quotes. Raises `DataError`, with the line, for what is no triple.

    >>> graph = read_graph(pa.table({"head": ["a", "b"], "relation": ["likes"] * 2, "tail": ["b", "a"]}))
    >>> graph.entities, graph.relations, graph.triples.tolist()
    (('a', 'b'), ('likes',), [[0, 0, 1], [1, 0, 0]])
    """
    if isinstance(path, str | Path):
        place = Path(path)
        return graph_of(_folder(place) if place.is_dir() else {"train": _file(place)})
    table = path if isinstance(path, pa.Table) else pa.Table.from_pandas(path, preserve_index=False)
    return graph_of(_split(table))


def graph_of(tables: Mapping[str, pa.Table]) -> Graph:
    """Build a graph of tables with the columns `head`, `relation`, `tail`, one per part of the split."""
    sizes = [table.num_rows for table in tables.values()]
    whole = pa.concat_tables([table.select(COLUMNS) for table in tables.values()])
    heads, relations, tails = (whole.column(name).combine_chunks().cast(pa.string()) for name in COLUMNS)
    for name, cells in zip(COLUMNS, (heads, relations, tails), strict=True):
        if (row := _first(pc.or_kleene(pc.is_null(cells), pc.equal(cells, "")))) is not None:
            raise DataError(f"graph: triple {row + 1} has no {name}; expected head, relation and tail")
    entities, ends = _coded(pa.concat_arrays([heads, tails]))
    names, kinds = _coded(relations)
    triples = np.stack([ends[: len(heads)], kinds, ends[len(heads) :]], axis=1)
    kept, parts, problems = _distinct(triples, list(tables), sizes)
    found = Graph(entities, names, kept, parts)
    return Graph(entities, names, kept, parts, (*problems, *_odd(found)))


def _folder(place: Path) -> dict[str, pa.Table]:
    found = {}
    for part in PARTS:
        files = [place / f"{part}{ending}" for ending in ENDINGS if (place / f"{part}{ending}").is_file()]
        if files:
            found[part] = _file(files[0])
    if "train" not in found:
        raise DataError(f"{place}: no graph: expected train{'|'.join(ENDINGS)}, valid and test where there are such")
    return found


def _file(path: Path) -> pa.Table:
    """Three columns apart by tabs; `DataError` names file and line."""
    bad: list[tuple[int, int]] = []

    def refuse(row: Any) -> str:
        bad.append((row.number, row.actual_columns))
        return "error"

    try:
        return pcsv.read_csv(
            path,
            read_options=pcsv.ReadOptions(column_names=list(COLUMNS), use_threads=False),
            parse_options=pcsv.ParseOptions(delimiter="\t", quote_char=False, invalid_row_handler=refuse),
            convert_options=pcsv.ConvertOptions(column_types=dict.fromkeys(COLUMNS, pa.string())),
        )
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; expected triples, one per line") from None
    except (pa.ArrowInvalid, OSError) as error:
        if bad:
            line, columns = bad[0]
            raise DataError(
                f"{path}, line {line}: {columns} columns; expected head, relation and tail, apart by tabs"
            ) from None
        raise DataError(f"{path}: not a graph: {' '.join(str(error).split())[:200]}") from None


def _split(table: pa.Table) -> dict[str, pa.Table]:
    lacking = [name for name in COLUMNS if name not in table.column_names]
    if lacking:
        raise DataError(f"graph: no column {lacking[0]!r}; expected {', '.join(COLUMNS)}, got {table.column_names}")
    if "split" not in table.column_names:
        return {"train": table}
    names = pc.unique(table.column("split")).to_pylist()
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        raise DataError(f"graph: split {unknown[0]!r}, expected one of {', '.join(PARTS)}")
    return {part: table.filter(pc.equal(table.column("split"), part)) for part in PARTS if part in names}


def _coded(cells: pa.Array) -> tuple[tuple[str, ...], np.ndarray]:
    """Distinct names in order of their first place, and the place of each cell's."""
    coded = cells.dictionary_encode()
    return tuple(coded.dictionary.to_pylist()), coded.indices.to_numpy().astype(np.int64)


def _first(mask: pa.Array) -> int | None:
    rows = np.flatnonzero(mask.to_numpy(zero_copy_only=False))
    return int(rows[0]) if len(rows) else None


def _distinct(
    triples: np.ndarray, names: Sequence[str], sizes: Sequence[int]
) -> tuple[np.ndarray, dict[str, np.ndarray], list[Problem]]:
    """Every triple once, in the first part that has it, and what was dropped."""
    _, first = np.unique(triples, axis=0, return_index=True)
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
