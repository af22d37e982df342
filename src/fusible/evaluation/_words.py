"""Lists of words compared: n-grams, the longest common subsequence, and the edit distance.

Both comparisons keep a whole row of the usual table in the bits of one integer, so that captions of thousands of words
cost milliseconds: Hyyrö (AWOCA 2004) for the subsequence, Myers (J. ACM 46, 1999) in Hyyrö's form for the distance.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def ngrams(words: Sequence[str], longest: int, shortest: int = 1) -> Iterator[tuple[str, ...]]:
    """All n-grams of the lengths `shortest` to `longest`, repeated as often as they stand there.

    >>> list(ngrams(["a", "red", "hat"], 2))
    [('a',), ('red',), ('hat',), ('a', 'red'), ('red', 'hat')]
    """
    for size in range(shortest, longest + 1):
        yield from zip(*(words[start:] for start in range(size)), strict=False)


def _places(words: Sequence[str]) -> dict[str, int]:
    """Where each word stands: bit i for the i-th."""
    places: dict[str, int] = {}
    for place, word in enumerate(words):
        places[word] = places.get(word, 0) | 1 << place
    return places


def common_length(a: Sequence[str], b: Sequence[str]) -> int:
    """Length of the longest common subsequence.

    >>> common_length("a dog runs in grass".split(), "the dog in the grass".split())
    3
    """
    places, full = _places(a), (1 << len(a)) - 1
    left = full
    for word in b:
        matched = left & places.get(word, 0)
        left = ((left + matched) | (left - matched)) & full
    return len(a) - left.bit_count()


def edit_distance(a: Sequence[str], b: Sequence[str]) -> int:
    """Fewest words to insert, delete or replace that make `b` of `a` (Levenshtein).

    >>> edit_distance("bin blue at f two".split(), "bin red at two now".split())
    3
    """
    if not a:
        return len(b)
    places, full, last = _places(a), (1 << len(a)) - 1, 1 << (len(a) - 1)
    up, down, distance = full, 0, len(a)
    for word in b:
        same = places.get(word, 0)
        diagonal = ((((same & up) + up) ^ up) | same | down) & full
        right = down | (full & ~(diagonal | up))
        left = up & diagonal
        distance += bool(right & last) - bool(left & last)
        right, left = ((right << 1) | 1) & full, (left << 1) & full
        up = left | (full & ~(diagonal | right))
        down = right & diagonal
    return distance
