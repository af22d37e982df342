"""What a cell says: texts of answers and captions, whatever a table writes them as."""

from __future__ import annotations

import unicodedata
from typing import Any

import numpy as np
import pandas as pd

from fusible.errors import TargetError


def said(column: str, cell: Any) -> list[str]:
    """Texts of a cell, without outer blanks: of a list those of its members, of a null cell none.

    Whole numbers have no decimal point. Raises `TargetError` for what is no text: mappings, sets, bytes, nested lists.

    >>> said("answer", 2.0), said("answer", [" two ", None]), said("answer", float("nan"))
    (['2'], ['two'], [])
    """
    members = list(cell) if isinstance(cell, list | tuple | np.ndarray) else [cell]
    return [text for member in members if (text := _text(column, member))]


def spelling(text: str) -> str:
    """What texts that differ in case, blanks or the composition of characters have in common.

    >>> spelling("Two  dogs") == spelling("two dogs")
    True
    """
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def _text(column: str, cell: Any) -> str | None:
    if isinstance(cell, str):
        return cell.strip() or None
    if isinstance(cell, list | tuple | dict | set | frozenset | bytes | np.ndarray):
        raise TargetError(
            f"column {column!r}: expected texts, numbers or lists of these, got {type(cell).__name__}; mend the cells"
        )
    if cell is None or bool(pd.isna(cell)):
        return None
    if isinstance(cell, float | np.floating):
        if not np.isfinite(cell):
            return None
        return str(int(cell)) if float(cell).is_integer() else str(cell)
    return str(cell).strip() or None
