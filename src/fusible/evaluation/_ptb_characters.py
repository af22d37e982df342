"""What kind of character each one is to the PTB tokenizer.

The tokenizer knows the letters of Unicode 6 in the first plane; what came later, and everything in other planes (emoji
too), it drops. The tables were measured: each of the 63,000 characters was given to the Java tokenizer alone, between
letters and between digits. `shape` writes a text with one representative of each kind, so that rules need no tables.
"""

from __future__ import annotations

import unicodedata

LETTER, DIGIT, MARK, SYMBOL, DROPPED, WIDE, HYPHEN = "é", "٣", "\u0300", "§", "\x00", "\u2003", "\u2010"
"""Representatives: other letters and digits, marks, symbols of their own, what is dropped, wide spaces, hyphens."""

_NOT_LETTERS = """
37f 528-52f 560 588 5ef 860-86a 870-887 889-88e 8a1 8ad-8c9 978 980 9fc af9 c34 c5a c5d c80 cdd d04 d54-d56 d5f
de6-def e86 e89 e8c e8e-e93 e98 ea0 ea8-ea9 eac 13f5 13f8-13fd 16f1-16f8 170d 171f 1878 191d-191e 19b0-19c0
19c8-19c9 1b4c 1c80-1c88 1c90-1cba 1cbd-1cbf 1cf2-1cf3 1cfa 2c2f 2c5f 312e-312f 31bb-31bf 4db6-4dbf 9fcd-9fff
a698-a69d a78f a794-a79f a7ab-a7ca a7d0-a7d1 a7d3 a7d5-a7d9 a7f2-a7f7 a8fd-a8fe a9e0-a9e4 a9e6-a9fe aa7e-aa7f
ab30-ab5a ab5c-ab69 ab70-abbf
"""
"""Letters and digits (by their Unicode category) that the tokenizer does not know: ranges of hexadecimal numbers."""

_MARKS = """
2c2-2c5 2d2-2df 2e5-2eb 2ed 2ef-36f 375 378-379 384-385 3f6 483-487 55a-55f 591-5bd 5bf 5c1-5c2 5c4-5c5 5c7
615-61a 64b-65e 670 6d6-6e4 6e7-6ed 6fd-6fe 70f 711 730-74c 7a6-7b0 7eb-7f3 900-903 93c 93e-94e 951-955 962-963
981-983 9bc 9be-9c4 9c7-9c8 9cb-9cd 9d7 9e2-9e3 a01-a03 a3c a3e-a4f a81-a83 abc abe-acf b82 bbe-bc2 bc6-bc8 bca-
bcd c01-c03 c3e-c56 d3e-d44 d46-d48 e31 e34-e3a e47-e4e eb1 eb4-ebc ec8-ecd
"""
"""Accents and other signs that belong to a word."""

_SYMBOLS = """
a1 a5-a9 ac ae-b4 b6-b9 bf d7 f7 37e 387 589 5be 5c0 5c3 5c6 5f3-5f4 600-603 606-60c 614 61b 61e-61f 66a 66d 6d4
700-70d 7f6-7f8 964-965 e3f e4f 1fbd 2016-2017 201a 201e-2023 2030-2038 203b 203e-2042 2070 2074-207e 2080-208e 20a4
2100-2101 2103-2106 2108-2109 2114 2116-2118 211e-2123 2125 2127 2129 212e 213a-213b 2140-2144 214a-214d 214f
2155-215e 2190-2bff 3001-3002 3012 30fb ff01-ff0f ff1a-ff20 ff3b-ff40 ff5b-ff65 ffe0-ffe1 ffe5-ffe6
"""
"""Signs that are tokens of their own."""

_SAME = {
    "…": "\x85\u2026",
    "‘": "\x91\u2018\u201b\u2039",
    "’": "\x92\u2019\u203a",
    "“": "\x93«\u201c",
    "”": "\x94»\u201d",
    "–": "\x96\x97\u2013\u2014\u2015",
    "½": "¼½¾⅓⅔€\x80¤₠¢£",
    HYPHEN: "\u058a\u2010\u2011",
    "²": "²³¹\u2070\u2074\u2075\u2076\u2077\u2078\u2079",
    "₂": "\u2080\u2081\u2082\u2083\u2084\u2085\u2086\u2087\u2088\u2089",
    "⁺": "⁺⁻₊₋",
    "⁄": "⁄",
    "٫": "٫٬",
    "\xa0": "\xa0",
    WIDE: "\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u3000",
    LETTER: "\xad\u1885\u1886",
}
"""Characters beyond ASCII that rules name, by the one that stands for them; ½ for all that are spelt otherwise."""

SPELLING = dict.fromkeys("€\x80¤₠", "$") | {"£": "#", "¢": "cents"}
SPELLING |= {"¼": "1/4", "½": "1/2", "¾": "3/4", "⅓": "1/3", "⅔": "2/3"}
"""How the tokenizer spells currencies and fractions."""


def _numbers(ranges: str) -> frozenset[int]:
    ends = [part.partition("-") for part in ranges.split()]
    return frozenset(n for low, _, high in ends for n in range(int(low, 16), int(high or low, 16) + 1))


class _Shapes(dict[int, str]):
    """The representative of a character by its number, found when first asked for."""

    def __init__(self) -> None:
        super().__init__({ord(c): shape for shape, same in _SAME.items() for c in same})
        self.update({number: chr(number) if 32 <= number < 127 else DROPPED for number in range(128)})
        self.update(dict.fromkeys(map(ord, "\n\r\x0b\x0c\u2028\u2029"), " "))
        self[9] = "\t"
        self.update(dict.fromkeys(_numbers(_MARKS), MARK))
        self.update({number: SYMBOL for number in _numbers(_SYMBOLS) if number not in self})
        self.update(dict.fromkeys(_numbers(_NOT_LETTERS), DROPPED))

    def __missing__(self, number: int) -> str:
        category = unicodedata.category(chr(number)) if number < 0x10000 else "So"
        self[number] = DIGIT if category == "Nd" else LETTER if category[0] == "L" else DROPPED
        return self[number]


_SHAPES = _Shapes()


def shape(text: str) -> str:
    r"""Write a text with the representative of each character, as long as the text.

    >>> shape("Čáp ٣ 😀")
    'éép ٣ \x00'
    """
    return text.translate(_SHAPES)
