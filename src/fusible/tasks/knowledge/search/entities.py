"""Entity linking: which spans of a question name which entities, and how surely."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from fusible.errors import MissingExtraError
from fusible.tasks.knowledge.search.texts import Texts
from fusible.tasks.knowledge.search.words import Word, key_of, words_of

LONGEST = 8
"""Words of a name at most."""
FUZZY, NEAR = 86.0, 0.72
"""Least similarity of spellings (of 100), and least cosine, of a span and a name."""
SHORTEST = 4
"""Letters below which a name is not looked for by its spelling."""
MOST = 5
"""Candidates of a span."""
CELLS = 4_000_000
"""Scores of spans and names that are held at once."""
SURE = {"name": 1.0, "alias": 0.95, "part": 0.7, "spelling": 0.7, "meaning": 0.5}
"""How far a match of each kind is trusted."""
COMMONPLACE = 0.3
"""How far a single small word is trusted that relations are called by, too."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An entity that a span may name: its place, the name that matched, `how`, and the chance among all candidates."""

    entity: int
    name: str
    how: str
    chance: float


@dataclass(frozen=True, slots=True)
class Named:
    """A span of the question (characters `start` to `end`) with the entities that it may name, the likeliest first."""

    start: int
    end: int
    text: str
    candidates: tuple[Candidate, ...]

    @property
    def loose(self) -> bool:
        """Whether the words are no more than like a name, so that low chances are no sign of a common word."""
        return all(one.how not in {"name", "alias"} for one in self.candidates)


_Near = list[tuple[int, float]]
"""Names near a span, each with a score, the nearest first."""


class EntityLinker:
    """Finds entities by exact names and aliases, by spelling, by parts of names, and last by the meaning of names.

    `names` {each entity's}, the first of which is shown; `ids` are the graph's own; `uses` (entities,) count triples:
    of entities of one name, the more used is the likelier. `kinds` are stems that relations are called by.
    """

    def __init__(
        self,
        names: Sequence[tuple[str, ...]],
        ids: Sequence[str],
        uses: np.ndarray,
        kinds: frozenset[str],
        texts: Texts,
    ) -> None:
        self._texts, self._kinds = texts, kinds
        self._prior = np.log1p(uses) + 1.0
        self._exact: dict[str, dict[int, tuple[str, str]]] = {}
        for place, (own, called) in enumerate(zip(ids, names, strict=True)):
            for number, name in enumerate((*called[:1], own, *called[1:])):
                how = "name" if number <= 1 else "alias"
                self._exact.setdefault(key_of(name), {}).setdefault(place, (name, how))
        self._keys = list(self._exact)
        self._spelled = [key if len(key) >= SHORTEST and not any(map(str.isdigit, key)) else "" for key in self._keys]
        self._having: dict[str, list[int]] = {}
        for row, key in enumerate(self._keys):
            for one in set(key.split()):
                self._having.setdefault(one, []).append(row)
        self._vectors: np.ndarray | None = None

    def link(self, question: str) -> list[Named]:
        """Spans that name something, in their order; none of them overlap."""
        words = words_of(question)
        taken = np.zeros(len(words), bool)
        found: list[tuple[int, int, Named]] = []

        def take(more: Iterable[tuple[int, int, Named]]) -> None:
            for first, last, named in more:
                taken[first:last] = True
                found.append((first, last, named))

        def left(least: int) -> list[tuple[int, int]]:
            runs = _runs(words, taken)
            return [(a, b) for a, b in runs if b - a >= least and not self._commonplace(words, a, b)]

        take(list(self._matched(question, words, taken, 2)))
        take(self._by_part(question, words, left(2)))
        take(list(self._matched(question, words, taken, 1)))
        take(self._by_spelling(question, words, left(1)))
        take(self._by_part(question, words, left(1)))
        if not found:
            found += self._by_meaning(question, words, _runs(words, taken))
        return _surest([named for _, _, named in sorted(found, key=lambda one: one[0])])

    def _matched(
        self, question: str, words: Sequence[Word], taken: np.ndarray, least: int
    ) -> Iterator[tuple[int, int, Named]]:
        """Longest exact matches of `least` words or more that are not taken, from the left."""
        at = 0
        while at < len(words):
            for end in range(min(len(words), at + LONGEST), at + least - 1, -1):
                if taken[at:end].any():
                    continue
                part = words[at:end]
                held = self._exact.get(" ".join(word.stem for word in part))
                if held and any(word.tells for word in part):
                    factor = COMMONPLACE if self._commonplace(words, at, end) else 1.0
                    scored = [(place, *held[place], SURE[held[place][1]] * factor) for place in held]
                    yield at, end, self._named(question, part, scored)
                    at = end - 1
                    break
            at += 1

    def _commonplace(self, words: Sequence[Word], first: int, last: int) -> bool:
        """Whether a span is made of small words that relations are called by, or that follow "which" or "what"."""
        asks = first > 0 and words[first - 1].text.casefold() in {"which", "what"}
        plain = all(word.text.islower() for word in words[first:last])
        return plain and (asks or all(word.stem in self._kinds for word in words[first:last]))

    def _by_part(
        self, question: str, words: Sequence[Word], spans: Sequence[tuple[int, int]]
    ) -> list[tuple[int, int, Named]]:
        """Spans with a capital that are whole words of a longer name: "Atlantic City" of one "… International Airport".

        Longer spans come first; the more of a name a span is, the surer.
        """
        found: list[tuple[int, int, Named]] = []
        for first, last in sorted(spans, key=lambda span: span[0] - span[1]):
            part = words[first:last]
            free = not any(first < other and begun < last for begun, other, _ in found)
            if not free or not any(word.text[:1].isupper() and word.tells for word in part):
                continue
            said = f" {' '.join(word.stem for word in part)} "
            rows = min((self._having.get(word.stem, []) for word in part), key=len)
            scored = [
                (place, name, "part", SURE["part"] * (last - first) / len(self._keys[row].split()))
                for row in rows
                if said in f" {self._keys[row]} "
                for place, (name, _) in self._exact[self._keys[row]].items()
            ]
            if scored:
                found.append((first, last, self._named(question, part, scored)))
        return found

    def _by_spelling(
        self, question: str, words: Sequence[Word], spans: Sequence[tuple[int, int]]
    ) -> list[tuple[int, int, Named]]:
        """Spans whose stems are spelled nearly like a name."""
        try:
            from rapidfuzz import fuzz, process
        except ImportError:
            raise MissingExtraError.of("rapidfuzz", "knowledge", "searching a graph") from None
        asked = [(first, last, " ".join(word.stem for word in words[first:last])) for first, last in spans]
        asked = [one for one in asked if len(one[2]) >= SHORTEST and not any(map(str.isdigit, one[2]))]
        if not asked:
            return []

        def scores(some: slice) -> np.ndarray:
            said = [key for *_, key in asked[some]]
            return np.asarray(process.cdist(said, self._spelled, scorer=fuzz.ratio, score_cutoff=FUZZY)) / 100

        near = _nearest(len(asked), len(self._keys), scores)
        return self._best(question, words, [(first, last) for first, last, _ in asked], near, "spelling")

    def _by_meaning(
        self, question: str, words: Sequence[Word], spans: Sequence[tuple[int, int]]
    ) -> list[tuple[int, int, Named]]:
        """Spans that mean nearly what a name does."""
        spans = [span for span in spans if not self._commonplace(words, *span)]
        if not spans:
            return []
        if self._vectors is None:
            shown = [next(iter(self._exact[key].values()))[0] for key in self._keys]
            self._vectors = self._texts.kept(shown, "encode names")
        said = self._texts.encode([question[words[first].start : words[last - 1].end] for first, last in spans])
        vectors = self._vectors

        def scores(some: slice) -> np.ndarray:
            cosines = said[some] @ vectors.T
            return np.where(cosines >= NEAR, cosines, 0.0)

        return self._best(question, words, spans, _nearest(len(spans), len(self._keys), scores), "meaning")

    def _best(
        self, question: str, words: Sequence[Word], spans: Sequence[tuple[int, int]], near: Sequence[_Near], how: str
    ) -> list[tuple[int, int, Named]]:
        """Non-overlapping spans that have `near` names, the best first; longer ones first among equals."""
        found: list[tuple[int, int, Named]] = []
        taken: set[int] = set()
        held = [row for row in range(len(spans)) if near[row]]
        for row in sorted(held, key=lambda row: (-near[row][0][1], spans[row][0] - spans[row][1])):
            first, last = spans[row]
            if taken & {*range(first, last)}:
                continue
            taken |= {*range(first, last)}
            scored = [
                (place, name, how, SURE[how] * score)
                for key, score in near[row]
                for place, (name, _) in self._exact[self._keys[key]].items()
            ]
            found.append((first, last, self._named(question, words[first:last], scored)))
        return found

    def _named(self, question: str, words: Sequence[Word], scored: Sequence[tuple[int, str, str, float]]) -> Named:
        """A span with its candidates: chances are shared out by the match and by how much each is used."""
        weights = np.array([trust * self._prior[place] for place, _, _, trust in scored])
        trusted = max(trust for *_, trust in scored)
        chances = trusted * weights / weights.sum()
        order = np.argsort(-chances, kind="stable")[:MOST]
        candidates = tuple(
            Candidate(place, name, how, float(chances[row]))
            for row in order.tolist()
            for place, name, how, _ in [scored[row]]
        )
        start, end = words[0].start, words[-1].end
        return Named(start, end, question[start:end], candidates)


def _nearest(spans: int, names: int, scores: Callable[[slice], np.ndarray]) -> list[_Near]:
    """The `MOST` names nearest to each span, of those with a score above zero; `scores` (some spans, names)."""
    found: list[_Near] = []
    step = max(1, CELLS // max(names, 1))
    for start in range(0, spans, step):
        for row in scores(slice(start, start + step)):
            there = np.flatnonzero(row > 0)
            best = there[np.argsort(-row[there], kind="stable")[:MOST]]
            found.append([(int(key), float(row[key])) for key in best])
    return found


def _surest(found: list[Named]) -> list[Named]:
    """Spans without those that hardly are names, where others surely are."""
    best = [max(one.chance for one in named.candidates) for named in found]
    if max(best, default=0.0) <= COMMONPLACE:
        return found
    return [named for named, chance in zip(found, best, strict=True) if chance > COMMONPLACE or named.loose]


def _runs(words: Sequence[Word], taken: np.ndarray) -> list[tuple[int, int]]:
    """Spans of up to `LONGEST` words that are not taken, and begin and end with words that tell something."""
    found = []
    for first in range(len(words)):
        for last in range(first + 1, min(len(words), first + LONGEST) + 1):
            if taken[first:last].any():
                break
            if words[first].tells and words[last - 1].tells:
                found.append((first, last))
    return found
