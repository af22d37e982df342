"""An extractor of lines "head > relation > tail", for tests of what is done with triples."""

import re

from fusible.tasks.knowledge.extract.extracted import Said

LINE = re.compile(r"^(.+?) > (.+?) > (.+?)$", re.MULTILINE)


class LineExtractor:
    """Counts what it reads."""

    name = "lines 1"

    def __init__(self, confidence=0.5, types=None):
        self.confidence, self.types, self.texts = confidence, types or {}, []

    def extract(self, texts):
        self.texts += texts
        return [[self._said(found) for found in LINE.finditer(text)] for text in texts]

    def _said(self, found):
        head, relation, tail = found.groups()
        return Said(
            head, relation, tail, found.span(), found.span(1), found.span(3), self.confidence,
            self.types.get(head, ""), self.types.get(tail, ""),
        )  # fmt: skip
