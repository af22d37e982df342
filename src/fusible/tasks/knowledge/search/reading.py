"""What a question is understood as: names, the kind of answer, relations, and pairs of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fusible.tasks.knowledge.search.entities import Named
from fusible.tasks.knowledge.search.relations import Asked
from fusible.tasks.knowledge.search.words import ASKING, SAID_TYPES, words_of

PERSON, PLACE, TIME = "person human", "place location country city", "date year time"
KINDS = {
    "who": PERSON,
    "whom": PERSON,
    "whose": PERSON,
    "where": PLACE,
    "when": TIME,
}
"""What is asked for by words that ask."""
_GROUPS = ("NORP", "ORG")
FITTING = {
    PERSON: frozenset(SAID_TYPES[name] for name in ("PERSON", *_GROUPS)),
    PLACE: frozenset(SAID_TYPES[name] for name in ("GPE", "LOC", "FAC", "EVENT", *_GROUPS)),
    TIME: frozenset(SAID_TYPES[name] for name in ("DATE", "TIME", "EVENT")),
}
"""Types that may answer such a word, of those that graphs built from texts have."""
KNOWN = frozenset(SAID_TYPES.values())
ASKED = 4
"""Words that say what kind of answer is asked for, at most."""


@dataclass(slots=True)
class Reading:
    """A question as it was understood: what it names, relations with their chances, pairs, and vectors of its texts.

    `bare` is the question without its names, `kind` the words that say what is looked for.
    """

    question: str
    named: list[Named]
    bare: str
    kind: str
    vector: np.ndarray
    chances: np.ndarray
    kind_vector: np.ndarray
    asked: list[Asked]

    @property
    def is_general(self) -> bool:
        """Whether all that is known of the kind is that it is a person, a place or a time."""
        return self.kind in KINDS.values()

    def fits(self, types: Sequence[str]) -> bool:
        """Whether an entity of such types may answer: not where all are known, and none is what "who" or such asks."""
        fitting = FITTING.get(self.kind)
        return fitting is None or not types or not KNOWN.issuperset(types) or not fitting.isdisjoint(types)

    @property
    def starts(self) -> dict[int, float]:
        """Linked entities, with their chances."""
        found: dict[int, float] = {}
        for span in self.named:
            for one in span.candidates:
                found[one.entity] = max(found.get(one.entity, 0.0), one.chance)
        return found


def without(question: str, named: Sequence[Named]) -> str:
    """A question without what it names."""
    parts, at = [], 0
    for span in named:
        parts.append(question[at : span.start])
        at = span.end
    return " ".join("".join([*parts, question[at:]]).split())


def kind_of(bare: str) -> str:
    """Words of a question that say what kind of thing is looked for: those after `which`, or the first that tell.

    Only a word at the beginning asks; a later "who" speaks of something else.

    >>> kind_of("Which country is a citizen of?"), kind_of("companies founded by"), kind_of("Who influenced ?")
    ('country', 'companies', 'person human')
    """
    words = words_of(bare)
    asking = [i for i, word in enumerate(words[:2]) if word.text.casefold() in ASKING]
    first = words[asking[0]].text.casefold() if asking else ""
    if first in KINDS:
        return KINDS[first]
    rest = words[asking[0] + 1 :] if asking else words
    found: list[str] = []
    for word in rest:
        if word.tells and not (found and word.text.endswith("ed")):
            found.append(word.text)
        elif found:
            break
    return " ".join(found[:ASKED])
