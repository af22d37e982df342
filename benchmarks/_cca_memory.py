"""Peak memory of one fit in a process of its own: `python _cca_memory.py WHAT FOLDER` prints MB above the start.

WHAT is how the views of FOLDER are read: "memory map" (.npy), "npy stream", "Parquet stream", or "arrays" (in memory,
whose own size does not count) by Fusible, "cca-zoo" (in memory) by cca-zoo.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

COMPONENTS = 8
CHUNK = 10_000


def write(folder: Path, rows: int, columns: int, *, parquet: bool) -> None:
    """Write two related views of `rows` as .npy (float32) and, where asked for, as one Parquet file, by chunks."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(2, COMPONENTS, columns))
    names = [[f"{view}{i}" for i in range(columns)] for view in ("a", "b")]
    schema = pa.schema([(name, pa.float32()) for view in names for name in view])
    maps = [np.lib.format.open_memmap(folder / f"{view}.npy", "w+", np.float32, (rows, columns)) for view in ("a", "b")]
    writer = pq.ParquetWriter(folder / "views.parquet", schema) if parquet else None
    for start in range(0, rows, CHUNK):
        count = min(CHUNK, rows - start)
        shared = rng.normal(size=(count, COMPONENTS))
        parts = [(shared @ m + rng.normal(size=(count, columns))).astype(np.float32) for m in mixing]
        for array, part in zip(maps, parts, strict=True):
            array[start : start + count] = part
        if writer is not None:
            writer.write_table(pa.table(list(np.hstack(parts).T), schema=schema))
    if writer is not None:
        writer.close()
    for array in maps:
        array.flush()


def growth(what: str, folder: Path) -> float:
    """Run a fit in a fresh process; MB of memory at its peak above what the process held before."""
    done = subprocess.run([sys.executable, __file__, what, str(folder)], capture_output=True, text=True, check=True)
    return float(done.stdout)


def fit(what: str, folder: Path) -> float:
    """Fit, and give the growth of the peak in MB; libraries are loaded and warmed up before."""
    from fusible.alignment import Cca, Stream

    tiny = np.random.default_rng(0).normal(size=(2, 200, 10))
    Cca(2).fit(list(tiny))
    model: Any = Cca(COMPONENTS)
    paths = {name: folder / f"{name}.npy" for name in ("a", "b")}
    views: Any
    if what == "memory map":
        views = {name: np.load(path, mmap_mode="r") for name, path in paths.items()}
    elif what == "npy stream":
        views = Stream.from_arrays(paths)
    elif what == "Parquet stream":
        width = np.load(paths["a"], mmap_mode="r").shape[1]
        columns = {name: [f"{name}{i}" for i in range(width)] for name in paths}
        views = Stream.from_parquet(folder / "views.parquet", columns)
    else:
        views = [np.load(path) for path in paths.values()]
        if what == "cca-zoo":
            from cca_zoo.linear import CCA

            CCA(2).fit(list(tiny))
            model = CCA(COMPONENTS)
    before = resident("VmRSS")
    model.fit(views)
    return resident("VmHWM") - before


def resident(name: str) -> float:
    """MB of this process as Linux counts them: VmRSS now, VmHWM at its peak."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    raise SystemExit(f"{name} is not in /proc/self/status")


if __name__ == "__main__":
    print(fit(sys.argv[1], Path(sys.argv[2])))
