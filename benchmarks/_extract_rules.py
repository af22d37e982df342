"""The rule-based extractor beside the trained one: its phrases are named as training triples name them.

Rules read relations as the words of the text ("born in"), which no triple of WebNLG has. To be compared with what is
trained, each phrase takes the relation, and the direction, of most training triples between whose names it stands; a
phrase that stands between none says nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from fusible.evaluation.extraction import Triple
from fusible.evaluation.names import same_name
from fusible.tasks.knowledge.extract.extracted import Extractor, Said

Label = tuple[str, bool]
"""A relation, and whether it leads from tail to head."""


@dataclass
class Named:
    """An extractor whose relations are named by what was learned."""

    inner: Extractor
    labels: dict[str, Label]

    @property
    def name(self) -> str:
        """Name of what reads."""
        return f"{self.inner.name}, named"

    def extract(self, texts: Sequence[str]) -> list[list[Said]]:
        """Triples of each text whose phrase has a name."""
        return [
            [_turned(one, *self.labels[one.relation]) for one in found if one.relation in self.labels]
            for found in self.inner.extract(texts)
        ]


def labels_of(extractor: Any, texts: Sequence[str], wanted: Sequence[Sequence[Triple]]) -> dict[str, Label]:
    """For each phrase the relation and direction that it most often stands for."""
    counts: dict[str, Counter[Label]] = {}
    for found, gold in zip(extractor.extract(texts), wanted, strict=True):
        for one in found:
            for head, relation, tail in gold:
                for turned, ends in ((False, (one.head, one.tail)), (True, (one.tail, one.head))):
                    if same_name(ends[0], head) and same_name(ends[1], tail):
                        counts.setdefault(one.relation, Counter())[relation, turned] += 1
    return {phrase: labels.most_common(1)[0][0] for phrase, labels in counts.items()}


def _turned(one: Said, relation: str, turned: bool) -> Said:
    if not turned:
        return replace(one, relation=relation)
    ends = {"head": one.tail, "tail": one.head, "head_at": one.tail_at, "tail_at": one.head_at}
    return replace(one, relation=relation, head_type=one.tail_type, tail_type=one.head_type, **ends)
