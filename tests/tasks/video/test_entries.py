"""Entries of a timeline from what was watched and heard."""

import numpy as np

from fusible.tasks.video._entries import moment_entries


def test_films_of_a_moment_have_no_moments_in_which_nothing_was_measured():
    one = list(moment_entries(np.array([1.0]), np.array([0.0]), np.array([[0.0, 0.04]])))
    assert not one
    times = np.arange(8) * 0.5
    for entry in moment_entries(np.linspace(0.1, 1.0, 8), times, np.array([[0.0, 4.0]])):
        assert ((times >= entry.start) & (times < entry.end)).any()
        assert entry.score is not None
    (long,) = moment_entries(np.linspace(0.1, 1.0, 100), np.arange(100) * 0.5, np.array([[0.0, 44.0], [44.0, 50.0]]))
    assert 5.0 < long.end - long.start <= 7.5
