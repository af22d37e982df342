"""Graphs as files that other programs read: tabs, N-Triples, Turtle, GraphML, Parquet. Written whole or not at all."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fusible.data.graph import Graph
from fusible.data.graph_files import COLUMNS, STORED
from fusible.data.graph_rdf import write_rdf
from fusible.data.iri import NAMESPACE, check_namespace
from fusible.errors import ConfigError, DataError

BATCH = 1 << 16
"""Triples held as names at a time."""
_TABS = re.compile("[\t\n\r]")
_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold, or reads as others (the carriage return)."""


def write_graph(graph: Graph, path: str | Path, namespace: str = NAMESPACE) -> Path:
    """Write the triples of a graph; its split only where the form has a place for it (Parquet).

    By the ending of the path: `.tsv`, `.txt`, `.nt`, `.ttl`, `.graphml`, `.parquet`; without one a folder with
    `triples.parquet` and `entities.parquet`. In RDF, names are percent-encoded under `namespace`, but for those that
    are IRIs already. `read_graph` gives all names back.

    Raises `ConfigError` for another ending, `DataError` for a name that the form cannot hold (a tab in `.tsv`) and for
    a place that cannot be written.

    >>> import tempfile
    >>> from fusible.data.graph import read_graph
    >>> graph = read_graph(pa.table({"head": ["New York"], "relation": ["in"], "tail": ["USA"]}))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     print(write_graph(graph, folder + "/a.nt").read_text(), end="")
    <urn:fusible:New%20York> <urn:fusible:in> <urn:fusible:USA> .
    """
    place = Path(path)
    ending = place.suffix.lower()
    if ending not in WRITERS:
        raise ConfigError(f"{place}: expected a path ending in {', '.join(filter(None, WRITERS))}, or a folder")
    if not place.absolute().parent.is_dir():
        raise DataError(f"{place}: the folder {place.absolute().parent} does not exist; create it")
    if place.is_dir() and (ending or not _replaceable(place)):
        raise DataError(f"{place}: a folder with other files; choose another path")
    check_namespace(namespace)
    beside = place.with_name(f".{place.name}.{os.getpid()}{ending}")
    try:
        WRITERS[ending](graph, beside, namespace)
        if place.is_dir():
            shutil.rmtree(place)
        beside.replace(place)
    except OSError as error:
        raise DataError(f"{place}: cannot be written ({error.strerror}); choose another path") from None
    finally:
        shutil.rmtree(beside) if beside.is_dir() else beside.unlink(missing_ok=True)
    return place


def _replaceable(folder: Path) -> bool:
    """Whether a folder holds what `write_graph` wrote, and no more."""
    return {path.name for path in folder.iterdir()} <= {STORED, "entities.parquet"}


def named(graph: Graph) -> Iterator[tuple[str, str, str]]:
    """Triples of names, in the graph's order."""
    entities, relations = graph.entities, graph.relations
    for start in range(0, len(graph), BATCH):
        for head, relation, tail in graph.triples[start : start + BATCH].tolist():
            yield entities[head], relations[relation], entities[tail]


def _refuse(names: Sequence[str], bad: re.Pattern[str], form: str) -> None:
    for name in names:
        found = bad.search(name)
        if found:
            raise DataError(f"{name!r} holds {found[0]!r}, which {form} cannot; write .nt or .parquet instead")


def _tabs(graph: Graph, path: Path, _: str) -> None:
    _refuse((*graph.entities, *graph.relations), _TABS, "a file of tabs")
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines("\t".join(triple) + "\n" for triple in named(graph))


def _nt(graph: Graph, path: Path, namespace: str) -> None:
    write_rdf(named(graph), path, "N_TRIPLES", namespace)


def _ttl(graph: Graph, path: Path, namespace: str) -> None:
    write_rdf(named(graph), path, "TURTLE", namespace)


def _graphml(graph: Graph, path: Path, _: str) -> None:
    import networkx as nx

    _refuse((*graph.entities, *graph.relations), _XML, "GraphML")
    whole = nx.MultiDiGraph()
    whole.add_nodes_from((f"n{place}", {"name": name}) for place, name in enumerate(graph.entities))
    whole.add_edges_from(
        (f"n{head}", f"n{tail}", {"relation": graph.relations[relation]})
        for head, relation, tail in graph.triples.tolist()
    )
    nx.write_graphml(whole, path)


def table_of(graph: Graph) -> pa.Table:
    """The triples as a table with the columns `head`, `relation`, `tail`, and `split` where there are parts."""
    levels = (graph.entities, graph.relations, graph.entities)
    columns = [
        pa.DictionaryArray.from_arrays(pa.array(graph.triples[:, place].astype(np.int32)), pa.array(names, pa.string()))
        for place, names in enumerate(levels)
    ]
    table = pa.table(columns, names=list(COLUMNS))
    if set(graph.parts) == {"train"}:
        return table
    split = np.empty(len(graph), object)
    for name, rows in graph.parts.items():
        split[rows] = name
    return table.append_column("split", pa.array(split, pa.string()).dictionary_encode())


def _parquet(graph: Graph, path: Path, _: str) -> None:
    pq.write_table(table_of(graph), path, compression="zstd")


def _folder(graph: Graph, path: Path, _: str) -> None:
    path.mkdir()
    pq.write_table(table_of(graph), path / STORED, compression="zstd")
    uses = np.bincount(graph.triples[:, [0, 2]].ravel(), minlength=len(graph.entities))
    table = pa.table({"entity": pa.array(graph.entities, pa.string()), "count": pa.array(uses)})
    pq.write_table(table, path / "entities.parquet", compression="zstd")


WRITERS: dict[str, Callable[[Graph, Path, str], None]] = {
    ".tsv": _tabs,
    ".txt": _tabs,
    ".nt": _nt,
    ".ttl": _ttl,
    ".graphml": _graphml,
    ".parquet": _parquet,
    "": _folder,
}
"""How a graph is written, by the path's ending."""
