"""Questions in plain English made of CoDEx facts: two templates per relation, one for each end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import pandas as pd

TEMPLATES = {
    "P17": ("Which country does {h} lie in?", "What lies in the country {t}?"),
    "P19": ("Where was {h} born?", "Who was born in {t}?"),
    "P20": ("Where did {h} die?", "Who died in {t}?"),
    "P26": ("Who was {h} married to?", "Who was married to {t}?"),
    "P27": ("Which country is {h} a citizen of?", "Who is a citizen of {t}?"),
    "P30": ("Which continent does {h} belong to?", "Which countries are on the continent {t}?"),
    "P35": ("Who is the head of state of {h}?", "Which country has {t} as its head of state?"),
    "P37": ("What is the official language of {h}?", "Where is {t} an official language?"),
    "P40": ("Who is a child of {h}?", "Who is a parent of {t}?"),
    "P69": ("Where did {h} study?", "Who was a student at {t}?"),
    "P101": ("Which field does {h} work in?", "Who works in the field of {t}?"),
    "P102": ("Which political party did {h} belong to?", "Which politicians were in the party {t}?"),
    "P106": ("What does {h} do for a living?", "Who has the profession {t}?"),
    "P108": ("Who did {h} work for?", "Who worked for {t}?"),
    "P112": ("Who founded {h}?", "What did {t} found?"),
    "P119": ("Where is {h} buried?", "Who is buried in {t}?"),
    "P135": ("Which artistic or literary movement is {h} part of?", "Who was part of the movement {t}?"),
    "P136": ("Which genre is {h} known for?", "Which artists and works are of the genre {t}?"),
    "P138": ("Who or what was {h} named after?", "What was named after {t}?"),
    "P140": ("What is the religion of {h}?", "Who is a follower of the religion {t}?"),
    "P159": ("Where are the headquarters of {h}?", "Which organizations have their headquarters in {t}?"),
    "P161": ("Who acted in {h}?", "In which films did {t} act?"),
    "P172": ("Which ethnic group does {h} come from?", "Who comes from the ethnic group {t}?"),
    "P264": ("Which record label published the music of {h}?", "Which musicians recorded for the label {t}?"),
    "P361": ("What is {h} a part of?", "What are parts of {t}?"),
    "P366": ("What is {h} used for?", "What is used for {t}?"),
    "P451": ("Who lived with {h} without being married?", "Who lived with {t} without being married?"),
    "P463": ("Which organizations has {h} joined?", "Who are the members of {t}?"),
    "P495": ("Which country does {h} come from?", "Which works come from {t}?"),
    "P509": ("What did {h} die of?", "Who died of {t}?"),
    "P530": ("Which countries have diplomatic relations with {h}?", "Which countries keep diplomatic ties to {t}?"),
    "P551": ("Where did {h} live?", "Who lived in {t}?"),
    "P737": ("Who influenced {h}?", "Who was influenced by {t}?"),
    "P740": ("Where was {h} formed?", "Which groups were formed in {t}?"),
    "P749": ("Which organization owns {h}?", "Which organizations are subsidiaries of {t}?"),
    "P800": ("What is a famous work of {h}?", "Who made {t}?"),
    "P840": ("Where is the story of {h} set?", "Which stories are set in {t}?"),
    "P1050": ("Which illness did {h} suffer from?", "Who suffered from {t}?"),
    "P1303": ("Which instrument does {h} play?", "Who plays the {t}?"),
    "P1412": ("Which languages does {h} speak?", "Who speaks {t}?"),
    "P2348": ("In which historic period was {h}?", "What existed in the period {t}?"),
    "P3095": ("Who practices {h}?", "What does a {t} practice?"),
    "P3373": ("Who is a brother or sister of {h}?", "Who has {t} as a brother or sister?"),
}
"""For the tail of a head `h`, and for the head of a tail `t`."""


class Question(NamedTuple):
    """A question, and places of the entity that answers it, of the one it names, and of its relation from there."""

    text: str
    answer: int
    entity: int
    slot: int


def questions(triples: list[tuple[int, int, int]], relations: tuple[str, ...], names: list[str]) -> list[Question]:
    """Questions for tails of all triples, then those for heads; relations count anew from their number for heads."""
    count = len(relations)
    tails = [
        Question(TEMPLATES[relations[kind]][0].format(h=names[head]), tail, head, kind) for head, kind, tail in triples
    ]
    heads = [
        Question(TEMPLATES[relations[kind]][1].format(t=names[tail]), head, tail, kind + count)
        for head, kind, tail in triples
    ]
    return tails + heads


def told_of_entities(folder: Path) -> pd.DataFrame:
    """Label (of the few entities that are types themselves), types and their descriptions."""
    kinds = json.loads((folder / "types_en.json").read_text(encoding="utf-8"))
    rows = []
    for entity, own in json.loads((folder / "entity_types.json").read_text(encoding="utf-8")).items():
        types = [kinds[one] for one in own if one in kinds]
        about = [*([kinds[entity]] if entity in kinds else []), *types]
        rows.append(
            {
                "entity": entity,
                "label": kinds.get(entity, {}).get("label") or None,
                "type": "|".join(one["label"] for one in types if one["label"]) or None,
                "description": ". ".join(one["description"] for one in about if one["description"]) or None,
            }
        )
    return pd.DataFrame(rows)


def told_of_relations(folder: Path) -> pd.DataFrame:
    """Labels and descriptions of relations."""
    held = json.loads((folder / "relations_en.json").read_text(encoding="utf-8"))
    return pd.DataFrame([{"relation": name, **told} for name, told in held.items()])
