"""What several test files share: running the command line, reading a folder, a small table of two views."""

import numpy as np
import pandas as pd

from fusible.apps.cli import main

ROWS = 48


def call(capsys, *arguments):
    """Run the command line; exit code, standard output, standard error."""
    capsys.readouterr()
    code = 0
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as end:
        code = end.code or 0
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def files(place):
    """Everything in a folder."""
    return {str(path.relative_to(place)): path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file()}


def small_table(rng, rows=ROWS):
    """Two views (a text, a table) that tell a label."""
    label = rng.integers(0, 2, rows)
    return pd.DataFrame(
        {
            "note": [f"{'sun' if y else 'moon'} over the {rng.choice(['hill', 'lake', 'town'])}" for y in label],
            "size": label + rng.normal(size=rows),
            "shop": rng.choice(["a", "b", "c"], rows),
            "y": np.where(label == 1, "yes", "no"),
        }
    )
