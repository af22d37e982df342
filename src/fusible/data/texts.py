"""Documents: texts with ids, read from text files, folders of them, or a column of a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from fusible.data.cells import as_names
from fusible.data.dataset import Dataset
from fusible.data.files import kind_of
from fusible.data.read import read
from fusible.data.schema import near_names
from fusible.errors import DataError, SchemaError
from fusible.types import Modality, Problem

ENDING = ".txt"


@dataclass(frozen=True, slots=True)
class Document:
    """A text and what it is called; `hash` is that of its content."""

    id: str
    text: str

    @property
    def hash(self) -> str:
        """Hash of the text, 32 hexadecimal digits."""
        return text_hash(self.text)


def text_hash(text: str) -> str:
    """Hash of a text: equal texts, equal hash.

    >>> len(text_hash("one")), text_hash("one") == text_hash("two")
    (32, False)
    """
    return blake2b(text.encode(), digest_size=16).hexdigest()


def read_texts(source: Any, *, text: str | None = None, id: str | None = None) -> tuple[list[Document], list[Problem]]:
    """Documents of a source, and what is odd about it.

    Parameters
    ----------
    source : path, table, mapping or sequence
        A text file (one document, called like the file); a folder with `.txt` files, also in folders of it (called by
        their paths within it); a table as `fusible.read` takes it; in memory also texts by id, or texts alone.
    text : str, optional
        Column of a table with the texts; needed where it has several columns of text.
    id : str, optional
        Column of a table with the ids. Without it a text is called by its hash, and equal texts are one document.

    Raises
    ------
    DataError
        A file that is no UTF-8 text, with the place of the first wrong byte; ids that are lacking or twice there.
    SchemaError
        A column that does not exist, or no column of text.

    >>> read_texts({"a": "One text.", "b": "Another."})[0][1]
    Document(id='b', text='Another.')
    """
    if isinstance(source, Mapping):
        return _checked([Document(str(key), _text(value, str(key))) for key, value in source.items()])
    if isinstance(source, list | tuple):
        return _unnamed([_text(value, f"text {place}") for place, value in enumerate(source)])
    if isinstance(source, str | Path):
        place = Path(source)
        if not place.exists():
            raise DataError(f"{place}: no such file or folder; expected a text, a folder of .txt files, or a table")
        files = sorted(path for path in place.rglob("*") if path.suffix.lower() == ENDING) if place.is_dir() else []
        if place.is_dir() and not any(place.iterdir()):
            raise DataError(f"{place}: the folder is empty; expected {ENDING} files, or a table")
        if files or (place.is_file() and not kind_of(place)):
            lost = next((name for name, given in (("--text", text), ("--id", id)) if given), None)
            if lost:
                raise SchemaError(f"{place}: {lost} names a column of a table, these are text files; leave it out")
            return _folder(place, files) if files else _checked([Document(place.name, _read(place))])
    return _table(read(source), text, id)


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise DataError(f"{where}: expected a text, got {type(value).__name__}")
    return value


def _read(path: Path) -> str:
    try:
        data = path.read_bytes()
        found = data.decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check the file and its rights") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: no UTF-8 text: byte {error.start} is none; save it as UTF-8") from None
    if "\0" in found:
        raise DataError(f"{path}: no text: it holds the byte 0 at {data.index(0)}; is this another kind of file?")
    return found


def _folder(folder: Path, files: Sequence[Path]) -> tuple[list[Document], list[Problem]]:
    found, bad = [], []
    for path in files:
        if path.is_file():
            try:
                found.append(Document(path.relative_to(folder).as_posix(), _read(path)))
            except DataError as error:
                bad.append(str(error))
    if not found:
        raise DataError(bad[0] if bad else f"{folder}: no {ENDING} file that is one")
    documents, problems = _checked(found)
    if bad:
        message = f"{len(bad)} file(s) could not be read and are left out; the first: {bad[0]}"
        problems.append(Problem("unreadable", "documents", message, count=len(bad)))
    return documents, problems


def _table(dataset: Dataset, text: str | None, id: str | None) -> tuple[list[Document], list[Problem]]:
    names = list(dataset.columns)
    for given in (text, id):
        if given is not None and given not in names:
            raise SchemaError(f"no column {given!r} in the table; {near_names(given, names)}")
    texts = [name for name, c in dataset.columns.items() if c.modality is Modality.TEXT and name != id]
    column = text if text is not None else texts[0] if len(texts) == 1 else None
    if column is None:
        what = f"several columns of text ({', '.join(map(repr, texts[:5]))})" if texts else "no column of text"
        raise SchemaError(f"the table has {what}; name one with --text COLUMN")
    cells = as_names(dataset.table.column(column)).tolist()
    if id is None:
        return _unnamed(["" if cell is None else cell for cell in cells])
    ids = as_names(dataset.table.column(id)).tolist()
    if None in ids:
        raise DataError(f"row {ids.index(None)} has no {id!r}; expected one in every row")
    return _checked([Document(key, cell or "") for key, cell in zip(ids, cells, strict=True)])


def _unnamed(texts: Sequence[str]) -> tuple[list[Document], list[Problem]]:
    """Documents called by their content."""
    told = {text_hash(text): text for text in texts if text.strip()}
    problems = _empty([str(row) for row, text in enumerate(texts) if not text.strip()])
    twice = sum(bool(text.strip()) for text in texts) - len(told)
    if twice:
        message = f"{twice} text(s) are there more than once; each is one document (--id COLUMN keeps them apart)"
        problems.append(Problem("duplicate", "documents", message, count=twice))
    return [Document(key, text) for key, text in told.items()], problems


def _checked(documents: list[Document]) -> tuple[list[Document], list[Problem]]:
    twice = [key for key, count in Counter(d.id for d in documents).items() if count > 1]
    if twice:
        raise DataError(f"two documents are called {twice[0]!r}; expected an id of its own for each")
    return documents, _empty([d.id for d in documents if not d.text.strip()])


def _empty(names: Sequence[str]) -> list[Problem]:
    if not names:
        return []
    message = f"{len(names)} text(s) are empty ({', '.join(map(repr, names[:3]))}): they say nothing"
    return [Problem("empty", "documents", message, count=len(names))]
