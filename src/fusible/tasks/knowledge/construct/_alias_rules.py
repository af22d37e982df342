"""Rules that say that two names may be one entity. None compares all pairs: each looks within blocks of like names."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from fusible.errors import MissingExtraError
from fusible.tasks.knowledge.construct._alias_names import ACRONYM, VALUES, Named, differ, firm, key_of, shortened

BLOCK = 200
"""Names in a block from which on what they share says nothing."""
LETTERS = 6
"""Letters of a word from which on one wrong letter is taken for a mistake; twice as many, and two are."""
RARE = 0.34
"""Most mentions of the rarer of two spellings, as a share of the other's: mistakes are rare."""
COSINE = 0.93
"""Least cosine of two encodings of one entity. Of 1,154 entities of WebNLG (train and dev) three pairs have it, of
which "New York" and "New York City" are two entities; at .90 "Serie A" and "Serie B" are among them."""
SMALL = 20_000
"""Names up to which all cosines are taken; of more, those within blocks of like signs."""
TABLES, BITS = 12, 12

Encode = Callable[[Sequence[str]], np.ndarray]
"""Vectors (names, width) of length 1."""
_SMALL_WORDS = frozenset({"of", "the", "and", "for", "in", "de", "on", "at", "to"})


@dataclass(frozen=True, slots=True)
class Merge:
    """Two names taken for one entity, by which rule, and how alike they are (0 to 1)."""

    name: str
    other: str
    rule: str
    score: float


def spellings(names: Sequence[Named]) -> Iterator[Merge]:
    """Names that differ in case, articles, accents, punctuation; companies, also in the legal form."""
    for rule, key, score in (("spelling", key_of, 1.0), ("legal form", lambda name: firm(key_of(name)), 0.95)):
        for block in _blocks((key(name.name), name) for name in names if rule == "spelling" or _maybe_firm(name)):
            for one, other in _pairs(block):
                if not differ(one, other):
                    yield Merge(one.name, other.name, rule, score)


def _pairs(block: Sequence[Named]) -> Iterator[tuple[Named, Named]]:
    """All pairs of a block; of a large one those with its most frequent name."""
    ordered = sorted(block, key=lambda n: n.name)
    if len(block) <= BLOCK:
        yield from combinations(ordered, 2)
        return
    first = max(block, key=lambda n: (n.count, n.name))
    at = ordered.index(first)
    yield from ((one, first) for one in ordered[:at])
    yield from ((first, other) for other in ordered[at + 1 :])


def _maybe_firm(name: Named) -> bool:
    return name.kind in {"", "organisation"} and not name.name.islower()


def acronyms(names: Sequence[Named]) -> Iterator[Merge]:
    """As "UN" and "United Nations": the first letters, and no other name has them; of two letters, in one document."""
    short = [name for name in names if ACRONYM.fullmatch(name.name)]
    wanted = {_letters(name.name) for name in short}
    longer: dict[str, dict[str, Named]] = defaultdict(dict)
    for name in names:
        for letters in _initials(name.name) & wanted:
            longer[letters].setdefault(firm(key_of(name.name)), name)
    for name in short:
        found = [other for other in longer[_letters(name.name)].values() if not differ(name, other)]
        if len(found) == 1:
            together = bool(name.documents & found[0].documents)
            if together or len(_letters(name.name)) > 2:
                yield Merge(name.name, found[0].name, "acronym", 0.95 if together else 0.85)


def _letters(name: str) -> str:
    return re.sub(r"[^A-Z]", "", name)


def _initials(name: str) -> set[str]:
    words = [word for word in re.split(r"[\s_\-]+", name) if word]
    if len(words) < 2:
        return set()
    big = [word[0] for word in words if word[0].isupper()]
    full = [word[0].upper() for word in words if word.lower() not in _SMALL_WORDS]
    return {"".join(big), "".join(full), "".join(word[0].upper() for word in words)}


def surnames(names: Sequence[Named]) -> Iterator[Merge]:
    """As "Curie", "M. Curie" and "Marie Curie": one full name alone may be meant, in all documents of the short one."""
    keyed = ((name, key_of(name.name).split()) for name in names if name.kind == "person")
    people = [(name, words) for name, words in keyed if words]
    full: dict[str, dict[str, list[Named]]] = defaultdict(dict)
    for name, words in people:
        if len(words) > 1 and not _initialled(words):
            full[words[-1]].setdefault(" ".join(words), []).append(name)
    for name, words in people:
        if len(words) > 1 and not _initialled(words):
            continue
        key = " ".join(words)
        alike = [own for other, own in full.get(words[-1], {}).items() if shortened(key, other)]
        if len(alike) == 1 and name.documents <= alike[0][0].documents:
            yield Merge(name.name, alike[0][0].name, "initials" if len(words) > 1 else "surname", 0.9)


def _initialled(words: Sequence[str]) -> bool:
    """Whether all first names are initials."""
    return len(words) > 1 and all(len(word) == 1 for word in words[:-1])


def mistakes(names: Sequence[Named]) -> Iterator[Merge]:
    """Names that are a letter apart (rapidfuzz): long words, all others the same, and one of both is rare."""
    try:
        from rapidfuzz.distance import OSA
    except ImportError:
        raise MissingExtraError.of("rapidfuzz", "knowledge", "merging aliases") from None
    some = [(name, key_of(name.name)) for name in names if name.kind not in VALUES]
    keys = {name.name: key for name, key in some}
    for block in _blocks(pair for name, key in some for pair in _like(name, key)):
        if len(block) > BLOCK:
            continue
        for one, other in combinations(sorted(block, key=lambda n: n.name), 2):
            few, many = sorted((one.count, other.count))
            pair = _one_word(keys[one.name], keys[other.name])
            if pair is None or (few > 1 and few > RARE * many) or differ(one, other):
                continue
            away = OSA.distance(*pair)
            if away <= min(2, _room(*pair)):
                yield Merge(one.name, other.name, "mistake", round(1 - away / max(map(len, pair)), 4))


def _room(one: str, other: str) -> int:
    """Most mistakes of two words; a letter for another ("Japanese", "Javanese") is one in long words alone."""
    length = min(len(one), len(other))
    swapped = len(one) == len(other) and sorted(one) != sorted(other)
    return 0 if swapped and length < 2 * LETTERS else length // LETTERS


def _like(name: Named, key: str) -> Iterator[tuple[str, Named]]:
    """Blocks of a key: without one of its words, and begin and end of a single word."""
    words = key.split()
    for place, word in enumerate(words):
        if len(word) >= LETTERS:
            rest = " ".join([*words[:place], "*", *words[place + 1 :]])
            yield from ((f"{rest} {part}", name) for part in (word[:3], word[-3:]))


def _one_word(one: str, other: str) -> tuple[str, str] | None:
    """The single word in which two keys differ."""
    words, others = one.split(), other.split()
    if len(words) != len(others):
        return None
    apart = [(a, b) for a, b in zip(words, others, strict=True) if a != b]
    return apart[0] if len(apart) == 1 else None


def meanings(names: Sequence[Named], encode: Encode) -> Iterator[Merge]:
    """Names of one kind whose encodings are nearly the same; of values (dates, numbers) none."""
    some = sorted((n for n in names if n.kind and n.kind not in VALUES), key=lambda n: n.name)
    if len(some) < 2:
        return
    vectors = encode([name.name for name in some])
    for one, other, cosine in near(vectors, COSINE):
        if some[one].kind == some[other].kind and not differ(some[one], some[other]):
            yield Merge(some[one].name, some[other].name, "meaning", round(cosine, 4))


def near(vectors: np.ndarray, least: float, small: int = SMALL) -> Iterator[tuple[int, int, float]]:
    """Pairs (i, j, cosine), i < j, of rows (rows, width) of length 1 that are at least so alike.

    Of more than `small` rows only those in one block of twelve tables of signs of random projections (Charikar 2002)
    are compared; at a cosine of .92 about one pair in seventeen is missed then.
    """
    if len(vectors) <= small:
        for start in range(0, len(vectors), 1024):
            products = vectors[start : start + 1024] @ vectors.T
            for row, column in zip(*np.nonzero(products >= least), strict=True):
                if start + row < column:
                    yield start + int(row), int(column), float(products[row, column])
        return
    planes = np.random.default_rng(0).normal(size=(vectors.shape[1], TABLES * BITS)).astype(np.float32)
    signs = (vectors @ planes > 0).reshape(len(vectors), TABLES, BITS) @ (1 << np.arange(BITS))
    seen: set[tuple[int, int]] = set()
    for table in range(TABLES):
        order = np.argsort(signs[:, table], kind="stable")
        cuts = np.flatnonzero(np.diff(signs[order, table])) + 1
        for block in map(np.sort, np.split(order, cuts)):
            for a, b, cosine in near(vectors[block], least, max(small, len(block))):
                pair = (int(block[a]), int(block[b]))
                if pair not in seen:
                    seen.add(pair)
                    yield *pair, cosine


def _blocks(pairs: Iterable[tuple[str, Named]]) -> Iterator[list[Named]]:
    found: Mapping[str, dict[str, Named]] = defaultdict(dict)
    for key, name in pairs:
        found[key][name.name] = name
    yield from (list(block.values()) for key, block in sorted(found.items()) if len(block) > 1)
