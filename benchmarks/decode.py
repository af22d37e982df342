"""Decoding with cached keys and values, in a batch, against the loop that computes all again for every word.

64 items of 49 memory tokens (a 7 by 7 map of 1,280 features) and exactly 20 words each, by a transformer decoder of
three layers with random weights, which cost what trained ones cost. The loop is the textbook one: for every word of
every item, `forward` over the memory and all words so far, of which the most probable next word is taken; in a batch it
does so for all items at once. The ways take turns, and the best turn of each is compared: other work on the machine
only ever adds to what a way takes. The loop over single items, which takes half a minute, has fewer turns.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np
import torch
from _harness import Benchmark, arguments

from fusible import registry
from fusible.decoders._base import SPECIALS, START, Decoder
from fusible.decoders._generate import Generation, generate
from fusible.types import Encoded

ITEMS, WORDS, TURNS, LONG_TURNS = 64, 20, 9, 2
SIZES = {"vocabulary": 4_000, "memory": 1_280, "width": 256}
LAYERS, STEPS = 3, 49
LOOP, BATCHED, CACHED = "uncached, item by item", "uncached, batched", "cached, batched"
GREEDY = Generation(longest=WORDS, shortest=WORDS)
BEAMS = Generation(beams=4, longest=WORDS, shortest=WORDS)

Said = list[list[int]]


def main() -> None:
    """Take turns, and judge the ratios of the best turns, and the words."""
    benchmark = Benchmark("decode", arguments(__doc__))
    args = benchmark.arguments
    items, turns, long_turns = (8, 1, 1) if args.quick else (ITEMS, TURNS, LONG_TURNS)
    spent: dict[str, list[tuple[float, float]]] = {}
    equal: dict[str, list[float]] = {}
    for seed in args.seeds:
        said: dict[str, Said] = {}
        for turn in range(turns):
            for name, way in ways(seed, items, args.device).items():
                if name == LOOP and turn >= long_turns:
                    continue
                said[name], *seconds = timed(way)
                spent.setdefault(name, []).append((seconds[0], seconds[1]))
            for name in comparable(said):
                equal.setdefault(name, []).append(share_equal(said[name], said[LOOP]))
    best = {name: np.min(seconds, axis=0) for name, seconds in spent.items()}
    for name, (wall, processor) in best.items():
        benchmark.row(
            way=name,
            items=items,
            words=WORDS,
            wall_seconds=float(wall),
            cpu_seconds=float(processor),
            words_per_second=items * WORDS / float(wall),
            times_faster=float(best[LOOP][0] / wall) if name in equal else None,
            equal_words=min(equal[name]) if name in equal else None,
        )
    for name, how in ((LOOP, "item by item"), (BATCHED, "in a batch")):
        faster = float(best[name][0] / best[CACHED][0])
        benchmark.claim(f"times faster than the uncached loop, {how}", faster, at_least=5.0)
    benchmark.claim("share of words equal to those of the uncached loop", min(equal[CACHED]), at_least=1.0)
    benchmark.finish()


def ways(seed: int, items: int, device: str) -> dict[str, Callable[[], Said]]:
    """Ways to say 20 words about each item; the first four give the same words."""
    torch.manual_seed(seed)
    transformer = registry.build("decoders", "transformer", **SIZES, layers=LAYERS).to(device).eval()
    lstm = registry.build("decoders", "lstm", **SIZES).to(device).eval()
    tokens = torch.randn(items, STEPS, SIZES["memory"], device=device)
    memory = Encoded(tokens, torch.ones(items, STEPS, dtype=torch.bool, device=device))
    singly = [Encoded(memory.tokens[i : i + 1], memory.mask[i : i + 1]) for i in range(items)]
    return {
        LOOP: lambda: [loop(transformer, one)[0] for one in singly],
        BATCHED: lambda: loop(transformer, memory),
        "cached, item by item": lambda: [generate(transformer, one, GREEDY).tokens[0] for one in singly],
        CACHED: lambda: generate(transformer, memory, GREEDY).tokens,
        "transformer, cached, 4 beams": lambda: generate(transformer, memory, BEAMS).tokens,
        "lstm, cached, batched": lambda: generate(lstm, memory, GREEDY).tokens,
        "lstm, cached, 4 beams": lambda: generate(lstm, memory, BEAMS).tokens,
    }


def loop(decoder: Decoder, memory: Encoded) -> Said:
    """Take the most probable word, 20 times, with everything computed again for each."""
    with torch.inference_mode():
        tokens = torch.full((len(memory.mask), 1), START, device=memory.mask.device)
        for _ in range(WORDS):
            words = decoder(tokens, memory)[:, -1, SPECIALS:]
            tokens = torch.cat([tokens, words.argmax(dim=1, keepdim=True) + SPECIALS], dim=1)
    said: Said = tokens[:, 1:].tolist()
    return said


def timed(way: Callable[[], Said]) -> tuple[Said, float, float]:
    """What was said, and wall and processor seconds."""
    wall, processor = time.perf_counter(), time.process_time()
    said = way()
    return said, time.perf_counter() - wall, time.process_time() - processor


def comparable(said: Mapping[str, Said]) -> list[str]:
    """Ways that should say what the loop says: greedy choice by the transformer."""
    return [name for name in said if "lstm" not in name and "beams" not in name]


def share_equal(mine: Said, theirs: Said) -> float:
    """Share of words that are the same."""
    return float(np.mean(np.array(mine) == np.array(theirs)))


if __name__ == "__main__":
    main()
