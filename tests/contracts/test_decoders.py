"""The contract of every decoder, and of generation with it, over everything registered."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fusible import registry
from fusible.decoders._base import END, PAD, SPECIALS, START, select
from fusible.decoders._beam import search
from fusible.decoders._generate import Generation, generate
from fusible.errors import ConfigError
from fusible.types import Encoded

DECODERS = registry.names("decoders")
VOCABULARY, WIDTH, ROWS, STEPS = 9, 5, 6, 7
POISON = (float("nan"), float("inf"), -float("inf"), 1e30)
SEEDS = st.integers(0, 10_000)

pytestmark = pytest.mark.parametrize("name", DECODERS)


def decoder(name, seed=0, vocabulary=VOCABULARY, sharp=0.3, **options):
    """A decoder whose weights are not what they are at first, the end as likely as any word."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        built = registry.build("decoders", name, vocabulary=vocabulary, memory=WIDTH, width=8, layers=2, **options)
        with torch.no_grad():
            for parameter in built.parameters():
                parameter.add_(torch.randn_like(parameter) * sharp)
    return built.eval()


def memory_of(rows=ROWS, steps=STEPS, seed=1):
    """Random memory; the first row is full, of others some tokens are masked, anywhere."""
    draw = torch.Generator().manual_seed(seed)
    mask = torch.rand(rows, steps, generator=draw) < 0.6
    mask[torch.arange(rows), torch.randint(0, steps, (rows,), generator=draw)] = True
    mask[:1] = True
    return Encoded(torch.randn(rows, steps, WIDTH, generator=draw), mask)


def tokens_of(rows=ROWS, steps=5, seed=2):
    """Sequences of different lengths, from START, padded."""
    draw = torch.Generator().manual_seed(seed)
    words = torch.randint(SPECIALS, VOCABULARY, (rows, steps), generator=draw)
    words[:, 0] = START
    length = torch.arange(rows).remainder(steps) + 1
    return words.masked_fill(torch.arange(steps) >= length.unsqueeze(1), PAD), length


def rows_of(memory, rows):
    """Memory of some rows."""
    return Encoded(memory.tokens[rows], memory.mask[rows])


def padded(memory, steps=3, value=float("nan")):
    """The same memory with padding that holds `value`."""
    more = memory.tokens.new_full((len(memory.tokens), steps, WIDTH), value)
    tokens = torch.cat([memory.tokens, more], dim=1)
    return Encoded(tokens, torch.cat([memory.mask, memory.mask.new_zeros(len(memory.mask), steps)], dim=1))


def stepped(built, tokens, state):
    """Logits and attention of stepping through tokens, as forward gives them, and the last state."""
    logits, seen = [], []
    for step in range(tokens.shape[1]):
        one, attention, state = built.step(tokens[:, step], state)
        logits.append(one)
        seen.append(attention)
    return torch.stack(logits, dim=1), torch.stack(seen, dim=1), state


def forced(built, memory, said):
    """Log-probability of each token of sequences (END last, where it was said), by teacher forcing."""
    longest = max(map(len, said))
    padding = [[*row, *[PAD] * (longest - len(row))] for row in said]
    target = torch.tensor(padding)
    given = torch.cat([torch.full((len(said), 1), START), target[:, :-1]], dim=1)
    with torch.no_grad():
        scores = built(given, memory).log_softmax(dim=2).gather(2, target.unsqueeze(2)).squeeze(2)
    return [row[: len(one)] for row, one in zip(scores.numpy(), said, strict=True)]


def whole(said):
    """Sequences with END where it was said."""
    pairs = zip(said.tokens, said.log_probabilities, strict=True)
    return [[*words, *[END] * (len(scores) - len(words))] for words, scores in pairs]


def check_same(one, other, tolerance=1e-5):
    """Both say the same, at the same probabilities, looking at the same."""
    assert one.tokens == other.tokens
    for mine, theirs in zip(one.log_probabilities, other.log_probabilities, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=tolerance)
    for mine, theirs in zip(one.attention, other.attention, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=tolerance)


ALL = (
    Generation(longest=8),
    Generation(longest=8, shortest=3),
    Generation(longest=8, beams=3),
    Generation(longest=8, beams=4, shortest=2, length_penalty=0.0),
    Generation(longest=8, sample=True, top_p=0.8, seed=3),
)


def test_teacher_forcing_equals_stepping(name):
    built, memory, (tokens, length) = decoder(name), memory_of(), tokens_of()
    forward = built(tokens, memory)
    logits, attention, _ = stepped(built, tokens, built.start(memory))
    assert forward.shape == (ROWS, 5, VOCABULARY)
    real = torch.arange(5) < length.unsqueeze(1)
    torch.testing.assert_close(logits[real], forward[real], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(attention.sum(dim=2), torch.ones(ROWS, 5))
    assert not attention.masked_select(~memory.mask.unsqueeze(1)).any()
    assert (attention >= 0).all()


def test_memory_and_words_matter(name):
    built, memory, (tokens, _) = decoder(name), memory_of(), tokens_of(steps=4)
    logits = built(tokens, memory)
    other = tokens.clone()
    other[:, 0] = SPECIALS
    assert (built(other, memory)[:, 0] - logits[:, 0]).abs().amax(dim=1).min() > 1e-3
    moved = Encoded(memory.tokens.roll(1, dims=0), memory.mask)
    assert (built(tokens, moved) - logits).abs().amax(dim=(1, 2)).min() > 1e-3
    turned = Encoded(memory.tokens[:1].flip(1), memory.mask[:1])  # the order of a film matters
    assert (built(tokens[:1], turned) - logits[:1]).abs().max() > 1e-3


def test_padding_of_tokens_changes_no_logits(name):
    built, memory, (tokens, length) = decoder(name), memory_of(), tokens_of()
    logits = built(tokens, memory)
    longer = built(torch.cat([tokens, torch.full((ROWS, 3), PAD)], dim=1), memory)
    torch.testing.assert_close(longer[:, :5], logits, rtol=1e-5, atol=1e-5)
    for row, size in enumerate(length.tolist()):
        alone = built(tokens[row : row + 1, :size], rows_of(memory, [row]))
        torch.testing.assert_close(alone, logits[row : row + 1, :size], rtol=1e-5, atol=1e-5)


def test_later_tokens_never_change_earlier_logits(name):
    built, memory, (tokens, _) = decoder(name), memory_of(), tokens_of()
    logits = built(tokens, memory)
    for step in range(1, 5):
        changed = tokens.clone()
        changed[:, step:] = (changed[:, step:] + 4) % VOCABULARY
        torch.testing.assert_close(built(changed, memory)[:, :step], logits[:, :step], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("value", POISON)
def test_what_masked_memory_holds_changes_no_output_and_no_gradient(name, value):
    built, memory, (tokens, _) = decoder(name), memory_of(), tokens_of()
    poisoned = Encoded(memory.tokens.masked_fill(~memory.mask.unsqueeze(-1), value), memory.mask)
    found = []
    for one in (memory, poisoned):
        built.zero_grad()
        live = one.tokens.clone().requires_grad_()
        logits = built(tokens, Encoded(live, one.mask))
        logits.square().sum().backward()
        found.append([logits.detach(), live.grad, *(p.grad.clone() for p in built.parameters())])
        stepping, attention, _ = stepped(built, tokens, built.start(one))
        found[-1] += [stepping.detach(), attention.detach()]
    for clean, dirty in zip(*found, strict=True):
        assert torch.isfinite(dirty).all()
        assert torch.equal(clean, dirty)
    check_same(generate(built, poisoned), generate(built, memory), 0.0)


def test_padding_of_memory_changes_nothing(name):
    built, memory, (tokens, _) = decoder(name), memory_of(), tokens_of()
    longer = padded(memory)
    torch.testing.assert_close(built(tokens, longer), built(tokens, memory), rtol=1e-5, atol=1e-5)
    for options in ALL:
        said, again = generate(built, memory, options), generate(built, longer, options)
        for row in again.attention:
            assert not row[:, STEPS:].any()
        again.attention = [row[:, :STEPS] for row in again.attention]
        check_same(again, said)


def test_a_row_without_memory_is_defined_and_disturbs_no_other(name):
    built, memory, (tokens, _) = decoder(name), memory_of(), tokens_of()
    logits = built(tokens, memory)
    mask = memory.mask.clone()
    mask[2] = False
    emptied = built(tokens, Encoded(memory.tokens, mask))
    assert torch.isfinite(emptied).all()
    others = [0, 1, 3, 4, 5]
    torch.testing.assert_close(emptied[others], logits[others])
    said = generate(built, Encoded(memory.tokens, mask))
    assert np.isfinite(said.confidence).all()


def test_rows_do_not_mix(name):
    built, memory, (tokens, _) = decoder(name), memory_of(), tokens_of()
    logits = built(tokens, memory)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    torch.testing.assert_close(built(tokens[order], rows_of(memory, order)), logits[order], rtol=1e-5, atol=1e-5)
    for row in range(ROWS):
        alone = built(tokens[row : row + 1], rows_of(memory, [row]))
        torch.testing.assert_close(alone, logits[row : row + 1], rtol=1e-5, atol=1e-5)
    assert built(tokens[:0], rows_of(memory, slice(0, 0))).shape == (0, 5, VOCABULARY)


def test_selected_rows_go_on_as_they_would(name):
    built, memory, (tokens, _) = decoder(name), memory_of(), tokens_of()
    _, _, state = stepped(built, tokens[:, :3], built.start(memory))
    logits, attention, _ = built.step(tokens[:, 3], state)
    chosen = torch.tensor([4, 0, 4, 2])
    picked, seen, _ = built.step(tokens[chosen, 3], select(state, chosen))
    torch.testing.assert_close(picked, logits[chosen], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(seen, attention[chosen], rtol=1e-5, atol=1e-5)
    again, _, _ = built.step(tokens[:, 3], state)  # a step leaves the state that it read as it was
    assert torch.equal(again, logits)


def test_several_rows_share_a_row_of_memory(name):
    built, memory, (tokens, _) = decoder(name), memory_of(), tokens_of()
    state, thrice = built.start(memory), torch.arange(ROWS).repeat_interleave(3)
    shared = {key: value if key.startswith("memory") else value[thrice] for key, value in state.items()}
    words = tokens[:, :1].repeat(3, 2) + torch.arange(3 * ROWS).remainder(VOCABULARY - 1).unsqueeze(1)
    words = words % VOCABULARY
    logits, attention, _ = stepped(built, words, shared)
    plain, seen, _ = stepped(built, words, select(state, thrice))
    torch.testing.assert_close(logits, plain, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(attention, seen, rtol=1e-5, atol=1e-5)


def test_training_reaches_every_weight_with_finite_gradients(name):
    built, memory, (tokens, _) = decoder(name, dropout=0.2).train(), memory_of(), tokens_of()
    tokens = tokens.clone()
    tokens[:, -1] = torch.arange(ROWS) + SPECIALS
    loss = torch.nn.functional.cross_entropy(built(tokens[:, :-1], memory).flatten(0, 1), tokens[:, 1:].flatten())
    loss.backward()
    for key, parameter in built.named_parameters():
        assert parameter.grad is not None, key
        assert torch.isfinite(parameter.grad).all(), key
        assert parameter.grad.abs().sum() > 0, key
    said = generate(built, memory, Generation(longest=4))
    assert built.training  # and generating took no dropout
    check_same(said, generate(built, memory, Generation(longest=4)), 0.0)


def test_at_first_every_token_is_about_as_likely(name):
    torch.manual_seed(0)
    built = registry.build("decoders", name, vocabulary=1_000, memory=WIDTH, width=64).eval()
    tokens = torch.cat([torch.full((ROWS, 1), START), torch.randint(SPECIALS, 1_000, (ROWS, 30))], dim=1)
    with torch.no_grad():
        logits = built(tokens[:, :-1], memory_of())
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
    assert np.log(1_000) - 0.2 < loss < np.log(1_000) + 1.0


def test_state_round_trip_and_seed(name):
    built, other, memory, (tokens, _) = decoder(name, seed=1), decoder(name, seed=2), memory_of(), tokens_of()
    assert not torch.equal(built(tokens, memory), other(tokens, memory))
    other.load_state_dict(built.state_dict())
    assert torch.equal(built(tokens, memory), other(tokens, memory))
    assert torch.equal(decoder(name, seed=1)(tokens, memory), built(tokens, memory))
    for options in ALL:
        check_same(generate(other, memory, options), generate(built, memory, options), 0.0)


def test_shapes_are_known_without_memory(name):
    built = decoder(name)
    with torch.device("meta"):
        bare = registry.build("decoders", name, vocabulary=VOCABULARY, memory=WIDTH, width=8, layers=2)
    assert all(tensor.is_meta for tensor in bare.state_dict().values())
    shapes = {key: tensor.shape for key, tensor in built.state_dict().items()}
    assert {key: tensor.shape for key, tensor in bare.state_dict().items()} == shapes


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"vocabulary": 3}, "expected a vocabulary of 3 special tokens and words, got 3"),
        ({"memory": 0}, "got memory 0, width 8, layers 1"),
        ({"width": 0}, "got memory 5, width 0"),
        ({"layers": 65}, "1 to 64 layers.* layers 65"),
        ({"dropout": 1.0}, "dropout from 0 to below 1, got 1.0"),
    ],
)
def test_odd_settings_are_refused(name, options, match):
    with pytest.raises(ConfigError, match=match):
        registry.build("decoders", name, **{"vocabulary": 9, "memory": 5, "width": 8, "layers": 1, **options})


@given(seed=SEEDS)
@settings(max_examples=10)
def test_greedy_equals_an_uncached_loop(name, seed):
    built, memory = decoder(name, seed), memory_of(seed=seed)
    said = generate(built, memory, Generation(longest=6))
    for row in range(ROWS):
        tokens = [START]
        while len(tokens) <= 6 and tokens[-1] != END:
            with torch.no_grad():
                logits = built(torch.tensor([tokens]), rows_of(memory, [row]))[0, -1]
            logits[[PAD, START]] = -float("inf")
            tokens.append(int(logits.argmax()))
        assert whole(said)[row] == tokens[1:]


@given(seed=SEEDS, shortest=st.integers(0, 3))
@settings(max_examples=12)
def test_one_beam_is_greedy_choice(name, seed, shortest):
    built, memory = decoder(name, seed), memory_of(seed=seed)
    greedy = generate(built, memory, Generation(longest=6, shortest=shortest))
    for penalty in (0.0, 1.0):
        with torch.no_grad():
            beam = search(built, memory, 1, 6, shortest, penalty).finish()
        check_same(beam, greedy)


def enumerated(built, memory, words, longest, penalty):
    """All sequences of up to `longest` words, END after those that are shorter, and the score of each for a row."""
    said = [[*one, END] for n in range(longest) for one in itertools.product(words, repeat=n)]
    said += [list(one) for one in itertools.product(words, repeat=longest)]
    many = Encoded(memory.tokens.expand(len(said), -1, -1), memory.mask.expand(len(said), -1))
    return said, np.array([scores.sum() / len(scores) ** penalty for scores in forced(built, many, said)])


@pytest.mark.parametrize("penalty", [0.0, 1.0])
@pytest.mark.parametrize(("vocabulary", "longest"), [(4, 4), (5, 3), (6, 3)])
def test_as_many_beams_as_sequences_find_the_best(name, vocabulary, longest, penalty):
    for seed in range(3):
        built, memory = decoder(name, seed, vocabulary, sharp=0.6), memory_of(rows=4, seed=seed)
        options = Generation(beams=vocabulary**longest, longest=longest, length_penalty=penalty)
        found = whole(generate(built, memory, options))
        for row in range(4):
            said, scores = enumerated(built, rows_of(memory, [row]), range(SPECIALS, vocabulary), longest, penalty)
            np.testing.assert_allclose(scores[said.index(found[row])], scores.max(), atol=1e-5)


@given(seed=SEEDS, beams=st.integers(2, 5), shortest=st.integers(0, 2))
@settings(max_examples=12)
def test_a_search_is_never_less_probable_than_greedy_choice(name, seed, beams, shortest):
    built, memory = decoder(name, seed, sharp=0.6), memory_of(seed=seed)
    greedy = generate(built, memory, Generation(longest=6, shortest=shortest))
    beam = generate(built, memory, Generation(beams, 6, shortest, length_penalty=0.0))
    for mine, theirs in zip(beam.log_probabilities, greedy.log_probabilities, strict=True):
        assert sum(mine) >= sum(theirs) - 1e-5


@pytest.mark.parametrize("options", ALL)
def test_a_batch_of_one_equals_a_batch_of_many(name, options):
    built, memory = decoder(name), memory_of()
    said = generate(built, memory, options)
    for row in range(ROWS):
        alone = generate(built, rows_of(memory, [row]), options, first=row)
        assert alone.tokens == [said.tokens[row]]
        np.testing.assert_allclose(alone.log_probabilities[0], said.log_probabilities[row], atol=1e-5)
        np.testing.assert_allclose(alone.attention[0], said.attention[row], atol=1e-5)
    nothing = generate(built, rows_of(memory, slice(0, 0)), options)
    assert (nothing.tokens, len(nothing.confidence)) == ([], 0)


def test_samples_follow_their_seed_and_row(name):
    built, memory = decoder(name, sharp=0.0), memory_of()
    one, other = (Generation(sample=True, longest=8, top_p=1.0, seed=seed) for seed in (0, 1))
    said = generate(built, memory, one)
    check_same(generate(built, memory, one), said, 0.0)
    assert generate(built, memory, other).tokens != said.tokens
    same = rows_of(memory, [0] * ROWS)  # equal rows draw different numbers
    assert len(set(map(tuple, generate(built, same, one).tokens))) > 1
    cold = Generation(sample=True, longest=8, top_p=1.0, temperature=1e-6)
    assert generate(built, memory, cold).tokens == generate(built, memory, Generation(longest=8)).tokens


@pytest.mark.parametrize("options", ALL)
def test_probabilities_are_those_of_teacher_forcing(name, options):
    built, memory = decoder(name), memory_of()
    said = generate(built, memory, options)
    for mine, theirs in zip(said.log_probabilities, forced(built, memory, whole(said)), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)
    means = [np.exp(np.mean(row)) for row in said.log_probabilities]
    np.testing.assert_allclose(said.confidence, means)


@pytest.mark.parametrize("options", ALL)
def test_attention_is_that_of_stepping(name, options):
    built, memory = decoder(name), memory_of()
    said = generate(built, memory, options)
    for row, (words, seen) in enumerate(zip(said.tokens, said.attention, strict=True)):
        given = torch.tensor([[START, *words][: len(words)]], dtype=torch.int64)
        assert seen.shape == (len(words), STEPS)
        assert seen.dtype == np.float32
        np.testing.assert_allclose(seen.sum(axis=1), 1.0, atol=1e-5)
        if words:
            with torch.no_grad():
                _, attention, _ = stepped(built, given, built.start(rows_of(memory, [row])))
            np.testing.assert_allclose(seen, attention[0], atol=1e-5)


@given(seed=SEEDS, shortest=st.integers(0, 5), more=st.integers(0, 3), way=st.integers(0, 2))
@settings(max_examples=12)
def test_lengths_are_kept_and_special_tokens_never_said(name, seed, shortest, more, way):
    built, memory = decoder(name, seed, sharp=0.6), memory_of(seed=seed)
    with torch.no_grad():
        built.bias[[PAD, START, END]] += 8.0  # most likely to say what it must not
    longest = max(1, shortest + more)
    options = Generation([1, 3, 1][way], longest, shortest, sample=way == 2, top_p=0.95)
    said = generate(built, memory, options)
    for words, scores in zip(said.tokens, said.log_probabilities, strict=True):
        assert shortest <= len(words) <= longest
        assert len(scores) == min(len(words) + 1, longest)
        assert all(SPECIALS <= word < VOCABULARY for word in words)


def test_a_vocabulary_of_one_word(name):
    built, memory = decoder(name, vocabulary=4), memory_of()
    for options in (Generation(longest=3, shortest=3), Generation(longest=3, shortest=3, beams=5)):
        assert generate(built, memory, options).tokens == [[3, 3, 3]] * ROWS
