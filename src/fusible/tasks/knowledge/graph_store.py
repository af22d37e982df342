"""The folder of a graph that was built from text: five tables and what was done, written whole or not at all."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from fusible.errors import DataError, ModelFormatError
from fusible.tasks.folder import replace

FORMAT = 1
INFO = "graph.json"
_TEXT, _PLACE, _SHARE = pa.large_string(), pa.int64(), pa.float64()

TRIPLES = pa.schema([("head", _TEXT), ("relation", _TEXT), ("tail", _TEXT), ("confidence", _SHARE), ("count", _PLACE)])
"""Each triple once: names of entities, how sure it is, in how many places it is said."""
MENTIONS = pa.schema(
    [
        *((name, _TEXT) for name in ("head", "relation", "tail", "document", "sentence")),
        *((name, _PLACE) for name in ("start", "end")),
        ("head_name", _TEXT),
        ("head_text", _TEXT),
        *((name, _PLACE) for name in ("head_start", "head_end")),
        ("head_type", _TEXT),
        ("tail_name", _TEXT),
        ("tail_text", _TEXT),
        *((name, _PLACE) for name in ("tail_start", "tail_end")),
        ("tail_type", _TEXT),
        ("confidence", _SHARE),
        ("extractor", _TEXT),
    ]
)
"""Each place where a triple is said: the sentence, and [start, end) of sentence, head and tail in the document.

`head` is the entity, `head_name` what the extractor calls it before names are put together, `head_text` the words of
the text; so of the tail.
"""
ENTITIES = pa.schema([("entity", _TEXT), ("type", _TEXT), ("aliases", pa.large_list(_TEXT)), ("count", _PLACE)])
"""Each entity once: its type, other names, and how often it stands at an end of a mention."""
MERGES = pa.schema([("name", _TEXT), ("other", _TEXT), ("rule", _TEXT), ("score", _SHARE), ("entity", _TEXT)])
"""Why two names are one entity."""
DOCUMENTS = pa.schema([("document", _TEXT), ("hash", _TEXT), ("text", _TEXT)])
TABLES = {
    "triples": TRIPLES,
    "mentions": MENTIONS,
    "entities": ENTITIES,
    "merges": MERGES,
    "documents": DOCUMENTS,
}
HELD = frozenset({INFO, *(f"{name}.parquet" for name in TABLES)})
"""All that the folder holds."""


@dataclass(frozen=True, slots=True)
class GraphStore:
    """A graph with where it was read: tables of the schemas above, and `info`: extractors, settings of merging."""

    info: Mapping[str, Any]
    triples: pa.Table
    mentions: pa.Table
    entities: pa.Table
    merges: pa.Table
    documents: pa.Table

    def save(self, folder: str | Path) -> Path:
        """Write the folder beside its place, then rename it there; an older graph is replaced."""
        place = check_store(Path(folder))
        whole = place.resolve()  # "." and links have no name of their own
        try:
            beside = Path(tempfile.mkdtemp(prefix=f".{whole.name}-", dir=whole.parent))
        except OSError as error:
            raise DataError(f"{place}: cannot be written ({error.strerror}); choose another path") from None
        try:
            beside.chmod(0o755)
            for name in TABLES:
                pq.write_table(getattr(self, name), beside / f"{name}.parquet", compression="zstd")
            text = json.dumps({"format": FORMAT, **self.info}, ensure_ascii=False, indent=1)
            (beside / INFO).write_text(text + "\n", "utf-8")
            replace(beside, whole)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise
        return place


def check_store(folder: Path) -> Path:
    """Refuse a place that holds something else than a stored graph; the place itself otherwise."""
    try:
        if folder.exists() and not folder.is_dir():
            raise DataError(f"{folder}: expected a folder to write the graph to, got a file; choose another path")
        if folder.is_dir():
            found = {path.name for path in folder.iterdir()}
            if found and (INFO not in found or found - HELD):
                raise DataError(f"{folder}: expected a new path, an empty folder or a stored graph, got other files")
        folder.absolute().parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder}: cannot be written ({error.strerror}); choose another path") from None
    return folder


def read_store(folder: str | Path) -> GraphStore:
    """Read a stored graph. Raises `ModelFormatError` for what is none, damaged, or newer than this version knows."""
    place = Path(folder)
    info = _info(place)
    return GraphStore(info=info, **{name: _table(place / f"{name}.parquet", schema) for name, schema in TABLES.items()})


def _info(place: Path) -> dict[str, Any]:
    path = place / INFO
    if not path.is_file() or path.is_symlink():
        raise ModelFormatError(f"{place}: expected a graph written by `fusible graph build`, found no {INFO}")
    try:
        info = json.loads(path.read_text("utf-8"))
        version = info.pop("format")
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        raise ModelFormatError(f"{path}: damaged, expected JSON with a `format`; build the graph again") from None
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ModelFormatError(f"{path}: format {version!r}, expected a whole number; build the graph again")
    if version > FORMAT:
        raise ModelFormatError(f"{path}: format {version} is newer than {FORMAT}; upgrade fusible")
    for name in ("extractors", "apart"):
        held = info.get(name, [])
        if not isinstance(held, list) or not all(isinstance(one, str) for one in held):
            raise ModelFormatError(f"{path}: damaged, expected a list of names as {name!r}; build the graph again")
    return dict(info)


def _table(path: Path, schema: pa.Schema) -> pa.Table:
    if path.is_symlink():
        raise ModelFormatError(f"{path}: a link, expected a plain file; copy what it points to")
    try:
        table = pq.read_table(path)
        return table.select(schema.names).cast(schema)
    except FileNotFoundError:
        raise ModelFormatError(f"{path}: missing; expected the graph as it was written, build it again") from None
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        said = " ".join(str(error).split())[:200]
        raise ModelFormatError(f"{path}: damaged ({said}); build the graph again") from None


def rows_table(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    """Table of a schema from rows."""
    return pa.Table.from_pylist(rows, schema=schema)
