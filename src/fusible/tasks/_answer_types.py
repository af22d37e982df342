"""Types of questions and answers, by rules that anybody can check."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from fusible.encoders._language import words

OTHER = "other"
YES_NO, NUMBER = "yes/no", "number"
LONGEST = 3
"""Most leading words that make a question type."""
SHARE = 0.05
"""Share of training questions that must begin alike to be a type of their own."""
FEWEST = 5
"""So many of them, too."""
_NUMBER = re.compile(
    r"[-+]?\d+(?:[.,]\d+)*\s*%?|zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen"
    "|fifteen|sixteen|seventeen|eighteen|nineteen|twenty"
)
_YES_NO = frozenset({"yes", "no", "true", "false"})


def question_types(questions: Sequence[str]) -> tuple[str, ...]:
    """Leading words, at most `LONGEST`, with which at least `SHARE` of the questions, and `FEWEST`, begin.

    Words are lower-cased, punctuation is left out; a question counts once for each of its beginnings. Sorted by name.

    >>> question_types(["Is it red?"] * 9 + ["Is it a cat?"] * 10 + ["How many?"] * 6)
    ('how', 'how many', 'is', 'is it', 'is it a', 'is it red')
    """
    counts: Counter[str] = Counter()
    for question, number in Counter(questions).items():
        for beginning in _beginnings(question):
            counts[beginning] += number
    least = max(FEWEST, SHARE * len(questions))
    return tuple(sorted(beginning for beginning, number in counts.items() if number >= least))


def question_type(question: str | None, types: Iterable[str]) -> str:
    """Longest of the types that the question begins with; `other` where there is none, or no question.

    >>> question_type("Is it blue?", ("is", "is it", "is it red")), question_type("Why?", ("is",))
    ('is it', 'other')
    """
    known = frozenset(types)
    found = [beginning for beginning in _beginnings(question or "") if beginning in known]
    return found[-1] if found else OTHER


def answer_type(answer: str) -> str:
    """`yes/no` (also true and false), `number` (digits, or a word up to twenty), or `other`.

    >>> answer_type("Yes"), answer_type("1,000"), answer_type("two"), answer_type("red")
    ('yes/no', 'number', 'number', 'other')
    """
    said = answer.strip().casefold()
    if said in _YES_NO:
        return YES_NO
    return NUMBER if _NUMBER.fullmatch(said) else OTHER


def _beginnings(question: str) -> list[str]:
    found = [word for word in words(question) if word[0].isalnum()][:LONGEST]
    return [" ".join(found[: i + 1]) for i in range(len(found))]
