"""How varied captions are, and how much of them is copied from the captions trained on.

Distinct n-grams after Li et al. (NAACL 2016), here over all n-grams; novelty as in the caption literature (Dai et al.,
ICCV 2017): captions, and n-grams, that training did not show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from fusible.errors import DataError
from fusible.evaluation._words import ngrams
from fusible.evaluation.captions import tokenize

LONGEST = 4


@dataclass(frozen=True, slots=True)
class Diversity:
    """What a set of captions shows, after tokenisation.

    `distinct_1` and `distinct_2` are different n-grams per n-gram; `vocabulary` the number of different words,
    `mean_length` words per caption. Against training: `copied`, the share of captions that stand there word for word
    (those of which no word is left, such as emoji: as they are), `novel`, the rest; `unseen`, the share of the n-grams
    (n = 1 to 4) that do not stand there. These are None without training captions. A share of nothing is 0.
    """

    captions: int
    distinct_1: float
    distinct_2: float
    vocabulary: int
    mean_length: float
    copied: float | None
    novel: float | None
    unseen: tuple[float, float, float, float] | None

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return asdict(self)


def diversity(captions: Sequence[str], training: Sequence[str] | None = None) -> Diversity:
    """Measure captions, against `training` captions where given; raises `DataError` for no captions.

    >>> found = diversity(["a red circle", "a red square"], ["A red circle."])
    >>> found.distinct_1, found.copied, found.unseen[0]
    (0.6666666666666666, 0.5, 0.16666666666666666)
    """
    if not len(captions):
        raise DataError("diversity: expected at least one caption, got none; give the generated captions")
    said = tokenize(captions)
    grams = {n: [gram for words in said for gram in ngrams(words, n, n)] for n in range(1, LONGEST + 1)}
    copied = unseen = None
    if training is not None:
        shown = tokenize(training)
        whole = set(_wholes(training, shown))
        copied = sum(one in whole for one in _wholes(captions, said)) / len(said)
        unseen = tuple(_unseen(grams[n], {g for words in shown for g in ngrams(words, n, n)}) for n in grams)
    return Diversity(
        captions=len(said),
        distinct_1=_share(len(set(grams[1])), len(grams[1])),
        distinct_2=_share(len(set(grams[2])), len(grams[2])),
        vocabulary=len(set(grams[1])),
        mean_length=len(grams[1]) / len(said),
        copied=copied,
        novel=None if copied is None else 1.0 - copied,
        unseen=unseen,  # type: ignore[arg-type]
    )


def _wholes(captions: Sequence[str], said: Sequence[list[str]]) -> list[tuple[str, ...] | str]:
    """What makes captions the same: their words, or where none is left the text itself."""
    return [tuple(words) or caption.strip() for caption, words in zip(captions, said, strict=True)]


def _unseen(grams: Sequence[tuple[str, ...]], shown: set[tuple[str, ...]]) -> float:
    return _share(sum(gram not in shown for gram in grams), len(grams))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
