"""Relation linking: which relations the words of a question speak of, and from which end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from fusible.tasks.knowledge._words import words
from fusible.tasks.knowledge.search.bm25 import stems
from fusible.tasks.knowledge.search.entities import Named
from fusible.tasks.knowledge.search.texts import Texts
from fusible.tasks.knowledge.search.words import words_of

SHARED = 0.35
"""Weight of shared words beside that of cosines."""
PREPOSITIONS = words("in at on by of to from with for as")
OTHER = 0.1
"""What of relations of the same words ("found", "founded in") those lose that do not end as the question says."""
COLD = 0.07
"""Temperature of chances of relations, in units of similarity."""
MOST = 12
"""Pairs of entity and relation that are looked at."""
SHARP, SMALL = 8, 0.02
"""Power that chances of pairs are raised to, and the least share that is then left of one."""
AGAINST = 0.1
"""What is left of the chance of a direction that the words speak against."""
LEAST = 0.003
"""Chance that an entity is an end of a relation which nothing like it is an end of."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What leads from a linked entity: a relation (`slot`, or `slot - relations` from its tail to its head).

    `chance` is that the question asks for it.
    """

    entity: int
    slot: int
    chance: float


class RelationLinker:
    """Scores relations for a question by their labels and descriptions: cosines of encodings, and shared words."""

    def __init__(self, labels: Sequence[str], told: Sequence[str], texts: Texts) -> None:
        self._texts = texts
        self._labels = texts.kept(labels, "encode relations")
        whole = [f"{label}: {about}" if about else label for label, about in zip(labels, told, strict=True)]
        self._whole = texts.kept(whole, "encode relations")
        self.passive = np.array([label.casefold().endswith(" by") for label in labels], bool)
        self._words = [frozenset(stems(label)) for label in labels]
        ends = [label.casefold().split()[-1:] for label in labels]
        self._ends = [end[0] if end and end[0] in PREPOSITIONS else "" for end in ends]
        alike: dict[frozenset[str], list[int]] = {}
        for place, own in enumerate(self._words):
            alike.setdefault(own, []).append(place)
        self._alike = [places for own, places in alike.items() if own and len(places) > 1]
        held = Counter(word for words in self._words for word in words)
        self._rarity = {word: 1.0 / np.log(2.0 + count) for word, count in held.items()}

    @property
    def stems(self) -> frozenset[str]:
        """Stems that relations are called by."""
        return frozenset(self._rarity)

    def similarities(self, question: str, vector: np.ndarray) -> np.ndarray:
        """Similarity (relations,) of a question without its names, and of its vector (width,), with each relation."""
        asked = frozenset(stems(question))
        weights = [sum(self._rarity[word] for word in words & asked) for words in self._words]
        whole = [sum(self._rarity[word] for word in words) or 1.0 for words in self._words]
        shared = np.array(weights) / np.array(whole)
        found: np.ndarray = 0.5 * (self._labels @ vector + self._whole @ vector) + SHARED * shared
        said = {word.text.casefold() for word in words_of(question)}
        for places in self._alike:
            found[places] = found[places].max() - [OTHER * (not self._ends_so(place, said)) for place in places]
        return found

    def _ends_so(self, place: int, said: set[str]) -> bool:
        """Whether a relation ends as words of a question do: "founded in" where they ask for a place or time."""
        end, places = self._ends[place], not said.isdisjoint({"where", "when"})
        return (not end and not places) or end in said or (places and end in {"in", "at", "on"})


class Ends:
    """How far entities are ends of relations: those that they have, and those that ones with the same have."""

    def __init__(self, triples: np.ndarray, entities: int, relations: int) -> None:
        heads, kinds, tails = triples.T
        rows, slots = np.concatenate([heads, tails]), np.concatenate([kinds, kinds + relations])
        counts = sparse.csr_matrix((np.ones(len(rows)), (rows, slots)), shape=(entities, 2 * relations))
        counts.sum_duplicates()
        answers = sparse.csr_matrix(
            (np.ones(len(rows)), (np.concatenate([tails, heads]), slots)), shape=(entities, 2 * relations)
        )
        answers.sum_duplicates()
        self.usual = answers.multiply(1.0 / np.maximum(answers.sum(axis=0), 1.0)).tocsc()
        has = counts.copy()
        has.data[:] = 1.0
        both = (has.T @ has).tocsr()
        self._has = has
        self._given = sparse.csr_matrix(sparse.diags(1.0 / np.maximum(both.diagonal(), 1.0)) @ both)

    def fitting(self, entity: int) -> np.ndarray:
        """How far (2 relations,) an entity fits each end: 1 where it is one, else the share of those most like it."""
        own = self._has.indices[self._has.indptr[entity] : self._has.indptr[entity + 1]]
        found = np.full(self._given.shape[0], LEAST)
        if len(own):
            found = np.maximum(found, np.asarray(self._given[own].mean(axis=0)).ravel())
            found[own] = 1.0
        return found


def asked_for(
    question: str, named: Sequence[Named], chances: np.ndarray, ends: Ends, passive: np.ndarray, most: int = MOST
) -> list[Asked]:
    """The likeliest pairs of linked entity and slot, given the chance (relations,) of each relation.

    `passive` (relations,) are those called like "founded by": there "by Ada" makes Ada the tail, and nothing else does.
    """
    found = []
    for span in named:
        after_by = question[: span.start].casefold().split()[-1:] == ["by"]
        wrong = np.concatenate([passive & after_by, passive & (not after_by)])
        ways = np.tile(chances, 2) * np.where(wrong, AGAINST, 1.0)
        for one in span.candidates:
            both = one.chance * ways * ends.fitting(one.entity)
            found += [Asked(one.entity, int(slot), float(both[slot])) for slot in np.argsort(-both)[:most]]
    return sorted(found, key=lambda pair: -pair.chance)[:most]


def sharpened(asked: Sequence[Asked]) -> list[Asked]:
    """The few pairs that stand out, with chances that add up to one.

    What one relation leads to is often surer than what another does: of a mixture by plain chances the surer one, of
    which the question does not speak, would name the answers.
    """
    powers = np.array([pair.chance for pair in asked]) / max((pair.chance for pair in asked), default=1.0)
    powers = powers**SHARP
    shares = powers / max(float(powers.sum()), 1e-12)
    return [Asked(p.entity, p.slot, float(share)) for p, share in zip(asked, shares, strict=True) if share >= SMALL]


def chances_of(similarities: np.ndarray, cold: float = COLD) -> np.ndarray:
    """Chances (relations,) of similarities."""
    powers = np.exp((similarities - similarities.max()) / cold)
    found: np.ndarray = powers / powers.sum()
    return found
