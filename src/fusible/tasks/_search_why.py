"""Why a row was found: words that it shares with the query, and pieces without which it would be less like it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from fusible.errors import DataError
from fusible.evaluation.explanation import Saliency
from fusible.tasks.retriever import Retriever
from fusible.tasks.saliency import ablated, cut
from fusible.types import Media, Modality, View

WORD = re.compile(r"[^\W_]+")
WINDOWS = {Modality.IMAGE: (6,), Modality.AUDIO: (4,)}
"""Pieces along each side of the windows that are covered."""
_ENDINGS = ("ing", "ed", "es", "s")
_SHORTEST = 3


def shared_words(query: str, text: str) -> list[str]:
    """Words of a text that the query has too, as they stand in the text; endings and common words do not count.

    >>> shared_words("the dog is running", "Two dogs run over the grass")
    ['dogs', 'run']
    """
    wanted = {stem(word) for word in WORD.findall(query)}
    telling = wanted - _common()
    found = [word for word in WORD.findall(text) if stem(word) in (telling or wanted)]
    return list(dict.fromkeys(found))


def stem(word: str) -> str:
    """A word in lower case without its English ending, roughly: enough to see that two are one word.

    >>> stem("Running"), stem("runs"), stem("dog")
    ('run', 'run', 'dog')
    """
    low = word.casefold()
    end = next((e for e in _ENDINGS if low.endswith(e) and len(low) - len(e) >= _SHORTEST), "")
    low = low[: len(low) - len(end)] if end else low
    if end in {"ing", "ed"} and len(low) > _SHORTEST and low[-1] == low[-2]:
        low = low[:-1]
    return low.removesuffix("e") if len(low) > _SHORTEST else low


def _common() -> set[str]:
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return {stem(word) for word in ENGLISH_STOP_WORDS}


def pieces_of(retriever: Retriever, view: View, item: Any, query: np.ndarray) -> Saliency | None:
    """By how much the similarity with the query (width,) drops without each word, patch or stretch of an item.

    None where the item cannot be cut. Needs the extra `explain`.
    """
    try:
        pieces = cut(view, item)
    except DataError:
        return None  # the file changed or went since it was indexed
    if pieces is None:
        return None

    def answers(kept: np.ndarray) -> np.ndarray:
        vectors = embedded(retriever, view, [pieces.make(mask) for mask in kept])
        return np.asarray(np.nan_to_num(vectors @ query, nan=0.0))

    values = ablated(answers, pieces.shape, WINDOWS.get(view.modality, ()))
    return Saliency(view.name, view.columns[0], pieces.kind, values.tolist(), list(pieces.names))


def embedded(retriever: Retriever, view: View, items: Sequence[Any]) -> np.ndarray:
    """Unit vectors (items, width) of texts or media in memory, NaN for None."""
    cells = [bytes(item.data) if isinstance(item, Media) and item.data is not None else item for item in items]
    frame = pd.DataFrame({name: pd.Series([None] * len(cells), dtype=object) for name in view.columns})
    frame[view.columns[0]] = pd.Series(cells, dtype=object)
    return retriever.transform(frame, [view.name], workers=1)[view.name]
