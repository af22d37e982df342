"""How the official VQA evaluation reads an answer (Antol et al., ICCV 2015; its `VQAEval`), quirks included."""

from __future__ import annotations

import re
from functools import lru_cache

_CONTRACTED = """
ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't he'd he'd've he's
how'd how'll how's isn't it'd it'd've it'll ma'am mightn't mightn't've might've mustn't must've needn't not've o'clock
oughtn't 'ow's'at shan't she'd've should've shouldn't shouldn't've somebody'd've somebody'll somebody's someone'd
someone'd've someone'll someone's something'd something'd've something'll that's there'd there'd've there're there's
they'd they'd've they'll they're they've 'twas wasn't we'd've we've weren't what'll what're what's what've when's
where'd where's where've who'd who'd've who'll who's who've why'll why're why's won't would've wouldn't wouldn't've
y'all y'all'll y'all'd've you'd you'd've you'll you're you've
"""
"""Contractions that are put right where one of their apostrophes is missing."""


def _mended() -> dict[str, str]:
    found = {"somebody'd": "somebodyd"}  # the original has this pair the wrong way round
    for right in _CONTRACTED.split():
        for place in (match.start() for match in re.finditer("'", right)):
            found[right[:place] + right[place + 1 :]] = right
    return found


MENDED = _mended()
"""Contractions by how they are written with one apostrophe missing."""

_NUMBERS = "zero one two three four five six seven eight nine ten"
NUMBERS = {word: str(number) for number, word in enumerate(_NUMBERS.split())} | {"none": "0"}
ARTICLES = frozenset(("a", "an", "the"))
SIGNS = ';/[]"{}()=+\\_-><@`,?!'

_STOP = re.compile(r"\.(?!\d)")
_COMMA = re.compile(r"\d,\d")
_STOPS = 32
"""The original removes this many full stops at most: it gives a flag of `re` where the count stands."""


def tidy(answer: str) -> str:
    """Make line feeds and tabs blanks, and strip; done to every answer."""
    return answer.replace("\n", " ").replace("\t", " ").strip()


@lru_cache(maxsize=1 << 16)
def normal(answer: str) -> str:
    """Normalise an answer: signs, full stops, number words up to ten, articles, apostrophes of contractions.

    A sign becomes a blank, or nothing where it stands beside a blank somewhere or the answer has a comma between
    digits; a full stop goes unless a digit follows.

    >>> normal("The two dogs, dont!"), normal("1,000 white-tailed"), normal("3.5 U.S.")
    ("2 dogs don't", '1000 whitetailed', '3.5 us')
    """
    comma = _COMMA.search(answer) is not None
    text = answer
    for sign in SIGNS:
        text = text.replace(sign, "" if comma or f"{sign} " in answer or f" {sign}" in answer else " ")
    text = _STOP.sub("", text, count=_STOPS)
    words = [NUMBERS.get(word, word) for word in text.lower().split()]
    return " ".join(MENDED.get(word, word) for word in words if word not in ARTICLES)
