"""PTB tokenisation of captions, as pycocoevalcap's `PTBTokenizer` does it, without Java.

That is Stanford's tokenizer (corenlp 3.4.1) with `-preserveLines -lowerCase`, and its punctuation left out. A caption
is read on its own. The original reads all captions as one file, and there a single letter with a full stop at the end
of a caption may be read by the first word of the next ("5 m." before "The"): here each is read as if it were the last.
Line breaks other than a line feed, at which the original loses count of its captions, are blanks here. What Stanford's
tokenizer drops (emoji, other planes of Unicode) is dropped here too: this is for scores, not for writing captions.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from fusible.evaluation._ptb_characters import SPELLING, shape
from fusible.evaluation._ptb_rules import RULES, Rule

_GAPS = " \t\xa0\u2003\x00"
_WHOLE = re.compile(r"[A-Za-z]+(?=\s|$)")
_LEFT_OUT = re.compile(r"[\"'`‘’“”.?!,:;]")
_TWO = {word: (word[:3], word[3:]) for word in ("cannot", "gonna", "gotta", "wanna", "lemme", "gimme")}
_BRACKETS = {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"}
_QUOTES = {"`": "`", "‘": "`", "’": "'", "“": "``", "”": "''"}
_ENTITIES = {"&amp;": "&", "&lt;": "<", "&gt;": ">"}
_RULES = {kind: tuple(rule for rule in RULES if kind in rule.begins) for kind in "a1."}


def tokens(caption: str) -> list[str]:
    r"""Split one caption into words in lower case, without punctuation.

    A token may hold a no-break space, which stands for a blank within a telephone number, mixed fraction or tag.

    >>> tokens("Mr. Smith's dog didn't see 2 1/2 cats (U.S.), did it?")
    ['mr.', 'smith', "'s", 'dog', 'did', "n't", 'see', '2\xa01/2', 'cats', '-lrb-', 'u.s.', '-rrb-', 'did', 'it']
    """
    shaped = shape(caption)
    found: list[str] = []
    place = 0
    while place < len(shaped):
        if shaped[place] in _GAPS:
            place += 1
            continue
        plain = _WHOLE.match(shaped, place)  # most words need no rule
        if plain:
            place = plain.end()
            found.extend(_word(plain.group()))
            continue
        end, kind = _longest(shaped, place)
        found.extend(_written(caption[place:end], shaped[place:end], kind))
        place = end
    return found


def _longest(shaped: str, place: int) -> tuple[int, str]:
    """Give the end and kind of the token at a place."""
    first = shaped[place]
    best, end, kind = 0, place + 1, "stop"
    for rule in _RULES["1" if first in "0123456789٣" else "a" if first.isalpha() or first == "\u0300" else "."]:
        match = rule.pattern.match(shaped, place)
        if match and _length(rule, match) > best:
            best, kind = _length(rule, match), rule.kind
            end = match.end("token") if "token" in rule.pattern.groupindex else match.end()
    return end, kind


def _length(rule: Rule, match: re.Match[str]) -> int:
    ahead = match.end("ahead") if "ahead" in rule.pattern.groupindex else match.end()
    return ahead - match.start() + rule.beyond


def _word(word: str) -> tuple[str, ...]:
    lower = word.lower()
    return _TWO.get(lower, (lower,))


def _written(raw: str, shaped: str, kind: str) -> tuple[str, ...]:
    """Give what the original writes for a token: nothing for punctuation, two words for "cannot"."""
    lower = raw.lower().replace(" ", "\xa0").replace("\t", "\xa0")
    if kind == "tag":
        return (lower,)
    if kind in _SPECIAL:
        lower = _SPECIAL[kind](lower, shaped)
        return (lower,) if lower else ()
    lower = lower.replace("\xad", "")  # a soft hyphen
    if not lower or _LEFT_OUT.fullmatch(shaped):
        return ()
    if len(lower) == 1:
        return (SPELLING.get(lower) or _BRACKETS.get(lower, lower),)
    return _word(lower.replace("(", "-lrb-").replace(")", "-rrb-"))


def _quotes(_: str, shaped: str) -> str:
    quotes = "".join(_QUOTES[c] for c in shaped)
    return "" if quotes in ("``", "''") else quotes


_SPECIAL: dict[str, Callable[[str, str], str]] = {
    "quotes": _quotes,
    "initials": lambda lower, _: lower.replace("&amp;", "&"),
    "entity": lambda lower, _: _ENTITIES.get(lower, ""),
    "short": lambda lower, _: lower.replace("’", "'").replace("&apos;", "'"),
    "long": lambda lower, _: lower.replace("\xad", ""),
    "stop": lambda lower, _: "",
}
"""How tokens of a kind are written, from the token in lower case and its shape; empty for punctuation."""
