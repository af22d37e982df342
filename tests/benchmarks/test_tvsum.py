"""TVSum as it was published: 50 videos of ten categories, 20 people each, scores of 1 to 5 that last about 2 s."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kendalltau

from fusible.evaluation.summaries import Judges, average


@pytest.fixture(scope="module")
def films(data_folder):
    """All videos, read once."""
    pytest.importorskip("h5py", reason="TVSum is an HDF5 file")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
        import _tvsum

        patch.setattr(_tvsum, "data_folder", lambda name: data_folder / name)
        return _tvsum.films()


def test_the_file_holds_what_was_published(films):
    assert len(films) == 50
    assert {len(film.scores) for film in films} == {20}
    assert {film.category for film in films} == {"VT", "VU", "GA", "MS", "PK", "PR", "FM", "BK", "BT", "DS"}
    assert {tuple(np.unique(film.scores)) for film in films} == {(1, 2, 3, 4, 5)}
    assert all(20 < film.scores.shape[1] / film.seconds < 35 for film in films)


def test_people_agree_as_scipy_says(films):
    some = [film.scores[:4, ::25] for film in films[::10]]
    people = average([Judges(scores, scores > 3).human() for scores in some])
    slow = [[kendalltau(a, b).statistic for a, b in itertools.combinations(scores, 2)] for scores in some]
    assert people.kendall == pytest.approx(np.mean(slow))
