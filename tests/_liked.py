"""A small world to recommend in: films of space and of love, people who like one kind, a graph of who made what."""

import numpy as np
import pandas as pd

SPACE = ["moon", "mars", "comet", "orbit", "galaxy", "rocket", "saturn", "nebula"]
LOVE = ["kiss", "paris", "heart", "rose", "dance", "letter", "wedding", "summer"]


def films():
    """A row per film; the last of each kind is one that nobody had; one has no cell but its id."""
    rows = [
        {"film_id": f"s{n}", "title": f"The {word}", "about": f"astronauts, {word} and a star ship",
         "year": 1980 + n, "genre": "Space|Adventure" if n % 2 else "Space"}
        for n, word in enumerate(SPACE)
    ] + [
        {"film_id": f"l{n}", "title": f"A {word}", "about": f"two lovers, a {word} and some tears",
         "year": 1990 + n, "genre": "Love|Comedy" if n % 2 else "Love"}
        for n, word in enumerate(LOVE)
    ]  # fmt: skip
    return pd.DataFrame([*rows, {"film_id": "bare"}])


def ratings(seed=0, people=40):
    """People 0, 2, 4 … had four to six films of space and one of love, the others the reverse; nobody had s7 or l7."""
    rng = np.random.default_rng(seed)
    rows = []
    for person in range(people):
        own, other = ("s", "l") if person % 2 == 0 else ("l", "s")
        mine = [f"{own}{n}" for n in rng.permutation(7)[: rng.integers(4, 7)]]
        rows += [{"user": f"u{person}", "item": film, "rating": int(rng.integers(3, 6))} for film in mine]
        rows.append({"user": f"u{person}", "item": f"{other}{rng.integers(7)}", "rating": 2})
    rows += [{"user": "u0", "item": "gone", "rating": 4}, {"user": "one", "item": "s0", "rating": 5}]
    return pd.DataFrame(rows)


def people(count=40):
    """A row per person: those who like space are engineers, the others poets."""
    return pd.DataFrame(
        {
            "user": [f"u{n}" for n in range(count)],
            "job": ["engineer" if n % 2 == 0 else "poet" for n in range(count)],
            "age": [20 + n % 30 for n in range(count)],
        }
    )


def triples():
    """Who directed which film, and the other way round; entities are named f:…"""
    rows = []
    for n in range(8):
        for kind, names in (("s", ("Ada", "Bo")), ("l", ("Cy", "Di"))):
            rows += [
                {"head": f"f:{kind}{n}", "relation": "directed by", "tail": names[n % 2]},
                {"head": names[n % 2], "relation": "directed", "tail": f"f:{kind}{n}"},
            ]
    return pd.DataFrame(rows)


def links():
    """Which film is which entity."""
    return pd.DataFrame([{"film": f"{kind}{n}", "entity": f"f:{kind}{n}"} for kind in "sl" for n in range(8)])
