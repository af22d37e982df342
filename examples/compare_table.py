"""Compare strategies on a table with a text column and a few attributes, then predict new rows with the best."""

import numpy as np
import pandas as pd

import fusible

rng = np.random.default_rng(0)
size = 150
mood = rng.integers(0, 2, size)
words = {0: ["dull", "broken", "late"], 1: ["bright", "solid", "quick"]}
frame = pd.DataFrame(
    {
        "comment": [f"the parcel was {rng.choice(words[m])} and the box number {rng.integers(99)}" for m in mood],
        "price": rng.normal(20, 5, size).round(2),
        "shop": rng.choice(["north", "south"], size),
    }
)
frame["returned"] = np.where((mood == 0) & (frame["price"] > 15), "yes", "no")
frame.loc[::7, "comment"] = None  # rows without text are predicted as well

study = fusible.compare(
    frame,
    "returned",
    encoders={"comment": "text_tfidf"},
    strategies=["single:comment", "single:table", "model:average", "model:stacking"],
)
print(study)
print(study.best.predict(frame.head(3)))
