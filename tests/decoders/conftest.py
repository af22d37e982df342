"""Small tasks that a decoder must learn from memory."""

import pytest
import torch

from fusible import registry
from fusible.decoders._base import END, PAD, SPECIALS, START
from fusible.decoders._generate import Generation, generate
from fusible.types import Encoded

SYMBOLS, LONGEST = 8, 5


def problem(rows, seed, shuffled):
    """Symbols to say in order: tokens (rows, LONGEST + 2) and memory with one token per symbol, of a fixed code.

    Symbols stand in their order; `shuffled`, they stand anywhere, and each token says which it is in the order.
    """
    draw = torch.Generator().manual_seed(seed)
    symbols = torch.randint(0, SYMBOLS, (rows, LONGEST), generator=draw)
    length = torch.randint(1, LONGEST + 1, (rows, 1), generator=draw)
    mask = torch.arange(LONGEST) < length
    tokens = torch.cat([torch.full((rows, 1), START), (symbols + SPECIALS).where(mask, PAD)], dim=1)
    tokens = torch.cat([tokens, torch.full((rows, 1), PAD)], dim=1).scatter(1, length + 1, END)
    place = torch.eye(LONGEST).expand(rows, -1, -1)
    memory = torch.cat([torch.eye(SYMBOLS)[symbols], place if shuffled else torch.zeros_like(place)], dim=2)
    if shuffled:
        order = torch.rand(rows, LONGEST, generator=draw).argsort(dim=1)
        memory, mask = memory.gather(1, order.unsqueeze(2).expand_as(memory)), mask.gather(1, order)
    return tokens, Encoded(memory, mask)


@pytest.fixture(scope="session")
def learn():
    """Train a decoder on a task; gives what it says of new rows, and what it should have said."""

    def run(name, shuffled, steps=150, rate=1e-2):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            sizes = {"vocabulary": SPECIALS + SYMBOLS, "memory": SYMBOLS + LONGEST, "width": 32}
            built = registry.build("decoders", name, **sizes, layers=1, dropout=0.0)
            optimiser = torch.optim.AdamW(built.parameters(), lr=rate)
            schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps)
            for step in range(steps):
                tokens, memory = problem(64, step, shuffled)
                logits = built(tokens[:, :-1], memory).flatten(0, 1)
                loss = torch.nn.functional.cross_entropy(logits, tokens[:, 1:].flatten(), ignore_index=PAD)
                optimiser.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(built.parameters(), 1.0)
                optimiser.step()
                schedule.step()
        tokens, memory = problem(300, 10_000, shuffled)
        return generate(built, memory, Generation(longest=LONGEST + 2)), [
            [word for word in row if word >= SPECIALS] for row in tokens.tolist()
        ]

    return run
