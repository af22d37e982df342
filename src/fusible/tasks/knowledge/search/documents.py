"""What is told of each entity: as a few sentences for encoders, as counts of words for full text."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer

from fusible.tasks.knowledge.search.bm25 import stems
from fusible.tasks.knowledge.search.source import Searchable

OWN = 3.0
"""How often words of an entity's own names and descriptions count, beside those of its links."""
SHOWN = 6
"""Links of an entity that its vector is made of."""


def documents(held: Searchable) -> list[str]:
    """What is told of each entity in a few sentences: names, types, descriptions, and some of its links."""
    links: list[list[str]] = [[] for _ in range(len(held))]
    for head, kind, tail in held.triples.tolist():
        label = held.labels[kind]
        if len(links[head]) < SHOWN:
            links[head].append(f"{label}: {held.names[tail][0]}")
        if len(links[tail]) < SHOWN:
            links[tail].append(f"{label} of {held.names[head][0]}")
    parts = zip(held.names, held.types, held.about, links, strict=True)
    return [
        ". ".join(part for part in (names[0], ", ".join(types), about, "; ".join(said)) if part)
        for names, types, about, said in parts
    ]


def word_counts(held: Searchable) -> tuple[CountVectorizer, sparse.csr_matrix]:
    """How often each word is in each entity's document, without writing these documents.

    A document is the entity's names, types and description, labels of its relations and names at their other ends, and
    the sentences that say so.
    """
    names = [" ".join(called) for called in held.names]
    own = [" ".join((*types, about)) for types, about in zip(held.types, held.about, strict=True)]
    labels = list(held.labels)
    sentences = held.mentions["sentence"].tolist()
    counter = CountVectorizer(analyzer=stems)
    size, kinds = len(held), len(labels)
    try:
        counts = counter.fit_transform([*names, *own, *labels, *sentences]).astype(np.float32).tocsr()
    except ValueError:  # not one word in any of them
        return counter, sparse.csr_matrix((size, 0), dtype=np.float32)
    of_names, of_own = counts[:size], counts[size : 2 * size]
    of_labels, of_said = counts[2 * size : 2 * size + kinds], counts[2 * size + kinds :]
    heads, relations, tails = held.triples.T
    ones = np.ones(2 * len(heads), np.float32)
    rows, others = np.concatenate([heads, tails]), np.concatenate([tails, heads])
    near = sparse.csr_matrix((ones, (rows, others)), shape=(size, size))
    through = sparse.csr_matrix((ones, (rows, np.tile(relations, 2))), shape=(size, kinds))
    found = OWN * (of_names + of_own) + near @ of_names + through @ of_labels
    if len(sentences):
        ends = held.triples[held.mentions["triple"].to_numpy(np.int64)][:, [0, 2]].T.ravel()
        places = np.tile(np.arange(len(sentences)), 2)
        shape = (size, len(sentences))
        found = found + sparse.csr_matrix((np.ones(len(ends), np.float32), (ends, places)), shape=shape) @ of_said
    return counter, found.tocsc()
