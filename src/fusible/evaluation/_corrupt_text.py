"""Typing errors: letters swapped, dropped, doubled, inserted, or hit beside their key."""

from __future__ import annotations

import numpy as np

ROWS = ("1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm")
KINDS = 4


def _beside() -> dict[str, str]:
    """Keys around each key of a QWERTY keyboard."""
    found: dict[str, str] = {}
    for y, row in enumerate(ROWS):
        for x, key in enumerate(row):
            near = [(y, x - 1), (y, x + 1), (y - 1, x), (y - 1, x + 1), (y + 1, x - 1), (y + 1, x)]
            found[key] = "".join(ROWS[b][a] for b, a in near if 0 <= b < len(ROWS) and 0 <= a < len(ROWS[b]))
    return found


BESIDE = _beside()


def typos(text: str, rate: float, random: np.random.Generator) -> str:
    """Give each letter or digit a typing error with chance `rate`, all kinds alike; signs and spaces stay.

    Kinds: swap with the next letter, drop, insert (another letter of the text's), and a key beside it. A letter that no
    QWERTY keyboard has becomes another letter of the same text, so that the script stays. A text is never emptied.
    """
    drawn = random.random((len(text), 2))
    kinds = random.integers(0, KINDS, len(text))
    letters = sorted({letter for letter in text if letter.isalnum()})
    written: list[str] = []
    place = 0
    while place < len(text):
        letter = text[place]
        if not letter.isalnum() or drawn[place, 0] >= rate:
            written.append(letter)
        elif kinds[place] == 0 and place + 1 < len(text) and text[place + 1].isalnum():
            written += [text[place + 1], letter]
            place += 1
        elif kinds[place] == 1:
            pass
        elif kinds[place] == 2:
            written += [letter, _pick(letters, drawn[place, 1])]
        else:
            written.append(_neighbour(letter, letters, drawn[place, 1]))
        place += 1
    result = "".join(written)
    return result if result.strip() else text


def _neighbour(letter: str, letters: list[str], drawn: float) -> str:
    near = BESIDE.get(letter.lower())
    if near is None:
        return _pick([other for other in letters if other != letter] or [letter], drawn)
    hit = _pick(list(near), drawn)
    return hit.upper() if letter.isupper() else hit


def _pick(choices: list[str], drawn: float) -> str:
    return choices[int(drawn * len(choices))]
