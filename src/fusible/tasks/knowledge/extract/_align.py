"""Distant alignment (Mintz et al. 2009): where a text says the names of its triples, which are the labels to learn.

In this order: the same words, the same value (numbers, dates), the name without what stands after a comma, the closest
spelling, most of the name's words. The first that is found in the text holds, at all of its places.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from fusible.evaluation.names import normalised, value_of, written

LONGEST = 20
"""Words of a mention at most."""
CLOSE = 80.0
"""Least likeness of a name and its mention, 0 to 100: rapidfuzz's `ratio`."""
MOST = 0.4
"""Least share of a name's letters that a mention of some of its words has."""
VALUE_WORDS = 7

_WORD = re.compile(r"[^\W_]+")

Span = tuple[int, int]
"""Words [start, end) of a text."""


@dataclass(slots=True)
class Spans:
    """All stretches of up to `LONGEST` words of a text that may be a name: places, and words as names compare them."""

    text: str
    words: Sequence[Span]
    plain: list[str] = field(init=False)
    by_name: dict[str, list[Span]] = field(init=False)

    def __post_init__(self) -> None:
        self.plain = [_word(self.text[start:end]) for start, end in self.words]
        for place, (start, end) in enumerate(self.words):
            if self.text[start:end] == "A" and self._mark(place + 1) == ".":  # an initial, no article
                self.plain[place] = "a"
        self.by_name = {}
        for start in range(len(self.words)):
            if not self.plain[start]:
                continue
            said, dotted = "", False
            for end in range(start + 1, min(start + LONGEST, len(self.words)) + 1):
                word = self.plain[end - 1]
                dotted |= self._mark(end - 1) == "."
                said += word if not said or not word else f" {word}"
                if word:
                    name = normalised(self.slice((start, end))) if dotted else said
                    self.by_name.setdefault(name, []).append((start, self._closed(start, end)))

    def _mark(self, word: int) -> str:
        return self.text[slice(*self.words[word])] if word < len(self.words) else ""

    def _closed(self, start: int, end: int) -> int:
        """The end of a stretch with the bracket that it opens."""
        opened = self.slice((start, end)).count("(") > self.slice((start, end)).count(")")
        return end + 1 if opened and self._mark(end) == ")" else end

    def slice(self, span: Span) -> str:
        """What the text has there."""
        return self.text[self.words[span[0]][0] : self.words[span[1] - 1][1]]


def mentions(names: Sequence[str], spans: Spans) -> dict[str, list[Span]]:
    """Where each of a text's names is said; a name that is not found is left out."""
    found: dict[str, list[Span]] = {}
    for name in names:
        if at := _exact(name, spans):
            found[name] = at
    taken = {span for at in found.values() for span in at}
    for name in names:
        if name not in found and value_of(name) is None and (at := _close(name, spans, taken)):
            found[name] = at
    return found


def aligned(
    triples: Sequence[tuple[str, str, str]], found: Mapping[str, Sequence[Span]]
) -> list[tuple[Span, str, Span]]:
    """Triples of places: every mention of a head with every one of its tail; loops on one place are left out."""
    pairs = {
        (one, relation, other): None
        for head, relation, tail in triples
        for one in found.get(head, ())
        for other in found.get(tail, ())
        if one != other
    }
    return list(pairs)


def _exact(name: str, spans: Spans) -> list[Span]:
    value = value_of(name)
    if value is not None:
        return _by_value(value, spans)
    whole = normalised(written(name).replace("(", " ").replace(")", " "))
    for form in (whole, normalised(name), _place(name)):
        if at := spans.by_name.get(form):
            return at
    return []


def _place(name: str) -> str:
    """Of a name with a place after its one comma what stands before it: "Abilene" of "Abilene, Texas"."""
    first, _, rest = written(name).partition(", ")
    return normalised(first) if first[:1].isupper() and rest[:1].isupper() and "," not in rest else ""


def _by_value(value: tuple[float, ...], spans: Spans) -> list[Span]:
    """Shortest stretches that write a value."""
    count, at = len(spans.words), []
    for start in range(count):
        for end in range(start + 1, min(start + VALUE_WORDS, count) + 1):
            if spans.plain[start] and spans.plain[end - 1] and value_of(spans.slice((start, end))) == value:
                at.append((start, end))
                break
    return [one for one in at if not any(other != one and _inside(other, one) for other in at)]


def _close(name: str, spans: Spans, taken: set[Span]) -> list[Span]:
    """The stretch that is spelled most like a name, or that has most of its words."""
    from rapidfuzz import fuzz, process

    wanted, said = normalised(name), list(spans.by_name)
    if not said or len(wanted) < 3:
        return []
    telling = _telling(name)
    ordered, sorted_ = (process.cdist([wanted], said, scorer=one)[0] for one in (fuzz.ratio, fuzz.token_sort_ratio))
    shares = np.array([bool(telling & set(one.split())) for one in said])
    scores = np.maximum(ordered, sorted_ * shares)
    best = int(np.argmax(scores))
    if scores[best] >= CLOSE:
        return [span for span in spans.by_name[said[best]] if span not in taken]
    short = _initials(name)
    if free := [span for span in spans.by_name.get(short, ()) if span not in taken and spans.slice(span)[0].isupper()]:
        return free
    words = set(wanted.split())
    covered = [len(one) / len(wanted) if words >= (own := set(one.split())) and own & telling else 0.0 for one in said]
    best = int(np.argmax(covered))
    free = [span for span in spans.by_name[said[best]] if span not in taken]
    return free if covered[best] >= MOST else []


def _initials(name: str) -> str:
    """First letters of a name's words with a capital: "us" of "United States"; nothing of a single one."""
    held = [word[0] for word in _WORD.findall(written(name)) if word[0].isupper()]
    return "".join(held).lower() if len(held) > 1 else ""


def _telling(name: str) -> set[str]:
    """Words of a name that tell it: the first one, and those with a capital ("English" of "English language")."""
    held = _WORD.findall(written(name))
    return {plain for place, word in enumerate(held) if (plain := _word(word)) and (not place or word[0].isupper())}


def _inside(inner: Span, outer: Span) -> bool:
    return outer[0] <= inner[0] and inner[1] <= outer[1]


def _word(word: str) -> str:
    """One word as names compare it; nothing for punctuation and articles."""
    plain = normalised(word)
    return plain if any(c.isalnum() for c in plain) and plain not in {"the", "a", "an"} else ""
