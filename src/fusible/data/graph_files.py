"""Files of graphs, read in batches: columns apart by tabs, N-Triples, Turtle, GraphML, Parquet, and folders of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq

from fusible.data.graph_rdf import ENDINGS as RDF
from fusible.data.graph_rdf import read_rdf
from fusible.data.iri import NAMESPACE
from fusible.errors import DataError

COLUMNS = ("head", "relation", "tail")
PARTS = ("train", "valid", "test")
ENDINGS = (".txt", ".tsv", ".tab")
STORED = "triples.parquet"
"""The file of triples in a folder of a stored graph."""
NAMES = ("name", "label")
"""Attributes of GraphML that name a node, where it has one."""
RELATIONS = ("relation", "label", "type", "interaction")
"""Attributes of GraphML that say what an edge means."""
UNNAMED = "linked to"
"""Relation of an edge of GraphML that says nothing of it."""

Batches = Iterable[pa.RecordBatch]


def read_files(place: Path, namespace: str = NAMESPACE) -> dict[str, Batches] | pa.Table:
    """Batches with the columns `head`, `relation`, `tail`, by part; the table itself where it has a column `split`."""
    if not place.is_dir():
        table = _with_split(place)
        return {"train": _file(place, namespace)} if table is None else table
    if (place / STORED).is_file():
        return {"train": _parquet(place / STORED)}
    found: dict[str, Batches] = {}
    for part in PARTS:
        files = [place / f"{part}{ending}" for ending in ENDINGS if (place / f"{part}{ending}").is_file()]
        if files:
            found[part] = _tabs(files[0])
    if "train" not in found:
        expected = f"train{'|'.join(ENDINGS)}, valid and test where there are such, or {STORED}"
        raise DataError(f"{place}: no graph: expected {expected}")
    return found


def _file(path: Path, namespace: str) -> Batches:
    ending = path.suffix.lower()
    if ending in RDF:
        return read_rdf(path, namespace)
    if ending == ".graphml":
        return _graphml(path)
    return _parquet(path) if ending == ".parquet" else _tabs(path)


def _tabs(path: Path) -> Iterator[pa.RecordBatch]:
    """Three columns apart by tabs; `DataError` names file and line."""
    bad: list[tuple[int, int]] = []

    def refuse(row: Any) -> str:
        bad.append((row.number, row.actual_columns))
        return "error"

    def batches() -> Iterator[pa.RecordBatch]:
        yield from pcsv.open_csv(
            path,
            read_options=pcsv.ReadOptions(column_names=list(COLUMNS), use_threads=False),
            parse_options=pcsv.ParseOptions(delimiter="\t", quote_char=False, invalid_row_handler=refuse),
            convert_options=pcsv.ConvertOptions(column_types=dict.fromkeys(COLUMNS, pa.string())),
        )

    def line() -> str:
        return f"line {bad[0][0]}: {bad[0][1]} columns; expected head, relation and tail, apart by tabs" if bad else ""

    return _guarded(path, batches, line)


def _parquet(path: Path) -> Iterator[pa.RecordBatch]:
    def batches() -> Iterator[pa.RecordBatch]:
        with pq.ParquetFile(path) as file:
            names = file.schema_arrow.names
            lacking = [name for name in COLUMNS if name not in names]
            if lacking:
                raise DataError(f"{path}: no column {lacking[0]!r}; expected {', '.join(COLUMNS)}, got {names}")
            yield from file.iter_batches(columns=list(COLUMNS))

    return _guarded(path, batches)


def _with_split(path: Path) -> pa.Table | None:
    """The table of a Parquet file that has a column `split`."""
    if path.suffix.lower() != ".parquet" or not path.is_file():
        return None
    try:
        return pq.read_table(path) if "split" in pq.read_schema(path).names else None
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a graph: {' '.join(str(error).split())[:200]}") from None


def _guarded(
    path: Path, batches: Callable[[], Iterator[pa.RecordBatch]], line: Callable[[], str] = str
) -> Iterator[pa.RecordBatch]:
    """Batches; what fails on the way is a `DataError` that names the file, and the line where it is known."""
    try:
        yield from batches()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; expected triples, one per line") from None
    except (pa.ArrowException, OSError) as error:
        if line():
            raise DataError(f"{path}, {line()}") from None
        raise DataError(f"{path}: not a graph: {' '.join(str(error).split())[:200]}") from None


def _graphml(path: Path) -> Iterator[pa.RecordBatch]:
    """Edges of GraphML, undirected ones from source to target; names and relations by attributes, else ids.

    Nodes that share a name are told apart by their ids.
    """
    from xml.etree.ElementTree import ParseError

    import networkx as nx

    try:
        graph = nx.read_graphml(path)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; expected GraphML") from None
    except ParseError as error:
        raise DataError(f"{path}, line {error.position[0]}: no XML: {error}") from None
    except (nx.NetworkXError, KeyError, ValueError, OSError) as error:
        raise DataError(f"{path}: not GraphML: {' '.join(str(error).split())[:200]}") from None
    called = {node: _first(data, NAMES, str(node)) for node, data in graph.nodes(data=True)}
    shared = {name for name, count in Counter(called.values()).items() if count > 1}
    called |= {node: f"{name} ({node})" for node, name in called.items() if name in shared}
    edges = [(called[one], _first(data, RELATIONS, UNNAMED), called[two]) for one, two, data in graph.edges(data=True)]
    columns = [pa.array(list(column), pa.string()) for column in zip(*edges, strict=True)]
    yield pa.record_batch(columns or [pa.array([], pa.string())] * 3, names=list(COLUMNS))


def _first(data: dict[str, Any], names: tuple[str, ...], default: str) -> str:
    return next((str(data[name]) for name in names if data.get(name) not in (None, "")), default)
