"""A small graph of companies, their founders and towns, with sentences; shared by tests of graph search."""

import pandas as pd

TRIPLES = [
    ("Acme", "founded by", "Ada Low"),
    ("Acme", "based in", "Ulm"),
    ("Ada Low", "occupation", "physicist"),
    ("Ada Low", "born in", "Bonn"),
    ("Bolt", "founded by", "Bob Hill"),
    ("Bob Hill", "occupation", "baker"),
    ("Bob Hill", "born in", "Ulm"),
    ("Cero", "founded by", "Cy Dunn"),
    ("Cy Dunn", "occupation", "physicist"),
    ("Cy Dunn", "influenced by", "Ada Low"),
]
ENTITIES = pd.DataFrame(
    {
        "entity": ["Acme", "Bolt", "Cero", "Ada Low", "Bob Hill", "Cy Dunn", "Far Away"],
        "type": ["company", "company", "company", "person", "person", "person", None],
        "description": ["makes anvils", "makes screws", "sells candle wax", None, None, None, None],
        "aliases": ["Acme Corporation|ACM", None, None, None, None, None, None],
    }
)


def table(rows=TRIPLES):
    return pd.DataFrame(rows, columns=["head", "relation", "tail"])


def stored(folder):
    """A stored graph's folder: triples with confidence, mentions, entities."""
    folder.mkdir(exist_ok=True)
    triples = table().assign(confidence=0.9, count=1)
    triples.loc[0, "confidence"] = 0.5
    triples.to_parquet(folder / "triples.parquet")
    said = [f"{head} was {relation} {tail}." for head, relation, tail in TRIPLES]
    mentions = table().assign(document="d1", sentence=said, confidence=0.8)
    mentions.to_parquet(folder / "mentions.parquet")
    names = list(dict.fromkeys(end for head, _, tail in TRIPLES for end in (head, tail)))
    pd.DataFrame(
        {
            "entity": names,
            "type": ["ORG" if name in {"Acme", "Bolt", "Cero"} else None for name in names],
            "aliases": [["The Acme Works"] if name == "Acme" else [] for name in names],
            "count": 1,
        }
    ).to_parquet(folder / "entities.parquet")
    return folder
