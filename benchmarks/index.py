"""Search in 1,000,000 sentence encodings: recall and latency beside NumPy, faiss HNSW, usearch and LanceDB.

100,000 MiniLM encodings of real sentences are repeated ten times and jittered; queries are other sentences' encodings.
One thread everywhere. Fusible's search width is the one that it chose at build; a peer's is the smallest that reaches
the same recall on validation queries (.95 at least). Before a system's turn its files are read and other queries asked,
for a machine that takes cold pages from memory would time its disk. What was built is kept in the cache, so that a run
that was cut off goes on.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import shutil
import subprocess
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from _harness import Benchmark, arguments
from _index_peers import HAS_USEARCH, K, System, fusible_index, systems
from _texts import encodings, sentences

JITTER = 0.3
"""Length of the noise that is added to a vector of length 1: its copies are about as alike as paraphrases."""
TARGET = 0.95
ROUNDS = 5
CHUNK = 1 << 24
FIRST = "import sys; from _index_peers import first_query; print(first_query(*sys.argv[1:]))"


def main() -> None:
    """Build every system on the same vectors, then measure them in turns."""
    from fusible.data.cache import default_folder
    from fusible.index import _graphs

    benchmark = Benchmark("index", arguments(__doc__))
    if not HAS_USEARCH:
        print("without usearch, which is not installed: pip install 'fusible[bench]'", file=sys.stderr)
    args = benchmark.arguments
    real, copies, asked = (500, 12, 50) if args.quick else (100_000, 10, 1_000)
    if args.quick:
        _graphs.APPROXIMATE = real * copies  # so that the small index has a graph too
    texts = sentences(102_000)
    cache = args.cache or default_folder()
    base = vectors(texts[:real], copies, cache)
    valid, test = (
        encodings(part, cache) for part in (texts[100_000 : 100_000 + asked], texts[101_000 : 101_000 + asked])
    )
    folder = Path(cache) / f"benchmark-index-{len(base)}"
    try:
        measure(benchmark, folder, base, valid, test)
    finally:
        if args.quick:
            shutil.rmtree(folder, ignore_errors=True)
    benchmark.finish()


def vectors(texts: list[str], copies: int, cache: Path) -> np.ndarray:
    """Encodings, repeated with noise, of unit length; the first copy is as encoded."""
    real = encodings(texts, cache)
    random = np.random.default_rng(0)
    found = np.empty((copies * len(real), real.shape[1]), np.float32)
    for copy in range(copies):
        part = found[copy * len(real) : (copy + 1) * len(real)]
        noise = random.standard_normal(real.shape, dtype=np.float32) * (JITTER / real.shape[1] ** 0.5)
        part[:] = real + noise * (copy > 0)
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return found


def measure(benchmark: Benchmark, folder: Path, base: np.ndarray, valid: np.ndarray, test: np.ndarray) -> None:
    """Recall, latency, processor seconds of build, size on disk and first query of every system."""
    folder.mkdir(parents=True, exist_ok=True)
    ours = fusible_index(folder / "fusible", base)
    peers = [system.ready(folder, base) for system in systems()]
    wanted, right = truth(base, valid), truth(base, test)
    reached = recall(np.concatenate([ours.search(query[None]) for query in valid]), wanted)
    for peer in peers:
        warm(peer, valid[:0])
        peer.tune(lambda found: recall(found, wanted), valid, max(TARGET, reached))
    numpy = System("numpy", "exact, one matrix product", lambda q: best(q @ base.T))
    everything = [ours, *peers, numpy]
    times = in_turns(everything, valid, test)
    for system in everything:
        few = test if system is not numpy else test[:50]
        benchmark.row(
            system=system.name,
            settings=system.settings,
            recall_at_10=recall(np.concatenate([system.search(query[None]) for query in few]), right[: len(few)]),
            median_ms=times[system.name],
            build_cpu_seconds=system.seconds,
            disk_mb=system.size() / 1e6,
            first_query_ms=None if system.place is None else first(system),
        )
    judge(benchmark, ours.name)


def in_turns(everything: list[System], others: np.ndarray, queries: np.ndarray) -> dict[str, float]:
    """Median milliseconds per query, every system in every round, so that a busy machine slows all of them alike."""
    spent: dict[str, list[float]] = {system.name: [] for system in everything}
    for part in np.array_split(queries, ROUNDS):
        for system in everything:
            few = part if system.place is not None else part[:10]
            warm(system, others[: len(few)])
            for query in few:
                begun = perf_counter()
                system.search(query[None])
                spent[system.name].append(1000 * (perf_counter() - begun))
    return {name: float(np.median(times)) for name, times in spent.items()}


def warm(system: System, queries: np.ndarray) -> None:
    """Read a system's files, so that the machine holds them, and ask it a few queries."""
    for file in system.files():
        with file.open("rb", buffering=0) as handle:
            while handle.read(CHUNK):
                pass
    for query in queries:
        system.search(query[None])


def truth(base: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Places of the exact nearest."""
    return np.concatenate([best(queries[start : start + 16] @ base.T) for start in range(0, len(queries), 16)])


def best(scores: np.ndarray) -> np.ndarray:
    """Places of the `K` highest scores of every row."""
    kept = np.argpartition(-scores, K, axis=1)[:, :K]
    order = np.argsort(-np.take_along_axis(scores, kept, axis=1), axis=1)
    return np.take_along_axis(kept, order, axis=1)


def recall(found: np.ndarray, right: np.ndarray) -> float:
    """Mean share of the exact nearest that were found."""
    pairs = zip(found.tolist(), right.tolist(), strict=True)
    return float(np.mean([len(set(one) & set(other)) / K for one, other in pairs]))


def first(system: System) -> float:
    """Milliseconds from opening to the end of the first query, in a process of its own; median of five."""
    command = [sys.executable, "-c", FIRST, system.name, str(system.place)]
    here = Path(__file__).parent
    runs = [subprocess.run(command, check=True, capture_output=True, text=True, cwd=here) for _ in range(5)]
    return float(np.median([float(run.stdout) for run in runs]))


def judge(benchmark: Benchmark, ours: str) -> None:
    """Judge Fusible's row against those of the peers that reach the recall."""
    own = next(row for row in benchmark.rows if row["system"] == ours)
    rivals: list[dict[str, Any]] = [row for row in benchmark.rows if row["system"] != ours]
    fastest = min(row["median_ms"] for row in rivals if row["recall_at_10"] >= TARGET - 0.005)
    benchmark.claim("recall@10 of Fusible's index", own["recall_at_10"], at_least=0.95)
    ratio = own["median_ms"] / fastest
    benchmark.claim("median latency over that of the fastest peer at the same recall", ratio, at_most=1.5)
    benchmark.claim("milliseconds from opening to the first answer", own["first_query_ms"], at_most=200)


if __name__ == "__main__":
    main()
