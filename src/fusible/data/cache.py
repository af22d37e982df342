"""A content-addressed store of arrays: what was encoded once is never encoded again.

A namespace (an encoder with its version and settings) is a folder of shards. A shard is a safetensors file whose tensor
names are content keys; it is written beside its place, flushed to disk, and renamed, so that readers see whole shards
only and any number of processes may write at once. Shards are memory-mapped, never read whole.
"""

from __future__ import annotations

import json
import os
import re
import time
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from uuid import uuid4

import numpy as np

from fusible.errors import ConfigError, DataError, FusibleWarning

SUFFIX = ".safetensors"
VARIABLE = "FUSIBLE_CACHE"
"""Environment variable that names the default folder."""
_TYPES = {
    "BOOL": np.bool_,
    "U8": np.uint8,
    "I8": np.int8,
    "I16": np.int16,
    "U16": np.uint16,
    "I32": np.int32,
    "U32": np.uint32,
    "I64": np.int64,
    "U64": np.uint64,
    "F16": np.float16,
    "F32": np.float32,
    "F64": np.float64,
}
_LARGEST_HEADER = 100_000_000
_STALE = 24 * 3600


@dataclass(slots=True)
class CacheStats:
    """Items known and their bytes on disk; items read and written through this object."""

    items: int = 0
    bytes: int = 0
    read: int = 0
    written: int = 0


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an array lies: bytes of a mapped shard, offset, type and shape."""

    data: np.ndarray
    start: int
    stop: int
    kind: np.dtype[np.generic]
    shape: tuple[int, ...]

    def array(self) -> np.ndarray:
        """Return the array, backed by the file; writing to it changes memory only."""
        return self.data[self.start : self.stop].view(self.kind).reshape(self.shape)


def default_folder() -> Path:
    """Folder of the cache: `FUSIBLE_CACHE`, else `~/.cache/fusible`."""
    given = os.environ.get(VARIABLE)
    return Path(given) if given else Path.home() / ".cache" / "fusible"


class ArrayCache:
    """The store in a folder (default: `FUSIBLE_CACHE`, else `~/.cache/fusible`)."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = default_folder() if folder is None else Path(folder)

    def open(self, namespace: str) -> CacheSpace:
        """Open the part of the store for one encoder; `namespace` is any text, long or odd ones are hashed."""
        if not namespace:
            raise ConfigError("cache: expected a namespace, got an empty one")
        plain = re.sub(r"[^A-Za-z0-9_-]+", "-", namespace)[:60]
        if plain != namespace:
            plain = f"{plain}-{blake2b(namespace.encode(), digest_size=8).hexdigest()}"
        return CacheSpace(self.folder / plain)

    def size(self) -> int:
        """Bytes of all shards."""
        return sum(size for _, size, _ in self._shards())

    def prune(self, max_bytes: int) -> int:
        """Delete shards that were used longest ago until at most `max_bytes` are left; returns the bytes freed."""
        shards = sorted(self._shards())
        total = sum(size for _, size, _ in shards)
        freed = 0
        for _, size, path in shards:
            if total - freed <= max_bytes:
                break
            path.unlink(missing_ok=True)
            freed += size
        for path in self.folder.glob("*/*.part"):
            if time.time() - path.stat().st_mtime > _STALE:
                path.unlink(missing_ok=True)
        return freed

    def _shards(self) -> Iterable[tuple[float, int, Path]]:
        for path in self.folder.glob(f"*/*{SUFFIX}"):
            status = path.stat()
            yield status.st_mtime, status.st_size, path


class CacheSpace:
    """The arrays of one namespace by content key; shapes and types may differ."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stats = CacheStats()
        self._places: dict[str, _Place] = {}
        self._seen: set[str] = set()
        self._refresh()

    def missing(self, keys: Sequence[str]) -> list[str]:
        """Return the keys without an array, each once, in order; looks for shards of other processes first."""
        self._refresh()
        return [key for key in dict.fromkeys(keys) if key not in self._places]

    def put(self, keys: Sequence[str], arrays: Sequence[np.ndarray]) -> None:
        """Write arrays as one shard (a few hundred at a time are best); known keys are kept as they are."""
        if len(keys) != len(arrays):
            raise ConfigError(f"cache: expected one array per key, got {len(keys)} keys and {len(arrays)} arrays")
        new = {k: np.ascontiguousarray(a) for k, a in zip(keys, arrays, strict=True) if k not in self._places}
        if not new:
            return
        path = self.folder / f"{uuid4().hex}{SUFFIX}"
        try:
            self._write(path, new)
        except OSError as error:
            hint = f"set {VARIABLE} to a folder with room"
            raise ConfigError(f"cache folder {self.folder} cannot be written: {error.strerror}; {hint}") from None
        self.stats.written += len(new)
        self._open(path)

    def _write(self, path: Path, arrays: dict[str, np.ndarray]) -> None:
        from safetensors.numpy import save

        self.folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        try:
            with part.open("wb") as file:
                file.write(save(arrays))
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def get(self, key: str) -> np.ndarray:
        """Return the array of a key; raises `DataError` for a key that is missing."""
        return self.gather([key])[0]

    def gather(self, keys: Sequence[str]) -> list[np.ndarray]:
        """Return the arrays of keys, in order, backed by the files; raises `DataError` for a key that is missing."""
        places = self._places
        try:
            arrays = [places[key].array() for key in keys]
        except KeyError as error:
            raise DataError(f"cache {self.folder.name}: no array for key {error}; encode the item first") from None
        self.stats.read += len(arrays)
        return arrays

    def _refresh(self) -> None:
        """Open shards that are new since the last look."""
        if not self.folder.is_dir():
            return
        for entry in sorted(os.scandir(self.folder), key=lambda entry: entry.name):
            if entry.name.endswith(SUFFIX) and entry.name not in self._seen:
                self._open(Path(entry.path))

    def _open(self, path: Path) -> None:
        self._seen.add(path.name)
        try:
            data, header, begin = _map(path)
            places = {key: _place(data, entry, begin) for key, entry in header.items() if key != "__metadata__"}
        except FileNotFoundError:
            return  # pruned by another process since the folder was listed
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            text = f"cache: {path} is damaged ({error}) and ignored; its items are encoded again"
            warnings.warn(text, FusibleWarning, stacklevel=4)
            return
        for key, place in places.items():
            self._places.setdefault(key, place)
        self.stats.items = len(self._places)
        self.stats.bytes += len(data)
        _touch(path)


def _map(path: Path) -> tuple[np.ndarray, dict[str, dict[str, object]], int]:
    """Map a shard: its bytes, its header, and where the data begin."""
    data = np.asarray(np.memmap(path, dtype=np.uint8, mode="c"))
    if len(data) < 8:
        raise ValueError("no header")
    length = int(data[:8].view("<u8")[0])
    if length > min(len(data) - 8, _LARGEST_HEADER):
        raise ValueError("header longer than the file")
    header = json.loads(data[8 : 8 + length].tobytes())
    begin = 8 + length
    ends = [entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__"]
    if begin + max(ends, default=0) != len(data):
        raise ValueError("truncated")
    return data, header, begin


def _place(data: np.ndarray, entry: dict[str, object], begin: int) -> _Place:
    """Check one header entry against its bytes."""
    kind = np.dtype(_TYPES[str(entry["dtype"])])
    shape = tuple(int(side) for side in entry["shape"])  # type: ignore[attr-defined]  # anything else is damage
    start, stop = (begin + int(offset) for offset in entry["data_offsets"])  # type: ignore[attr-defined]
    count = int(np.prod(shape, dtype=np.int64))
    if min(shape, default=0) < 0 or not begin <= start <= stop <= len(data) or stop - start != count * kind.itemsize:
        raise ValueError("header contradicts the data")
    return _Place(data, start, stop, kind, shape)


def _touch(path: Path) -> None:
    """Note the use, so that `prune` deletes what was used longest ago."""
    try:
        os.utime(path)
    except OSError:
        return  # a read-only cache serves as well; its shards just do not grow younger
