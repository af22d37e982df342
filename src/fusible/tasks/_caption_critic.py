"""Self-critical training: what is drawn is rewarded as far as it is better than what would be said."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from fusible.decoders._base import END, START
from fusible.decoders._generate import Generated, Generation, generate
from fusible.decoders._vocabulary import stack_texts
from fusible.evaluation.captions import CiderD
from fusible.networks._captioner import TEXT
from fusible.tasks._caption_data import Material
from fusible.tasks.source import stage
from fusible.tasks.writer import Writer
from fusible.training.batches import plain_batches
from fusible.training.feed import Feed
from fusible.training.loop import seeded
from fusible.types import ViewBatch

RATE = 5e-5
ROWS = 32
CLIP = 1.0


def criticise(found: Material, writer: Writer, epochs: int, seed: int = 0) -> None:
    """Train a writer in place on CIDEr-D by REINFORCE, its own greedy text as the baseline (Rennie et al., CVPR 2017).

    It trains on inputs that have a view of the writer. The epoch kept, that before any among them, has the best CIDEr-D
    on validation inputs.
    """
    start, rows, references = time.perf_counter(), found.rows_of("train"), found.references("train")
    scorer, feeds = CiderD(references), writer.feeds(found.source)
    told = dict(zip(rows.tolist(), references, strict=True))
    rows = rows[found.present(writer.views, rows)]
    rng, network = np.random.default_rng(seed), writer.network
    writer.to(found.source.device)
    optimiser = torch.optim.AdamW([p for p in network.parameters() if p.requires_grad], lr=RATE, weight_decay=0.0)
    best, kept = _valid(found, writer), copy.deepcopy(network.state_dict())
    writer.info["self_critical"] = [best]
    with seeded(seed), stage(found.source.progress, f"self-critical {writer.name}", epochs) as bar:
        for epoch in range(epochs):
            for step, batch in enumerate(plain_batches(rows, ROWS, rng)):
                texts = [told[row] for row in batch.tolist()]
                _step(writer, feeds, batch, texts, scorer, optimiser, seed + 7919 * epoch + step)
            reached = _valid(found, writer)
            writer.info["self_critical"].append(reached)
            if reached > best:
                best, kept = reached, copy.deepcopy(network.state_dict())
            bar.advance()
    network.load_state_dict(kept)
    network.eval()
    writer.info["seconds"] += round(time.perf_counter() - start, 2)


def _step(
    writer: Writer,
    feeds: Mapping[str, Feed],
    rows: np.ndarray,
    references: Sequence[Sequence[str]],
    scorer: CiderD,
    optimiser: torch.optim.Optimizer,
    seed: int,
) -> None:
    """One batch: draw, compare with the greedy text, and make the better ones likelier."""
    network, views = writer.network, writer.batches(feeds, rows)
    network.eval()
    with torch.no_grad():
        memory = network.memory(views)
        longest = writer.longest
        drawn = generate(network.decoder, memory, Generation(sample=True, top_p=1.0, longest=longest, seed=seed))
        said = generate(network.decoder, memory, Generation(longest=longest))
    gain = _reward(writer, drawn, references, scorer) - _reward(writer, said, references, scorer)
    weight = torch.from_numpy(gain.astype(np.float32)).to(memory.mask.device)
    # The loss is a mean per token of a text: REINFORCE sums over tokens, and the mean keeps long texts from ruling.
    losses = network({**views, TEXT: _texts(drawn, longest, str(memory.mask.device))})
    loss = (losses * weight).mean()
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP)
    optimiser.step()


def _texts(drawn: Generated, longest: int, device: str) -> ViewBatch:
    """What was drawn, as the network is told texts."""
    ids = [np.array([START, *row, *([END] if len(row) < longest else [])], np.int64) for row in drawn.tokens]
    rows = np.arange(len(ids))
    return Feed(rows[:, None], items=ids, batcher=stack_texts).batch(rows, device)


def _reward(writer: Writer, said: Generated, references: Sequence[Sequence[str]], scorer: CiderD) -> np.ndarray:
    return np.asarray(scorer.score([writer.vocabulary.decode(row) for row in said.tokens], references))


def _valid(found: Material, writer: Writer) -> float:
    rows, references = found.rows_of("valid"), found.references("valid")
    texts = writer.write(found.source, rows, Generation(longest=writer.longest)).texts
    return float(CiderD(references).score(texts, references).mean())
