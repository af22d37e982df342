"""Graphs in N-Triples and Turtle, by pyoxigraph: read and written triple by triple."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from fusible.data.iri import NAMESPACE, from_iri, to_iri
from fusible.errors import DataError, MissingExtraError

ENDINGS = {".nt": "N_TRIPLES", ".ttl": "TURTLE"}
BATCH = 1 << 16
"""Triples of a batch."""


def oxigraph(purpose: str) -> Any:
    """The package, or an error that says how to install it."""
    try:
        import pyoxigraph
    except ImportError:
        raise MissingExtraError.of("pyoxigraph", "knowledge", purpose) from None
    return pyoxigraph


def read_rdf(path: Path, namespace: str = NAMESPACE) -> Iterator[pa.RecordBatch]:
    """Batches of triples. IRIs of the namespace become names, of a literal its text is taken, others stay IRIs.

    Raises `DataError` with the line of what is malformed.
    """
    package = oxigraph("reading N-Triples and Turtle")
    kind = getattr(package.RdfFormat, ENDINGS[path.suffix.lower()])
    columns: tuple[list[str], ...] = ([], [], [])
    decode = lru_cache(BATCH)(partial(from_iri, namespace=namespace))
    try:
        for quad in package.parse(path=str(path), format=kind):
            for column, term in zip(columns, (quad.subject, quad.predicate, quad.object), strict=True):
                column.append(term_name(package, term, decode))
            if len(columns[0]) == BATCH:
                yield _batch(columns)
                columns = ([], [], [])
    except SyntaxError as error:
        said = " ".join(str(error.msg).split())[:200]
        raise DataError(f"{path}, line {error.lineno}: malformed: {said}; mend or remove the line") from None
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; expected triples") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {' '.join(str(error).split())}") from None
    yield _batch(columns)


def _batch(columns: tuple[list[str], ...]) -> pa.RecordBatch:
    return pa.record_batch([pa.array(column, pa.string()) for column in columns], names=["head", "relation", "tail"])


def term_name(package: Any, term: Any, decode: Callable[[str], str]) -> str:
    """Name of a term: of an IRI as `decode` gives it, of a literal its text, of a blank node `_:` and its label."""
    if isinstance(term, package.NamedNode):
        return decode(term.value)
    if isinstance(term, package.Literal):
        return str(term.value)
    return f"_:{term.value}" if isinstance(term, package.BlankNode) else str(term)


def quads(triples: Iterable[tuple[str, str, str]], namespace: str = NAMESPACE) -> Iterator[Any]:
    """Triples of names as pyoxigraph has them, of IRIs alone."""
    package = oxigraph("N-Triples, Turtle and SPARQL")
    known: dict[str, Any] = {}

    def node(name: str) -> Any:
        found = known.get(name)
        if found is None:
            found = known[name] = package.NamedNode(to_iri(name, namespace))
        return found

    for head, relation, tail in triples:
        yield package.Triple(node(head), node(relation), node(tail))


def write_rdf(triples: Iterable[tuple[str, str, str]], path: Path, kind: str, namespace: str = NAMESPACE) -> None:
    """Write triples as `N_TRIPLES` or `TURTLE`."""
    package = oxigraph("writing N-Triples and Turtle")
    given = {"prefixes": {"": namespace}} if kind == "TURTLE" else {}
    with path.open("wb") as stream:
        package.serialize(quads(triples, namespace), stream, format=getattr(package.RdfFormat, kind), **given)
