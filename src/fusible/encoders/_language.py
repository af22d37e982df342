"""What kind of language texts are in: words, scripts without spaces, English or not. Rules, no model."""

from __future__ import annotations

import re
from collections.abc import Sequence

UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
)
"""Thai, Lao, Burmese, Khmer, Japanese kana, Chinese characters: scripts that do not put spaces between words."""

WORD = re.compile(rf"[{UNSPACED}]|[^\W{UNSPACED}]+|[^\w\s]")
UNSPACED_LETTER = re.compile(f"[{UNSPACED}]")
LETTER = re.compile(r"[^\W\d_]")
ASCII_WORD = re.compile(r"[a-z']+")
COMMON_ENGLISH = re.compile(
    r"\b(?:the|of|and|to|a|in|is|it|for|on|with|that|this|as|are|was|be|at|by|from|or|an|not|have|i|you|we|they|he|she|my"
    r"|but|so|if|what|which|how|does|do|there|no|yes|all|can|has|had|its|very|one|your|just|me|his|her|their)\b"
)


def words(text: str) -> list[str]:
    """Lower-cased words and punctuation marks; of scripts without spaces, single characters.

    >>> words("Is there a red shape?")
    ['is', 'there', 'a', 'red', 'shape', '?']
    >>> words("红色 ABC")
    ['红', '色', 'abc']
    """
    return WORD.findall(text.lower())


def unspaced_share(texts: Sequence[str]) -> float:
    """Share of letters that belong to scripts without spaces.

    >>> unspaced_share(["红色T"])
    0.6666666666666666
    """
    letters = [letter for text in texts for letter in LETTER.findall(text)]
    return sum(bool(UNSPACED_LETTER.match(letter)) for letter in letters) / max(len(letters), 1)


def is_english(texts: Sequence[str]) -> bool:
    """Whether texts are mostly English: at least 90 % ASCII letters, and common English words where texts are long.

    Longer texts (8 words and more in the mean) of a European language fail by their lack of common English words;
    titles and labels have few of them in English too, and pass by their letters.

    >>> is_english(["Men Blue Shirt", "Kids Red Shoes"]), is_english(["Der Mann geht mit dem Hund in den Wald hinaus"])
    (True, False)
    """
    letters = [letter for text in texts for letter in LETTER.findall(text)]
    if sum(letter.isascii() for letter in letters) < 0.9 * len(letters):
        return False
    lowered = [text.lower() for text in texts]
    total = sum(len(ASCII_WORD.findall(text)) for text in lowered)
    if total < 8 * len(texts):
        return True
    return sum(len(COMMON_ENGLISH.findall(text)) for text in lowered) >= 0.15 * total
