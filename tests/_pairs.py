"""A table whose views tell of the same hidden numbers: what retrieval can be tested on."""

import numpy as np
import pandas as pd


def paired(rows=240, noise=0.3, seed=0):
    """Numbers `a` to `d` in one view, and a text that says roughly what they are; a class; a split."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(rows, 4))
    seen = hidden + noise * rng.normal(size=hidden.shape)
    steps = np.clip(np.round(2 * hidden), -4, 4).astype(int) + 4
    words = [" ".join(f"{name}{step}x" for name, step in zip("pqrs", line, strict=True)) for line in steps]
    frame = pd.DataFrame(seen, columns=list("abcd"))
    frame["said"] = [f"{text} w{i}" for i, text in enumerate(words)]
    frame["kind"] = np.where(hidden[:, 0] > 0.6, "high", np.where(hidden[:, 0] < -0.6, "low", "middle"))
    parts = np.array(["train"] * 3 + ["valid", "test"])
    frame["split"] = parts[np.arange(rows) % 5]
    return frame
