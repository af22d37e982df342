"""Names of one entity: what each rule puts together, and what nothing may put together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusible.tasks.knowledge.construct import aliases
from fusible.tasks.knowledge.construct._alias_names import Named, differ, key_of
from fusible.tasks.knowledge.construct._alias_rules import near
from fusible.tasks.knowledge.construct.aliases import merge_names


def named(name, type_="", count=1, documents="a"):
    return Named(name, type_, count, frozenset(documents))


def groups(*names, **given):
    entity, made = merge_names(names, **given)
    found = {}
    for name, called in entity.items():
        found.setdefault(called, set()).add(name)
    return sorted(map(sorted, (group for group in found.values() if len(group) > 1))), [merge.rule for merge in made]


@pytest.mark.parametrize(
    ("names", "rule"),
    [
        ([named("The_Hague"), named("the Hague")], "spelling"),
        ([named("Beyoncé"), named("Beyonce’s")], "spelling"),
        ([named("1,234"), named("1234.0")], "spelling"),
        ([named("Acme Corp.", "ORG"), named("Acme", "ORG")], "legal form"),
        ([named("United Nations", "ORG"), named("U.N.", "ORG")], "acronym"),
        ([named("World Health Organization", "ORG", 1, "a"), named("WHO", "", 1, "b")], "acronym"),
        ([named("New York City", "GPE", 1, "a"), named("NYC", "GPE", 1, "b")], "acronym"),
        ([named("Marie Curie", "PERSON", 1, "ab"), named("Curie", "PERSON", 1, "a")], "surname"),
        ([named("Marie Curie", "PERSON", 1, "ab"), named("M. Curie", "PERSON", 1, "a")], "initials"),
        ([named("J. S. Bach", "PERSON"), named("Johann Sebastian Bach", "PERSON")], "initials"),
        ([named("J. Bach", "PERSON"), named("Johann Sebastian Bach", "PERSON")], "initials"),
        ([named("Michelangelo"), named("Michaelangelo")], "mistake"),
        ([named("Schiphol Airport", "FAC", 9), named("Schipol Airport", "FAC")], "mistake"),
    ],
)
def test_names_that_are_one(names, rule):
    assert groups(*names) == ([sorted(name.name for name in names)], [rule])


@pytest.mark.parametrize(
    "names",
    [
        [named("Apple", "ORG"), named("apple")],
        [named("Washington", "PERSON"), named("washington", "GPE")],
        [named("Apollo 11"), named("Apollo 12")],
        [named("12 March 2001", "DATE"), named("13 March 2001", "DATE")],
        [named("Northern Ireland Office"), named("Southern Ireland Office")],
        [named("Elizabeth Second"), named("Elizabeth Third")],
        [named("United Nations", "ORG", 1, "a"), named("UN", "ORG", 1, "b")],
        [named("United Nations", "ORG"), named("Upper Nile", "ORG"), named("UN", "ORG")],
        [named("Marie Curie", "PERSON"), named("Pierre Curie", "PERSON"), named("Curie", "PERSON")],
        [named("Marie Curie", "PERSON", 1, "a"), named("Curie", "PERSON", 1, "b")],
        [named("John Smith"), named("Joan Smith")],
        [named("Pierre Curie", "PERSON"), named("M. Curie", "PERSON")],
        [named("Marie Curie", "PERSON"), named("Max Curie", "PERSON"), named("M. Curie", "PERSON")],
        [named("Marie Curie", "PERSON", 1, "a"), named("M. Curie", "PERSON", 1, "b")],
        [named("J. S. Bach", "PERSON"), named("Johann Christian Bach", "PERSON")],
        [named("J. Bach", "PERSON"), named("J. S. Bach", "PERSON")],
        [named(" ", "PERSON"), named("-", "PERSON"), named("Marie Curie", "PERSON")],
        [named("Columbia", "GPE", 9), named("Colombia", "GPE", 9)],
        [named("C"), named("C++"), named("C#")],
    ],
)
def test_names_that_are_not(names):
    assert groups(*names) == ([], [])


def test_nothing_is_joined_over_a_third_name():
    """Each is a letter from the middle one, but numbers and types keep the outer ones apart."""
    names = [named("Acme 1 Group", "ORG"), named("ACME 1 group", "ORG"), named("Acme 2 Group", "ORG")]
    assert groups(*names)[0] == [["ACME 1 group", "Acme 1 Group"]]
    assert groups(*names, apart=["Acme 1 Group"])[0] == []


def test_like_encodings_are_evidence_for_one_kind_only():
    names = [
        named("UK", "GPE"),
        named("Great Britain", "GPE"),
        named("Britain FC", "ORG"),
        named("tea"),
        named("1", "DATE"),
    ]
    vectors = {"UK": [1, 0], "Great Britain": [1, 0.1], "Britain FC": [1, 0]}

    def encode(given):
        assert set(given) <= set(vectors)
        found = np.array([vectors[name] for name in given], np.float32)
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    assert groups(*names, encode=encode) == ([["Great Britain", "UK"]], ["meaning"])


@given(
    st.lists(
        st.sampled_from(["Ann", "ann", "The Ann", "Bo_", "B.O.", "Bo", "Acme Inc", "Acme", "NYC", "New York City"]),
        unique=True,
    ),
    st.randoms(),
)
def test_order_says_nothing(names, random):
    some = [named(name) for name in names]
    shuffled = random.sample(some, len(some))
    entity, made = merge_names(some)
    other, others = merge_names(shuffled)
    assert (entity, made) == (other, others)
    assert all(entity[entity[name]] == entity[name] for name in entity)
    assert all(entity[merge.name] == entity[merge.other] for merge in made)


@given(st.text(max_size=20))
def test_keys_are_never_empty_and_settled(name):
    key = key_of(name)
    assert bool(key) == bool(name)
    assert not differ(named(name), named(name))


def test_blocks_of_signs_find_nearly_all_near_pairs(rng):
    base = rng.normal(size=(300, 64))
    vectors = np.concatenate([base, base + 0.25 * rng.normal(size=base.shape)]).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    exact = {pair[:2]: pair[2] for pair in near(vectors, 0.92)}
    found = {pair[:2]: pair[2] for pair in near(vectors, 0.92, small=10)}
    assert set(found) <= set(exact)
    assert len(found) >= 0.9 * len(exact) > 200
    assert all(abs(found[pair] - exact[pair]) < 1e-5 for pair in found)


def test_many_spellings_of_one_name_are_not_compared_all_with_all(monkeypatch):
    spelled = ["".join(c.upper() if bits >> i & 1 else c for i, c in enumerate("alexandria")) for bits in range(1, 401)]
    calls = []
    whole = aliases.differ
    monkeypatch.setattr(aliases, "differ", lambda one, other: calls.append(1) or whole(one, other))
    entity, made = merge_names([Named(name, "GPE", 1, frozenset({"a"})) for name in spelled])
    assert len(set(entity.values())) == 1
    assert len(made) == 399
    assert len(calls) < 2000


def test_surname_and_initials_are_put_to_the_same_full_name_in_any_order():
    names = [named("Marie Curie", "PERSON", 3), named("M. Curie", "PERSON"), named("Curie", "PERSON")]
    for order in (names, names[::-1]):
        found, rules = groups(*order)
        assert found == [["Curie", "M. Curie", "Marie Curie"]]
        assert sorted(rules) == ["initials", "surname"]
