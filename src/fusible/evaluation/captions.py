"""Scores of generated captions against reference captions: those of the COCO evaluation, exact match, and word errors.

All work on the PTB tokenisation of pycocoevalcap (`tokenize`) and agree with it: BLEU-1 to 4 (Papineni et al., 2002),
CIDEr-D (Vedantam et al., 2015) and ROUGE-L (Lin, 2004; β = 1.2) to 1e-6; METEOR (Denkowski & Lavie, 2014) through it,
where it and Java are there. Items are rows: any of them can be resampled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from fusible.errors import ArrayError, ConfigError, DataError
from fusible.evaluation._bleu import bleu, bleu_counts
from fusible.evaluation._cider import Cider, cider, similarity
from fusible.evaluation._meteor import meteor, meteor_is_here
from fusible.evaluation._ptb import tokens
from fusible.evaluation._words import common_length, edit_distance
from fusible.evaluation.ratio import Ratio

Pairs = list[tuple[list[str], list[str]]]
"""Words of a candidate, and of each of its references."""
BETA = 1.2
"""Weight of recall in ROUGE-L."""


def tokenize(captions: Sequence[str]) -> list[list[str]]:
    """Split captions into words in lower case without punctuation, as pycocoevalcap's `PTBTokenizer` does with Java.

    >>> tokenize(["A dog's ball.", "It isn't red!"])
    [['a', 'dog', "'s", 'ball'], ['it', 'is', "n't", 'red']]
    """
    if isinstance(captions, str):
        raise DataError("captions: expected a list of captions, got one string; put it in a list")
    return [tokens(caption) for caption in captions]


class CiderD:
    """CIDEr-D with the document frequencies of fixed references: the reward of self-critical training (Rennie et al.).

    `references` are the reference captions of each item; an n-gram's frequency is in how many items it stands. Scored
    against the same references, `score` is what pycocoevalcap's `Cider` gives for these items. Vectors of reference
    captions are kept between calls. Raises `DataError` for no items, or an item without a caption.

    >>> references = [["a red circle"], ["a blue square"]]
    >>> CiderD(references).score(["a red circle", "a red square"], references).round(2)
    array([7.5 , 1.25])
    """

    def __init__(self, references: Sequence[Sequence[str]]) -> None:
        _check(references)
        self._cider = Cider([[_split(caption) for caption in captions] for captions in references])

    def score(self, candidates: Sequence[str], references: Sequence[Sequence[str]]) -> np.ndarray:
        """CIDEr-D of each candidate against its references, 0 to 10; (items,)."""
        _check(references, candidates)
        vector, kept = self._cider.vector, self._cider.kept
        pairs = zip(candidates, references, strict=True)
        return np.array(
            [similarity(vector(_split(text)), [kept(other, _split) for other in others]) for text, others in pairs]
        )


@dataclass(frozen=True, slots=True)
class CaptionScores:
    """Scores of captions by name: of the corpus, and of each item.

    `corpus` and `items` have "bleu_1" to "bleu_4", "rouge_l", "cider_d", "exact", "wer", and "meteor" where it can be
    computed. BLEU, METEOR and the word error rate of a corpus are not means of its items'. The rate of a corpus is the
    sum of `errors` over the sum of `words`, so that both can be resampled; `bleu_counts` (items, 10) likewise sum up to
    the corpus that `corpus_bleu` scores.
    """

    corpus: dict[str, float]
    items: dict[str, np.ndarray]
    errors: np.ndarray
    words: np.ndarray
    bleu_counts: np.ndarray = field(repr=False)


def caption_scores(
    candidates: Sequence[str], references: Sequence[Sequence[str]], *, with_meteor: bool | None = None
) -> CaptionScores:
    """Score a candidate caption of each item against its reference captions.

    "exact" is whether the words are those of a reference; "wer" the word errors (inserted, deleted, replaced) per word
    of the reference where they are fewest per word. Both take texts of which no word is left, such as emoji, for one
    word each. `with_meteor` None computes METEOR where pycocoevalcap and Java
    are; True requires them. Raises `DataError` for no items or an item without references, `ArrayError` for a
    different number of candidates and references, `MissingExtraError` for METEOR that is required and absent.

    >>> scores = caption_scores(["a red circle"], [["A red circle.", "It is red"]], with_meteor=False)
    >>> scores.corpus["exact"], scores.corpus["wer"], round(scores.corpus["rouge_l"], 6)
    (1.0, 0.0, 1.0)
    """
    _check(references, candidates)
    said = tokenize(candidates)
    others = [tokenize(captions) for captions in references]
    said_words, other_words = [_words(s) for s in said], [[_words(o) for o in row] for row in others]
    counts = np.array([bleu_counts(s, row) for s, row in zip(said_words, other_words, strict=True)])
    pairs = _pairs(candidates, references, said, others)
    edits = np.array([_errors(row) for row in pairs], dtype=float)
    items = {f"bleu_{n + 1}": column for n, column in enumerate(bleu(counts).T)}
    items["rouge_l"] = np.array([rouge_l(s, row) for s, row in zip(said, others, strict=True)])
    items["cider_d"] = cider(said_words, other_words)
    items["exact"] = np.array([_exact(row) for row in pairs])
    items["wer"] = edits[:, 0] / np.maximum(edits[:, 1], 1)
    corpus = {name: float(values.mean()) for name, values in items.items()}
    corpus |= {f"bleu_{n + 1}": float(value) for n, value in enumerate(corpus_bleu(counts))}
    corpus["wer"] = float(edits[:, 0].sum() / max(edits[:, 1].sum(), 1))
    if with_meteor or (with_meteor is None and meteor_is_here()):
        joined = [[" ".join(o) for o in row] for row in others]
        corpus["meteor"], items["meteor"] = meteor([" ".join(s) for s in said], joined)
    return CaptionScores(corpus, items, edits[:, 0], edits[:, 1], counts)


def caption_ratio(candidates: Sequence[str], references: Sequence[Sequence[str]], metric: str) -> Ratio:
    """One metric of `caption_scores` alone ("cider_d", "rouge_l", "exact" or "wer"), as a ratio of sums over items.

    >>> caption_ratio(["a red circle", "a square"], [["A red circle."], ["a blue square"]], "wer").value
    0.16666666666666666
    """
    _check(references, candidates)
    if metric == "cider_d":
        return Ratio.mean(CiderD(references).score(candidates, references))
    said, others = tokenize(candidates), [tokenize(captions) for captions in references]
    if metric == "rouge_l":
        return Ratio.mean(np.array([rouge_l(s, row) for s, row in zip(said, others, strict=True)]))
    pairs = _pairs(candidates, references, said, others)
    if metric == "exact":
        return Ratio.mean(np.array([_exact(row) for row in pairs]))
    if metric != "wer":
        raise ConfigError(f"metric {metric!r}: expected one of cider_d, rouge_l, exact, wer")
    errors, words = np.array([_errors(row) for row in pairs], dtype=float).T
    return Ratio(errors, words)


def corpus_bleu(counts: np.ndarray) -> np.ndarray:
    """BLEU-1 to BLEU-4 of a corpus (4,) from the `bleu_counts` (items, 10) of its items."""
    return bleu(np.asarray(counts).sum(axis=0))


def rouge_l(candidate: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """ROUGE-L of words, with the best precision and the best recall over references, as pycocoevalcap's `Rouge`.

    >>> round(rouge_l("a dog runs".split(), ["the dog runs fast".split()]), 4)
    0.5571
    """
    said = list(candidate) or [""]  # the original splits an empty caption into one empty word
    rows = [list(reference) or [""] for reference in references]
    common = [common_length(row, said) for row in rows]
    precision = max(common) / len(said)
    recall = max(length / len(row) for length, row in zip(common, rows, strict=True))
    return (1 + BETA**2) * precision * recall / (recall + BETA**2 * precision) if precision and recall else 0.0


def _pairs(
    candidates: Sequence[str],
    references: Sequence[Sequence[str]],
    said: Sequence[list[str]],
    others: Sequence[Sequence[list[str]]],
) -> list[Pairs]:
    """Words of each candidate beside those of each reference; where neither has any, the texts stand for themselves.

    Otherwise all emoji would be the same.
    """
    return [
        [
            (words, other) if words or other else ([text.strip()], [caption.strip()])
            for other, caption in zip(row, captions, strict=True)
        ]
        for text, captions, words, row in zip(candidates, references, said, others, strict=True)
    ]


def _exact(pairs: Pairs) -> float:
    return float(any(words == other for words, other in pairs))


def _errors(pairs: Pairs) -> tuple[int, int]:
    """Word errors, and words of the reference where they are fewest per word."""
    found = [(edit_distance(words, other), len(other)) for words, other in pairs]
    return min(found, key=lambda pair: (pair[0] / max(pair[1], 1), -pair[1]))


def _split(caption: str) -> list[str]:
    return _words(tokens(caption))


def _words(parts: Sequence[str]) -> list[str]:
    """Give the words of n-grams: BLEU and CIDEr of the original part tokens at no-break spaces too."""
    return " ".join(parts).split()


def _check(references: Sequence[Sequence[str]], candidates: Sequence[str] | None = None) -> None:
    if not len(references):
        raise DataError("captions: expected reference captions of at least one item, got none; give some rows")
    for number, captions in enumerate(references):
        if isinstance(captions, str):
            raise DataError(f"captions: the references of item {number} are one string; give a list of captions")
        if not len(captions):
            raise DataError(f"captions: item {number} has no reference caption; leave the item out")
    if candidates is not None and len(candidates) != len(references):
        found = f"got {len(candidates)} candidates for {len(references)} items"
        raise ArrayError(f"captions: expected one candidate caption of each item, {found}; pair them")
