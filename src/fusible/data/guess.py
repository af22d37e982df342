"""The rules that turn the figures of a column into modality, role and reason (listed in `fusible.data.schema`)."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pyarrow as pa

from fusible.data.cells import is_binary, is_list, is_numeric, is_string, is_temporal
from fusible.data.profile import Profile
from fusible.types import Modality, Role

PARTS = {
    "train": "train",
    "training": "train",
    "valid": "valid",
    "validation": "valid",
    "val": "valid",
    "dev": "valid",
    "test": "test",
}
"""Names of parts in a `split` column, in lower case."""
FEW = 50
"""So many different values or fewer are categories, unless they are more than half of the rows."""
RARE_SHARE = 0.05
"""More different values are categories where they are fewer than this share of the rows and short."""
SHORT = 32
SENTENCE = 4.0
"""Values of this many words on average are text, however few they are."""
UNIQUE = 0.95
"""From this share of different values on, short values without blanks are identifiers."""
ENOUGH = 20
"""With fewer rows nothing is called an identifier for being all different."""
_SIMPLE = (
    (is_list, Modality.CATEGORY, "lists of labels"),
    (pa.types.is_boolean, Modality.CATEGORY, "true or false"),
    (is_temporal, Modality.NUMBER, "dates or times, read as seconds"),
)
_ID_NAME = re.compile(r"(^|_)(id|uuid|guid)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Guess:
    """What a column is taken for."""

    modality: Modality
    role: Role
    reason: str
    problem: str = ""
    problem_count: int = 0


def guess(figures: Profile, *, textual: bool = False, is_target: bool = False) -> Guess:
    """Apply the rules; a target is never ignored, nor an identifier."""
    if is_target:
        found = _by_type(figures, textual=textual, identifiers=False)
        return Guess(found.modality, Role.TARGET, found.reason)
    special = _special(figures)
    if special is not None:
        return special
    found = _by_type(figures, textual=textual, identifiers=True)
    if figures.present == 0:
        return Guess(found.modality, Role.IGNORE, "every cell is empty")
    if figures.distinct == 1 and figures.present == figures.rows > 1:
        return Guess(found.modality, Role.IGNORE, "the same value in every row")
    return found


def _special(figures: Profile) -> Guess | None:
    """Split and group columns, and indices without a name."""
    name = figures.name.lower()
    if name == "split" and figures.values and all(value.strip().lower() in PARTS for value in figures.values):
        return Guess(Modality.CATEGORY, Role.SPLIT, f"named split; values are {', '.join(sorted(figures.values))}")
    if name == "group" and figures.present:
        return Guess(Modality.CATEGORY, Role.GROUP, "named group: rows of one group stay in one part of a split")
    if not name.strip() or re.fullmatch(r"unnamed: \d+", name):
        return Guess(Modality.ENTITY, Role.IGNORE, "a column without a name, as pandas writes its index")
    return None


def _by_type(figures: Profile, *, textual: bool, identifiers: bool) -> Guess:
    kind = figures.kind
    if is_binary(kind):
        return _bytes(figures)
    for matches, modality, reason in _SIMPLE:
        if matches(kind):
            return Guess(modality, Role.INPUT, reason)
    if is_numeric(kind):
        return _numbers(figures, identifiers)
    if is_string(kind):
        return _text(figures, textual=textual, identifiers=identifiers)
    return Guess(Modality.CATEGORY, Role.IGNORE, f"cells of type {kind} are not used")


def _bytes(figures: Profile) -> Guess:
    if figures.media is None:
        return Guess(Modality.ENTITY, Role.IGNORE, "bytes that are no known image, sound or video")
    share = f"{figures.media_share:.0%} of sampled cells" if figures.media_share < 1 else "all sampled cells"
    return Guess(figures.media, Role.INPUT, f"bytes of {figures.media.value} files by their first bytes ({share})")


def _numbers(figures: Profile, identifiers: bool) -> Guess:
    if identifiers and _ID_NAME.search(figures.name) and not pa.types.is_floating(figures.kind):
        return Guess(Modality.ENTITY, Role.IGNORE, f"integers in a column named {figures.name}: an identifier")
    if identifiers and figures.counter:
        return Guess(Modality.ENTITY, Role.IGNORE, "integers that count the rows: an identifier")
    return Guess(Modality.NUMBER, Role.INPUT, f"numbers, {figures.distinct} different")


def _text(figures: Profile, *, textual: bool, identifiers: bool) -> Guess:
    if figures.media is not None and figures.media_share >= 0.9:
        return _paths(figures, figures.media)
    named = identifiers and _ID_NAME.search(figures.name) is not None
    if figures.present and figures.numeric == 1.0 and not figures.codes and not named and _is_number(figures, textual):
        if identifiers and figures.counter:
            return Guess(Modality.ENTITY, Role.IGNORE, "integers that count the rows: an identifier")
        return Guess(Modality.NUMBER, Role.INPUT, f"every cell is a number or a date, {figures.distinct} different")
    if named:
        return Guess(Modality.ENTITY, Role.IGNORE, f"values in a column named {figures.name}: an identifier")
    unique = figures.present >= ENOUGH and figures.distinct >= UNIQUE * figures.present
    if identifiers and unique and figures.ascii and not figures.blanks and figures.length <= SHORT:
        reason = f"{figures.distinct} different short values without blanks in {figures.present} rows: an identifier"
        return Guess(Modality.ENTITY, Role.IGNORE, reason)
    return _words(figures)


def _is_number(figures: Profile, textual: bool) -> bool:
    """Text that is all digits in a typed table was meant as text: codes where the values are few."""
    return textual or figures.distinct > FEW


def _paths(figures: Profile, media: Modality) -> Guess:
    reason = f"paths with {media.value} endings; {figures.found} of {figures.looked} sampled files exist"
    if figures.found:
        return Guess(media, Role.INPUT, reason)
    problem = f"none of the {figures.looked} sampled files exists; paths are relative to the table's folder"
    return Guess(media, Role.INPUT, reason, problem, figures.looked)


def _words(figures: Profile) -> Guess:
    """Category or text, by number of values, length and words."""
    few = figures.distinct <= FEW and (figures.distinct <= 0.5 * figures.present or not figures.blanks)
    rare = figures.distinct <= RARE_SHARE * figures.present and figures.length <= SHORT
    values = f"{figures.distinct} different values in {figures.present} rows"
    almost = ""
    if 0.8 <= figures.numeric < 1.0:
        almost = f"; all but {figures.strangers} cells are numbers: set it to number to read those as missing"
    if figures.words < SENTENCE and (few or rare):
        return Guess(Modality.CATEGORY, Role.INPUT, f"{values}{almost}")
    return Guess(Modality.TEXT, Role.INPUT, f"{values}, {figures.words:.0f} words on average{almost}")
