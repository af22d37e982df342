"""Settings of generation, its bookkeeping against decoders that say what they are told, and the nucleus."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fusible.decoders import _record
from fusible.decoders._base import END, PAD, START, Decoder
from fusible.decoders._generate import Generated, Generation, generate
from fusible.decoders._nucleus import nucleus
from fusible.errors import ConfigError
from fusible.types import Encoded


class Told(Decoder):
    """Looks the next token's probabilities up by the number of tokens and the last one, per row, and counts rows."""

    def __init__(self, tables):
        super().__init__(vocabulary=6, memory=1, width=4)
        self.tables = torch.tensor(tables).log()  # (rows, steps, vocabulary, vocabulary)
        self.rows = []

    def forward(self, tokens, memory):
        raise NotImplementedError

    def start(self, memory):
        return {"row": memory.tokens[:, 0, 0].long(), "step": torch.zeros(len(memory.mask), dtype=torch.int64)}

    def step(self, tokens, state):
        self.rows.append(len(tokens))
        logits = self.tables[state["row"], state["step"], tokens]
        return logits, torch.ones(len(tokens), 1), {"row": state["row"], "step": state["step"] + 1}


def table(steps, paths):
    """Probabilities (steps, 6, 6): after a token at a step those of `paths`, {(step, last): {next: probability}}."""
    found = np.full((steps, 6, 6), 1e-9)
    for (step, last), following in paths.items():
        for token, probability in following.items():
            found[step, last, token] = probability
    return found


def rows(number):
    return Encoded(torch.arange(number).view(-1, 1, 1).float(), torch.ones(number, 1, dtype=torch.bool))


def fixed(words, steps):
    """A row that says `words` for certain."""
    said = [START, *words, END]
    return table(steps, {(i, said[i]): {said[i + 1]: 1.0} for i in range(len(said) - 1)})


GARDEN = table(
    4,
    {
        (0, START): {3: 0.5, 4: 0.4, END: 0.1},
        (1, 3): {3: 0.4, 4: 0.3, END: 0.3},
        (1, 4): {5: 0.9, END: 0.1},
        (2, 3): {END: 0.5, 3: 0.5},
        (2, 4): {END: 1.0},
        (2, 5): {END: 1.0},
        (3, 3): {END: 1.0},
    },
)
"""Greedy takes 3 3 (.5 × .4 × .5 = .1), a search 4 5 (.4 × .9 = .36)."""


@pytest.mark.parametrize("beams", [1, 2])
def test_rows_that_have_ended_cost_nothing(beams):
    told = Told(np.stack([fixed(words, 5) for words in ([3], [], [3, 4, 5, 5], [4, 4])]))
    said = generate(told, rows(4), Generation(beams=beams, longest=5))
    assert said.tokens == [[3], [], [3, 4, 5, 5], [4, 4]]
    assert told.rows == ([4, 3, 2, 1, 1] if beams == 1 else [4, 6, 4, 2, 2])
    np.testing.assert_allclose(said.confidence, 1.0, atol=1e-6)
    assert [len(row) for row in said.attention] == [1, 0, 4, 2]


def test_a_search_finds_what_greedy_choice_misses():
    told = Told(GARDEN[None])
    greedy = generate(told, rows(1), Generation(longest=4))
    assert greedy.tokens == [[3, 3]]
    np.testing.assert_allclose(np.exp(greedy.log_probabilities[0]), [0.5, 0.4, 0.5], atol=1e-6)
    beam = generate(told, rows(1), Generation(beams=2, longest=4))
    assert beam.tokens == [[4, 5]]
    np.testing.assert_allclose(np.exp(beam.log_probabilities[0]), [0.4, 0.9, 1.0], atol=1e-6)
    np.testing.assert_allclose(beam.confidence, 0.36 ** (1 / 3), atol=1e-6)


def test_the_length_penalty_favours_long_sequences():
    paths = {(0, START): {END: 0.4, 3: 0.6}, (1, 3): {3: 0.6, 4: 0.4}, (2, 3): {END: 1.0}, (2, 4): {END: 1.0}}
    told = Told(table(3, paths)[None])
    # the end at once: .4; three tokens: .36, of geometric mean .71
    assert generate(told, rows(1), Generation(beams=3, longest=3, length_penalty=0.0)).tokens == [[]]
    assert generate(told, rows(1), Generation(beams=3, longest=3, length_penalty=1.0)).tokens == [[3, 3]]


def test_sequences_are_cut_at_the_longest():
    told = Told(fixed([3, 4, 5], 4)[None])
    for beams in (1, 2):
        said = generate(told, rows(1), Generation(beams=beams, longest=2))
        assert said.tokens == [[3, 4]]
        np.testing.assert_allclose(said.log_probabilities, [[0.0, 0.0]], atol=1e-6)


def test_the_end_comes_no_sooner_than_the_shortest():
    told = Told(GARDEN[None])
    for beams in (1, 2):
        assert generate(told, rows(1), Generation(beams=beams, longest=4, shortest=3)).tokens == [[3, 3, 3]]


def test_samples_have_the_probabilities_of_sequences():
    told, number = Told(GARDEN[None]), 4_000
    same = Encoded(torch.zeros(number, 1, 1), torch.ones(number, 1, dtype=torch.bool))
    said = generate(told, same, Generation(sample=True, top_p=1.0, longest=4)).tokens
    for words, share in {(): 0.1, (3,): 0.15, (4, 5): 0.36, (3, 3): 0.1, (3, 3, 3): 0.1, (3, 4): 0.15}.items():
        assert abs(np.mean([tuple(one) == words for one in said]) - share) < 4 * (share / number) ** 0.5
    narrow = generate(told, same, Generation(sample=True, top_p=0.6, longest=4)).tokens
    assert {one[0] for one in narrow} == {3, 4}  # the end at once, of .1, is outside of the nucleus
    assert abs(np.mean([one[0] == 3 for one in narrow]) - 5 / 9) < 0.04


def test_a_row_draws_by_its_number_in_the_table():
    told = Told(np.stack([GARDEN] * 6))
    options = Generation(sample=True, top_p=1.0, longest=4, seed=5)
    whole = generate(told, rows(6), options).tokens
    parts = [generate(told, Encoded(rows(6).tokens[i : i + 2], rows(2).mask), options, first=i) for i in (0, 2, 4)]
    assert [words for part in parts for words in part.tokens] == whole


def test_confidence_is_a_geometric_mean():
    said = Generated([[3], []], [[np.log(0.5), np.log(0.125)], [np.log(0.3)]], [])
    np.testing.assert_allclose(said.confidence, [0.25, 0.3])


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"beams": 0}, "beams from 1 to 256, a whole number, got 0"),
        ({"beams": 257}, "beams from 1 to 256, a whole number, got 257"),
        ({"beams": 2.5}, "beams from 1 to 256, a whole number, got 2.5"),
        ({"beams": True}, "beams from 1 to 256, a whole number, got True"),
        ({"longest": 0}, "longest from 1 to 4096, a whole number, got 0"),
        ({"longest": 10**9}, "longest from 1 to 4096, a whole number, got 1000000000"),
        ({"longest": "9" * 500}, "longest from 1 to 4096, a whole number, got '9{59}$"),
        ({"shortest": -1}, "shortest from 0 to 4096, a whole number, got -1"),
        ({"seed": None}, "seed from 0 to .*, a whole number, got None"),
        ({"sample": "no"}, "sample true or false, got 'no'"),
        ({"shortest": 5, "longest": 4}, "shortest up to longest, got shortest 5, longest 4"),
        ({"seed": -1}, "seed from 0 to .*, a whole number, got -1"),
        ({"length_penalty": "1"}, "length penalty from 0 to 10, got '1'"),
        ({"top_p": True}, "top_p above 0, at most 1, got True"),
        ({"temperature": [1.0]}, r"temperature above 0, got \[1.0\]"),
        ({"temperature": float("nan")}, "temperature above 0, got nan"),
        ({"length_penalty": -0.5}, "length penalty from 0 to 10, got -0.5"),
        ({"length_penalty": float("nan")}, "length penalty from 0 to 10, got nan"),
        ({"top_p": 0.0}, "top_p above 0, at most 1, got 0.0"),
        ({"top_p": 1.5}, "top_p above 0, at most 1, got 1.5"),
        ({"temperature": 0.0}, "temperature above 0, got 0.0"),
        ({"temperature": float("inf")}, "temperature above 0, got inf"),
    ],
)
def test_odd_settings_are_refused(options, match):
    with pytest.raises(ConfigError, match=f"generation: expected (a )?{match}"):
        Generation(**options)


def test_settings_may_be_numbers_of_numpy():
    assert Generation(beams=np.int64(2), top_p=np.float32(0.5), length_penalty=1) == Generation(2, top_p=0.5)


@pytest.mark.parametrize("settings", [{}, {"beams": 3}, {"sample": True}])
def test_a_record_grows_as_the_texts_do(monkeypatch, settings):
    told = Told(np.stack([fixed(words, 9) for words in ([3], [], [3, 4, 5, 5, 3, 4, 3], [4, 4])]))
    options = Generation(longest=8, **settings)
    expected = generate(told, rows(4), options)
    monkeypatch.setattr(_record, "FIRST", 1)
    grown = generate(told, rows(4), options)
    assert grown.tokens == expected.tokens == [[3], [], [3, 4, 5, 5, 3, 4, 3], [4, 4]]
    assert grown.log_probabilities == expected.log_probabilities
    for mine, theirs in zip(grown.attention, expected.attention, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_record_holds_no_more_than_twice_what_was_said(monkeypatch):
    monkeypatch.setattr(_record, "FIRST", 1)
    record = _record.Record(2, 4_000, 7, torch.device("cpu"))
    sizes = []
    for step in range(9):
        record.reach(step + 1)
        sizes.append(record.attention.shape[1])
    assert sizes == [1, 2, 4, 4, 8, 8, 8, 8, 16]
    record.reach(3_999)
    record.reach(4_000)
    assert record.attention.shape == (2, 4_000, 7)
    assert (record.tokens == PAD).all()


GRID = (np.arange(2_000) + 0.5) / 2_000


def shares(logits, top_p, temperature=1.0):
    """Share of each token over an even grid of drawn numbers."""
    drawn = [nucleus(logits, number, top_p, temperature) for number in GRID]
    return np.bincount(drawn, minlength=len(logits)) / len(GRID)


@given(seed=st.integers(0, 10_000), top_p=st.floats(0.05, 1.0))
def test_the_nucleus_is_the_smallest_set_that_holds_enough(seed, top_p):
    logits = np.random.default_rng(seed).normal(scale=2.0, size=6)
    probability = np.exp(logits) / np.exp(logits).sum()
    for size in range(1, 7):  # the oracle tries all sets
        sets = [list(one) for one in itertools.combinations(range(6), size)]
        masses = [probability[one].sum() for one in sets]
        if max(masses) >= top_p - 1e-12:
            break
    best = sets[int(np.argmax(masses))]
    expected = np.zeros(6)
    expected[best] = probability[best] / probability[best].sum()
    np.testing.assert_allclose(shares(logits, top_p), expected, atol=1 / len(GRID))


def test_temperature_sharpens_and_flattens():
    logits = np.log([0.5, 0.3, 0.2])
    for temperature in (0.5, 1.0, 2.0):
        expected = np.array([0.5, 0.3, 0.2]) ** (1 / temperature)
        np.testing.assert_allclose(shares(logits, 1.0, temperature), expected / expected.sum(), atol=1e-3)
    np.testing.assert_allclose(shares(logits, 1.0, 1e-12), [1.0, 0.0, 0.0])


def test_equally_likely_tokens_and_impossible_ones():
    never = -np.inf
    np.testing.assert_allclose(shares(np.array([never, 0.0, never, 0.0, 0.0, 0.0]), 0.5), [0, 0.5, 0, 0.5, 0, 0])
    np.testing.assert_allclose(shares(np.array([0.0, never, 0.0]), 1.0), [0.5, 0.0, 0.5])
    assert nucleus(np.array([never, 0.0, never]), np.nextafter(1.0, 0.0), 1.0) == 1
    np.testing.assert_allclose(
        shares(np.array([1.0, 2.0, 1.0]), 1.0), np.exp([1, 2, 1]) / np.exp([1, 2, 1]).sum(), atol=1e-3
    )
