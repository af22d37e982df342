"""What the owner of the data should know about the condition of each view."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from fusible.alignment._gram import Covariance
from fusible.alignment._whiten import Whitened
from fusible.errors import FusibleWarning

SAME = 1.0 - 1e-12
"""Correlation from which on two columns count as duplicates."""


def condition_report(cov: Covariance, white: Whitened | None, method: str) -> dict[str, dict[str, Any]]:
    """Per view: columns, rank, condition number of the covariance, constant and duplicate columns, method.

    Duplicates are looked for only where the rank falls short of the columns.
    """
    report: dict[str, dict[str, Any]] = {}
    for i, name in enumerate(cov.names):
        kept = cov.kept[i]
        rank = int(kept.sum()) if white is None else white.whiteners[i].rank
        condition = None if white is None else white.conditions[i]
        short = rank < kept.sum() or (condition is not None and condition > 1e12)
        report[name] = {
            "columns": len(kept),
            "rank": rank,
            "condition": condition,
            "constant": np.flatnonzero(~kept).tolist(),
            "duplicates": duplicates(cov.blocks[i][i]) if short else [],
            "dropped": int(kept.sum()) - rank,
            "method": method,
        }
    return report


def duplicates(correlation: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of columns that equal one another up to shift, scale and sign."""
    first, second = np.nonzero(np.triu(np.abs(correlation) >= SAME, 1))
    return list(zip(first.tolist(), second.tolist(), strict=True))


def warn_of(name: str, cov: Covariance, report: dict[str, dict[str, Any]], *, whitens: bool) -> None:
    """Warn of too few rows (where nothing regularises), constant and duplicate columns, dropped directions."""
    columns = sum(entry["columns"] for entry in report.values())
    if whitens and cov.rows <= columns:
        _warn(
            f"{name}: {cov.rows} rows for {columns} columns: correlations of 1 are found in noise; "
            "take a ridge, or fewer columns"
        )
    for view, entry in report.items():
        if entry["constant"]:
            _warn(f"{name}: view {view!r}: columns {_few(entry['constant'])} are constant and get weight 0")
        if entry["duplicates"]:
            pairs = _few([f"{a}={b}" for a, b in entry["duplicates"]])
            _warn(f"{name}: view {view!r}: columns {pairs} are duplicates; their weights are shared")
        if entry["dropped"]:
            _warn(
                f"{name}: view {view!r}: {entry['dropped']} directions hold no variance and are dropped "
                f"(rank {entry['rank']})"
            )


def _few(items: list[Any], most: int = 5) -> str:
    shown = ", ".join(str(item) for item in items[:most])
    return shown + (f" and {len(items) - most} more" if len(items) > most else "")


def _warn(message: str) -> None:
    warnings.warn(message, FusibleWarning, stacklevel=5)
