"""Fit on pictures and numbers where half of the rows lack one or the other; the model folder predicts both kinds."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

import fusible

rng = np.random.default_rng(0)
folder = Path("pictures")
folder.mkdir(exist_ok=True)
rows = []
for i in range(80):
    bright = int(rng.integers(2))
    path = folder / f"{i}.png"
    Image.fromarray(rng.integers(100 * bright, 120 + 100 * bright, (24, 24), dtype=np.uint8)).save(path)
    rows.append({"picture": str(path), "sensor": bright + rng.normal(0, 0.8), "day": "yes" if bright else "no"})
frame = pd.DataFrame(rows)
frame.loc[rng.random(len(frame)) < 0.25, "picture"] = None
frame.loc[rng.random(len(frame)) < 0.25, "sensor"] = None
frame.to_csv("days.csv", index=False)

model = fusible.fit(
    "days.csv", "day", strategy="model:average", encoders={"picture": "image_efficientnet"}, output="model"
)
new = pd.DataFrame({"picture": [rows[0]["picture"], None], "sensor": [None, 2.5]})
new.to_csv("new.csv", index=False)
print(fusible.load("model").predict("new.csv"))
