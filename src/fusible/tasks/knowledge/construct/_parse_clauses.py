"""What clauses say: subject, verb, object; prepositions of verbs; passives turned round; whether it is a fact."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fusible.tasks.knowledge._words import words
from fusible.tasks.knowledge.construct._parse_copulas import COPULAS, copula, there
from fusible.tasks.knowledge.construct._parse_names import bare, called, ends
from fusible.tasks.knowledge.construct._parse_parts import (
    Link,
    adjective_of,
    deepened,
    denied,
    inner_of,
    owners_of,
    phrase,
    prepositions,
)

SUBJECTS = frozenset({"nsubj", "nsubjpass"})
MODAL = words("would could should might may must shall will ca wo 'll 'd")
HYPOTHETICAL = words("if unless whether lest until")
REPORTED = words(
    "say claim think believe hope suggest argue report deny doubt wish expect fear assume suppose guess feel "
    "wonder want plan intend imagine pretend consider allege predict propose seem appear"
)
"""Verbs whose clauses are somebody's words or thoughts, not facts."""


def clauses(sentence: Any) -> Iterator[Link]:
    """Links of all clauses of a sentence that state something; a question states nothing."""
    if sentence.text.rstrip().endswith("?"):
        return
    for verb in sentence:
        if verb.pos_ in {"VERB", "AUX"} and verb.dep_ not in {"aux", "auxpass"} and states(verb):
            yield from there(verb)
            found, passive = subjects(verb)
            for subject in found:
                if not denied(subject):
                    yield from _of_verb(verb, subject, passive)


def states(verb: Any) -> bool:
    """Whether a clause is put as a fact: not negated, not hypothetical, not reported."""
    if denied(verb) or any(c.dep_ == "mark" and c.lower_ in HYPOTHETICAL for c in verb.children):
        return False
    if any(c.dep_ == "aux" and (c.lower_ in MODAL or (c.lower_ == "can" and not _be(verb))) for c in verb.children):
        return False
    if verb.dep_ == "xcomp" or (verb.dep_ == "advcl" and any(c.lower_ == "to" for c in verb.children)):
        return False
    if verb.dep_ == "ccomp":
        head = verb.head
        marked = any(c.dep_ == "mark" for c in verb.children)
        return not marked and verb.i < head.i and head.lemma_ not in REPORTED
    if verb.dep_ == "conj" and verb.head.pos_ in {"VERB", "AUX"} and not _own(verb):
        return states(verb.head)
    return True


def _be(verb: Any) -> bool:
    return verb.lemma_ == "be" or any(c.dep_ == "auxpass" for c in verb.children)


def _own(verb: Any) -> list[Any]:
    return [c for c in verb.children if c.dep_ in SUBJECTS]


def subjects(verb: Any) -> tuple[list[Any], bool]:
    """Who a verb speaks of, and whether it is passive; also as relative clause, participle, or after "and"."""
    passive = any(c.dep_ in {"nsubjpass", "auxpass"} for c in verb.children)
    own = _own(verb)
    if own and own[0].tag_ in {"WDT", "WP"}:
        return (_bearers(verb.head, verb) if verb.dep_ == "relcl" else []), passive
    if own:
        return [end for subject in own for end in ends(subject)], passive
    head = verb.head
    if verb.dep_ == "acl" and verb.tag_ in {"VBN", "VBG", "VBD"}:
        return _bearers(head, verb), verb.tag_ != "VBG"
    if verb.dep_ == "conj" and head.pos_ in {"VERB", "AUX"}:
        found, before = subjects(head)
        return found, passive or (
            before and verb.tag_ in {"VBN", "VBD"} and not any(c.dep_ in {"aux", "dobj"} for c in verb.children)
        )
    if (
        verb.dep_ == "advcl"
        and verb.tag_ in {"VBN", "VBG"}
        and not any(c.dep_ in {"mark", "aux"} for c in verb.children)
    ):
        return subjects(head)[0], verb.tag_ == "VBN"
    return [], passive


def _bearers(noun: Any, verb: Any) -> list[Any]:
    """Who a clause after a noun speaks of: of "Bakso, a food which …" and "Bakso is a food which …" the name."""
    if noun.pos_ == "NOUN" and noun.dep_ == "attr" and noun.head.lemma_ == "be":
        near = [end for _, end in prepositions(noun) if end.pos_ == "PROPN" and end.i < verb.i]
        if near and verb.dep_ == "relcl" and not any(c.lower_ == "who" for c in verb.children):
            return near[-1:]
        found = subjects(noun.head)[0]
        if found and not owners_of(found[0]):
            return found
    if noun.pos_ == "NOUN" and noun.dep_ == "appos" and noun.head.pos_ == "PROPN":
        return list(ends(noun.head))
    return [noun]


def _of_verb(verb: Any, subject: Any, passive: bool) -> Iterator[Link]:
    if verb.lemma_ in COPULAS and not passive:
        yield from copula(verb, subject)
    if verb.dep_ == "relcl" and any(c.lower_ == "where" for c in verb.children):
        yield from _where(verb, subject, passive)
    word = _word(verb, passive)
    for child in verb.children:
        if child.dep_ == "dobj" and not passive:
            yield from _object(verb, word, subject, child)
        elif child.dep_ in {"oprd", "attr"} and verb.lemma_ not in COPULAS:
            if bare(subject).pos_ == "PROPN" and verb.dep_ != "acl":
                yield from (Link("predicate", subject, word, end) for end in ends(child) if end.pos_ == "PROPN")
        elif child.dep_ == "agent":
            for end in inner_of(child):
                yield Link("agent", end, verb.lemma_.lower(), subject)
        elif child.dep_ == "prep":
            yield from _preposition(verb, word, subject, child, passive)


def _where(verb: Any, subject: Any, passive: bool) -> Iterator[Link]:
    """Of "Peru, where the leader is X" (Peru, leader, X); of "Peru, where X is a leader" (X, leader in, Peru)."""
    items = [c for c in verb.children if c.dep_ in {"attr", "dobj", "acomp"}]
    if verb.lemma_ not in COPULAS:
        words = [_word(verb, passive), *(phrase(c) for c in items if c.pos_ == "NOUN"), "in"]
        yield Link("where", subject, " ".join(words), verb.head)
        return
    for item in items:
        if item.pos_ == "NOUN":
            yield Link("where", subject, f"{phrase(item)} in", verb.head)
        elif subject.pos_ == "NOUN":
            yield from (Link("where is", verb.head, phrase(subject), end) for end in ends(item))


def _word(verb: Any, passive: bool) -> str:
    """Relation of a verb: the participle in the passive ("born in"), else the lemma with its particle."""
    base = verb.lower_ if passive else verb.lemma_.lower()
    return " ".join([base, *(c.lower_ for c in verb.children if c.dep_ == "prt")])


def _object(verb: Any, word: str, subject: Any, item: Any) -> Iterator[Link]:
    for end in ends(item):
        if denied(end):
            continue
        named = False
        if verb.lemma_ == "have" and end.pos_ == "NOUN":
            told = [c for c in end.rights if c.dep_ in {"appos", "nummod"} and (c.like_num or c.pos_ == "PROPN")]
            for value in [*told, *called(end)]:
                named = True
                yield Link("have", subject, phrase(end), value)
        if not end.ent_type_ and end.pos_ == "NOUN":
            for prep, inner in prepositions(end):
                named = True
                yield from _of_object(verb, word, subject, end, prep, inner)
        if not (named and verb.lemma_ == "have"):
            yield Link("object", subject, word, end)


def _of_object(verb: Any, word: str, subject: Any, item: Any, prep: str, inner: Any) -> Iterator[Link]:
    """Of "has a runway length of 2702" what it has is the relation."""
    noun = phrase(item)
    if verb.lemma_ == "have" and prep == "of":
        yield Link("have", subject, noun, inner)
    else:
        yield Link("object preposition", subject, f"{word} {noun} {prep}", inner)


def _preposition(verb: Any, word: str, subject: Any, prep: Any, passive: bool) -> Iterator[Link]:
    rule = "passive preposition" if passive else "preposition"
    items = [c for c in verb.children if c.dep_ in {"dobj", "attr"}]
    if items and verb.lemma_ in COPULAS:
        if items[0].pos_ != "NOUN":
            return
        rule, word = "copula preposition", phrase(items[0])
    elif items:
        rule = "object, preposition"
        word = word if items[0].ent_type_ else f"{word} {phrase(items[0])}"
    measure = [c for c in prep.children if c.dep_ == "npadvmod"]
    for deep, end in deepened(prep):
        if measure and verb.lemma_ in COPULAS:
            yield Link("measure", subject, f"{deep} {phrase(end)}", measure[0])
        elif verb.lemma_ in COPULAS and not passive and not items and not adjective_of(verb):
            yield Link("copula, preposition", subject, f"be {deep}", end)
        elif not adjective_of(verb):
            yield Link(rule, subject, f"{word} {deep}", end)
