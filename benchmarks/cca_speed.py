"""Time and memory of linear and kernel CCA beside cca-zoo and scikit-learn, on one BLAS thread.

CPU seconds (user and system), least of repeats; a peer that takes minutes runs once. The floor of a linear fit is the
4 n p² floating-point operations of the joint Gram of two views of p columns, at the peak rate of dgemm measured in the
same run. Views share latent variates; every method gives as many components; "apart" is the largest difference of its
training correlations from Fusible's. Peers run with their own settings; cca-zoo's `MCCA` also without its PCA, which is
its faster setting (its claim is for the default); its search refits the best as Fusible's does; its kernel CCA gets the
same kernel width and the same ridge. Memory is that of a process of its own, above what it held before the fit.
"""

from __future__ import annotations

import os

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import importlib.util  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
import warnings  # noqa: E402
from collections.abc import Callable  # noqa: E402
from dataclasses import dataclass  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import _cca_memory  # noqa: E402
import _harness  # noqa: E402
import numpy as np  # noqa: E402
from threadpoolctl import threadpool_limits  # noqa: E402

from fusible.alignment import Cca, CcaCV, Gcca, KernelCca, Mcca, permutation_test  # noqa: E402

HAS_ZOO = importlib.util.find_spec("cca_zoo") is not None
RIDGES = tuple(np.logspace(-3, 1, 10))

Views = list[np.ndarray]


@dataclass(frozen=True)
class Sizes:
    """Rows and columns of each part, full or quick."""

    rows: int = 100_000
    fewer: int = 10_000
    columns: int = 512
    components: int = 64
    small_columns: int = 256
    small_components: int = 32
    search_rows: int = 20_000
    search_columns: int = 128
    kernel_rows: int = 2000
    stream_rows: tuple[int, int] = (10_000, 1_000_000)
    repeats: int = 5


QUICK = Sizes(2000, 1000, 32, 8, 16, 4, 1000, 16, 200, (1000, 20_000), 2)


def views(rows: int, columns: int, shared: int, seed: int) -> Views:
    """Two views of `shared` latent variates and noise."""
    rng = np.random.default_rng(seed)
    latent = rng.normal(size=(rows, shared))
    return [latent @ (0.3 * rng.normal(size=(shared, columns))) + rng.normal(size=(rows, columns)) for _ in range(2)]


def seconds(run: Callable[[], Any], repeats: int = 1) -> tuple[float, Any]:
    """Least CPU seconds of repeats, and what the last one gave."""
    best, found = np.inf, None
    for _ in range(repeats):
        start = time.process_time()
        found = run()
        best = min(best, time.process_time() - start)
    return best, found


def dgemm_rate(size: int, repeats: int) -> float:
    """Floating-point operations per second of a square dgemm."""
    one, other = np.random.default_rng(0).normal(size=(2, size, size))
    return 2.0 * size**3 / seconds(lambda: one @ other, repeats)[0]


def of_scores(scores: Views) -> np.ndarray:
    """Correlation of each component."""
    one, other = (x - x.mean(axis=0) for x in scores)
    size = np.linalg.norm(one, axis=0) * np.linalg.norm(other, axis=0)
    return np.abs(np.asarray((one * other).sum(axis=0) / size))


def apart(own: Any, peer: Any, data: Views) -> float:
    """Largest difference of training correlations, each sorted."""
    found = [np.sort(x) for x in (np.abs(own.correlations_), of_scores(peer.transform(data)))]
    return float(np.abs(found[0] - found[1]).max())


def floors(benchmark: _harness.Benchmark, sizes: Sizes) -> None:
    """Cca beside the floor."""
    for rows, most in ((sizes.rows, 1.5), (sizes.fewer, 2.0)):
        data = views(rows, sizes.columns, sizes.components, 0)
        rate = dgemm_rate(512 if benchmark.arguments.quick else 2048, sizes.repeats)
        spent, _ = seconds(lambda data=data: Cca(sizes.components).fit(data), sizes.repeats)
        rate = max(rate, dgemm_rate(512 if benchmark.arguments.quick else 2048, sizes.repeats))
        floor = 4.0 * rows * sizes.columns**2 / rate
        case = f"{rows} x {sizes.columns}, {sizes.components} components"
        benchmark.row(case=case, method=f"floor at {rate / 1e9:.0f} GFLOP/s", seconds=floor)
        benchmark.row(case=case, method="Cca", seconds=spent, ratio=spent / floor)
        benchmark.claim(f"Cca {rows} x {sizes.columns}: time over the floor", spent / floor, at_most=most)


def linear(benchmark: _harness.Benchmark, sizes: Sizes) -> None:
    """Cca, Mcca and Gcca beside cca-zoo's."""
    from cca_zoo.linear import CCA, GCCA, MCCA

    data, count = views(sizes.rows, sizes.columns, sizes.components, 0), sizes.components
    case = f"{sizes.rows} x {sizes.columns}, {count} components"
    pairs: list[tuple[Any, dict[str, tuple[Any, float | None]]]] = [
        (Cca(count), {"CCA": (CCA(count), 5.0)}),
        (Mcca(count), {"MCCA": (MCCA(count), 8.0), "MCCA, pca=False": (MCCA(count, pca=False), None)}),
        (Gcca(count), {"GCCA": (GCCA(count), 15.0)}),
    ]
    for own, peers in pairs:
        spent, fitted = seconds(lambda own=own: own.fit(data), sizes.repeats)
        benchmark.row(case=case, method=type(own).__name__, seconds=spent)
        for name, (peer, least) in peers.items():
            peer_spent, peer_fitted = seconds(lambda peer=peer: peer.fit(data))
            ratio = peer_spent / spent
            benchmark.row(
                case=case, method=f"cca-zoo {name}", seconds=peer_spent, ratio=ratio,
                apart=apart(fitted, peer_fitted, data),
            )  # fmt: skip
            if least is not None:
                benchmark.claim(f"{name} {sizes.rows} x {sizes.columns}: times faster", ratio, at_least=least)


def scikit_learn(benchmark: _harness.Benchmark, sizes: Sizes) -> None:
    """Cca beside scikit-learn's CCA with its own settings."""
    from sklearn.cross_decomposition import CCA

    data, count = views(sizes.fewer, sizes.small_columns, sizes.small_components, 1), sizes.small_components
    case = f"{sizes.fewer} x {sizes.small_columns}, {count} components"
    spent, fitted = seconds(lambda: Cca(count).fit(data), sizes.repeats)
    benchmark.row(case=case, method="Cca", seconds=spent)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it does not converge in its 500 iterations
        peer_spent, peer = seconds(lambda: CCA(count).fit(*data))
    found = np.sort(of_scores(list(peer.transform(*data))))
    difference = float(np.abs(found - np.sort(fitted.correlations_)).max())
    benchmark.row(case=case, method="scikit-learn CCA", seconds=peer_spent, ratio=peer_spent / spent, apart=difference)
    benchmark.claim(f"scikit-learn CCA {case}: times faster", peer_spent / spent, at_least=300.0)


def search(benchmark: _harness.Benchmark, sizes: Sizes) -> None:
    """Ten ridges x five folds, and twenty permutations."""
    from cca_zoo.linear import CCA, RidgeCCA
    from cca_zoo.model_selection import GridSearchCV, permutation_test_significance

    count = min(16, sizes.search_columns // 2)
    data = views(sizes.search_rows, sizes.search_columns, count, 2)
    case = f"{sizes.search_rows} x {sizes.search_columns}, {count} components"
    shares = [ridge / (1.0 + ridge) for ridge in RIDGES]
    jobs: list[tuple[str, Callable[[], Any], Callable[[], Any], float]] = [
        (
            "10 ridges x 5 folds",
            lambda: CcaCV(count, ridges=RIDGES, folds=5).fit(data),
            lambda: GridSearchCV(RidgeCCA(count), {"shrinkage": shares}, cv=5).fit(data),
            25.0,
        ),
        (
            "20 permutations",
            lambda: permutation_test(Cca(count).fit(data), data, permutations=20),
            lambda: permutation_test_significance(CCA(count), data, n_permutations=20, random_state=0),
            10.0,
        ),
    ]
    for name, own, peer, least in jobs:
        spent, _ = seconds(own, min(3, sizes.repeats))
        peer_spent, _ = seconds(peer)
        benchmark.row(case=f"{name}, {case}", method="Fusible", seconds=spent)
        benchmark.row(case=f"{name}, {case}", method="cca-zoo", seconds=peer_spent, ratio=peer_spent / spent)
        benchmark.claim(f"{name}: times faster", peer_spent / spent, at_least=least)


def kernels(benchmark: _harness.Benchmark, sizes: Sizes) -> None:
    """RBF kernel CCA; cca-zoo's shrinkage c is a ridge of c / (1 - c) on covariances of the feature space."""
    from cca_zoo.nonparametric import KCCA
    from sklearn.metrics.pairwise import rbf_kernel

    data, gamma, ridge = views(sizes.kernel_rows, 20, 3, 3), 0.02, 0.1 / 0.9
    kernel = [rbf_kernel(view, gamma=gamma) for view in data]
    totals = [float((np.trace(k) - k.sum() / len(k)) / (len(k) - 1)) for k in kernel]
    own = KernelCca(5, kernel="rbf", gamma=gamma, ridge=[ridge / total for total in totals])
    spent, fitted = seconds(lambda: own.fit(data), min(3, sizes.repeats))
    case = f"RBF kernels, {sizes.kernel_rows} rows, 5 components"
    benchmark.row(case=case, method="KernelCca", seconds=spent)
    peer_spent, peer = seconds(lambda: KCCA(5, kernel="rbf", gamma=gamma, shrinkage=0.1).fit(data))
    benchmark.row(
        case=case, method="cca-zoo KCCA", seconds=peer_spent, ratio=peer_spent / spent, apart=apart(fitted, peer, data)
    )
    benchmark.claim(f"{case}: times faster", peer_spent / spent, at_least=12.0)


def memory(benchmark: _harness.Benchmark, sizes: Sizes) -> None:
    """Peak memory of streamed fits at few and many rows, and of fits of arrays in memory."""
    if not Path("/proc/self/status").is_file():
        print("memory is measured on Linux only")
        return
    few, many = sizes.stream_rows
    ways = ("npy stream",) if benchmark.arguments.quick else ("memory map", "npy stream", "Parquet stream")
    found: dict[tuple[str, int], float] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for rows in (few, many):
            folder = Path(temporary) / str(rows)
            folder.mkdir()
            _cca_memory.write(folder, rows, 64, parquet=True)
            for what in ways:
                found[what, rows] = _cca_memory.growth(what, folder)
                benchmark.row(
                    case=f"{rows} x 64 + 64, {rows * 128 * 4 / 2**20:.0f} MB", method=f"Cca, {what}",
                    megabytes=found[what, rows],
                )  # fmt: skip
        folder = Path(temporary) / "arrays"
        folder.mkdir()
        _cca_memory.write(folder, sizes.rows, sizes.small_columns, parquet=False)
        for what in ("arrays", "cca-zoo")[: 1 + HAS_ZOO]:
            name = "Cca" if what == "arrays" else "cca-zoo CCA"
            size = f"{sizes.rows * 2 * sizes.small_columns * 4 / 2**20:.0f} MB"
            benchmark.row(
                case=f"{sizes.rows} x {sizes.small_columns} + {sizes.small_columns} in memory, {size}", method=name,
                megabytes=_cca_memory.growth(what, folder),
            )  # fmt: skip
    for what in ways:
        more = found[what, many] - found[what, few]
        benchmark.claim(f"{what}: MB more for {many} rows than for {few}", more, at_most=16.0)


def main() -> None:
    """Run the benchmark."""
    arguments = _harness.arguments(__doc__)
    benchmark = _harness.Benchmark("cca_speed", arguments)
    sizes = QUICK if arguments.quick else Sizes()
    with threadpool_limits(1):
        import torch

        torch.set_num_threads(1)
        floors(benchmark, sizes)
        scikit_learn(benchmark, sizes)
        if HAS_ZOO:
            linear(benchmark, sizes)
            search(benchmark, sizes)
            kernels(benchmark, sizes)
        else:
            print("without cca-zoo: pip install 'fusible[bench]' runs it beside")
    memory(benchmark, sizes)
    benchmark.finish()


if __name__ == "__main__":
    main()
