"""Small tables of the terminal that no other room prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def print_scores(scores: Mapping[str, Any]) -> None:
    """Print a flat or nested mapping of scores as one table, nested names joined by a dot."""
    from rich.console import Console
    from rich.table import Table

    table = Table("name", "value", box=None, pad_edge=False)
    for name, value in flatten(scores):
        table.add_row(name, f"{value:.4f}" if isinstance(value, float) else str(value))
    Console().print(table, markup=False)


def flatten(scores: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Give (name, value) pairs of a nested mapping.

    >>> flatten({"rows": 2, "test": {"score": 0.5}})
    [('rows', 2), ('test.score', 0.5)]
    """
    pairs: list[tuple[str, Any]] = []
    for name, value in scores.items():
        if isinstance(value, Mapping):
            pairs.extend(flatten(value, f"{prefix}{name}."))
        else:
            pairs.append((f"{prefix}{name}", value))
    return pairs
