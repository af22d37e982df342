"""The pointer: one small file that names the one visible version of an index.

Everything else in the folder is written beside what it names, and counts only once the pointer, renamed into place,
names it. A process that is killed leaves files that nobody names.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

from fusible.errors import ConfigError, DataError

FORMAT = 2
"""Of 1 the failures are one object; how many they are is not said."""
NAME = "index.json"
WORK = "work.json"
LOCK = "lock"
_LARGEST = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Pointer:
    """What is visible.

    `version` counts commits, 0 being an index that was never finished. `table` is LanceDB's version, `roster` the file
    of ids, `next` the first row number that was not given away. `columns` maps the user's column names to those of
    the table. `graphs` maps views to folders of graphs or blocks. `job` is what wrote the version. `failures` is the
    file of what could not be read, and `failed` how many that are, None where format 1 does not say.
    """

    version: int
    table: int
    rows: int
    next: int
    widths: dict[str, int]
    columns: dict[str, str]
    info: dict[str, Any]
    roster: str = ""
    failures: str = ""
    failed: int | None = 0
    job: str = ""
    words: bool = False
    graphs: dict[str, str] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Make this the visible version."""
        write_json(folder / NAME, {"format": FORMAT, **asdict(self)})

    @classmethod
    def read(cls, folder: Path) -> Pointer:
        """Read and check the pointer of a folder; raises `DataError`."""
        path = folder / NAME
        if not path.is_file():
            raise DataError(f"{folder}: expected an index with {NAME}, found none; build it with `fusible index`")
        held = read_json(path)
        number = held.pop("format", None)
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise DataError(f"{path}: expected a whole number `format`, got {number!r}; is this a Fusible index?")
        if number > FORMAT:
            raise DataError(
                f"{path}: format {number} is newer than {FORMAT}, which this version knows; upgrade fusible"
            )
        try:
            if number == 1:
                held["failed"] = None if held.get("failures") else 0
            pointer = cls(**held)
            pointer._check()
        except (TypeError, ValueError, AttributeError) as error:
            raise DataError(f"{path}: the index is damaged ({error}); build it again") from None
        return pointer

    def _check(self) -> None:
        counts = (self.version, self.table, self.rows, self.next, self.failed or 0, *self.widths.values())
        if any(not isinstance(count, int) or isinstance(count, bool) or count < 0 for count in counts):
            raise ValueError("a count is no whole number")
        texts = (*self.widths, *self.columns, *self.columns.values(), *self.graphs, self.job)
        names = (self.roster, self.failures, *self.graphs.values())
        if any(not isinstance(text, str) for text in (*texts, *names)) or not isinstance(self.info, dict):
            raise ValueError("a name is no text")
        if any("/" in name or "\\" in name or name.startswith(".") for name in names):
            raise ValueError("a file outside the folder")
        if set(self.graphs) - set(self.widths):
            raise ValueError("a graph of an unknown view")


def read_json(path: Path, *, bounded: bool = True) -> dict[str, Any]:
    """Read a JSON object, not one that is very large if `bounded`; raises `DataError` for anything else."""
    try:
        if not is_plain(path) or (bounded and path.stat().st_size > _LARGEST):
            raise ValueError("no plain file or too large")
        held = json.loads(path.read_text("utf-8"))
        if not isinstance(held, dict):
            raise ValueError("no object")
    except FileNotFoundError:
        raise DataError(f"{path}: the file is gone, maybe with a later version; open it again") from None
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: the index is damaged ({error}); build it again") from None
    return held


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Read JSON objects, one a line, a line at a time, however many; raises `DataError` for anything else."""
    try:
        if not is_plain(path):
            raise ValueError("no plain file")
        with path.open("rb") as file:  # in bytes a line ends at a line feed alone
            for line in file:
                held = json.loads(line)
                if not isinstance(held, dict):
                    raise ValueError("no object")
                yield held
    except FileNotFoundError:
        raise DataError(f"{path}: the file is gone, maybe with a later version; open it again") from None
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: the index is damaged ({error}); build it again") from None


def is_plain(path: Path) -> bool:
    """Whether a path is a file itself: no link, folder or pipe. Raises `OSError` where there is nothing."""
    return stat.S_ISREG(path.lstat().st_mode)


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write beside its place, flush to disk, rename."""
    text = json.dumps(value, ensure_ascii=False, indent=1)
    put_file(path, (text + "\n").encode())


def put_lines(path: Path, values: Iterable[Mapping[str, Any]]) -> int:
    """Write JSON objects, one a line, as they come, the whole file or none; how many they were."""
    count = 0
    with placing(path) as file:
        for value in values:
            file.write(json.dumps(value).encode() + b"\n")
            count += 1
    return count


def put_file(path: Path, data: bytes) -> None:
    """Write a whole file or none."""
    with placing(path) as file:
        file.write(data)


@contextmanager
def placing(path: Path) -> Iterator[BinaryIO]:
    """Write a whole file or none: beside its place, flushed to disk, renamed, and the folder flushed."""
    part = path.with_name(f".{path.name}.{uuid4().hex[:12]}.part")
    try:
        with part.open("xb") as file:  # a name that nobody can foresee, so that no link leads elsewhere
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)  # on a full disk it would keep the next attempt from room
        raise
    flush_folder(path.parent)


def append(path: Path, text: str) -> None:
    """Append to a file, which may be new; raises `OSError` for a link."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    with os.fdopen(handle, "a", encoding="utf-8") as file:
        file.write(text)


def flush_folder(folder: Path) -> None:
    """Flush a folder's names to disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder for writing; the lock goes with the process.

    Raises `ConfigError` where another holds it, `DataError` where the folder cannot be written to or holds a link or a
    pipe, through which writing would reach other files.
    """
    import fcntl

    try:
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
    except OSError as error:
        raise DataError(f"{folder / LOCK}: cannot be written ({error.strerror}); mend or remove it") from None
    with os.fdopen(handle):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigError(
                f"{folder}: another process is writing to this index; try again when it is done"
            ) from None
        _check_plain(folder)
        yield


def _check_plain(folder: Path) -> None:
    for place, folders, files in os.walk(folder):
        for path in (Path(place, name) for name in (*folders, *files)):
            if not stat.S_ISREG(mode := path.lstat().st_mode) and not stat.S_ISDIR(mode):
                raise DataError(f"{path}: expected a file or folder of the index, got a link or a pipe; remove it")
