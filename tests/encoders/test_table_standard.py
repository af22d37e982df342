import numpy as np
import pandas as pd
import pytest
import torch

from fusible.encoders.table_standard import LIMIT, TableStandard
from fusible.errors import ConfigError, ModelFormatError, SchemaError


@pytest.fixture
def frame():
    city = np.array(["Rome", "Oslo", "Rome", None, "Bonn"], dtype=object)
    return pd.DataFrame({"age": [0.0, 1.0, 2.0, 3.0, np.nan], "city": city})


def fitted(frame, **settings):
    encoder = TableStandard(**settings)
    encoder.fit(frame)
    return encoder


def vectors(encoder, frame):
    return encoder(encoder.collate(frame)).pooled.numpy()


def test_numbers_are_standardised_and_missing_ones_flagged(frame):
    encoder = fitted(frame)
    rows = pd.DataFrame({"age": [1.5, 3.0, np.nan, np.inf, 1e9], "city": "Rome"})
    found = vectors(encoder, rows)
    spread = np.std([0, 1, 2, 3])
    np.testing.assert_allclose(found[:, 0], [0, 1.5 / spread, 0, 0, LIMIT], rtol=1e-6)
    np.testing.assert_array_equal(found[:, 1], [0, 0, 1, 1, 0])


def test_categories_are_spread_over_their_most_frequent_levels(frame):
    rows = pd.DataFrame({"age": 1.0, "city": np.array(["Rome", "Bonn", "Oslo", None, "Paris"], dtype=object)})
    np.testing.assert_array_equal(
        vectors(fitted(frame), rows)[:, 2:], [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0]]
    )
    few = fitted(frame, levels=1)
    assert few.output_width == 3
    np.testing.assert_array_equal(vectors(few, rows)[:, 2], [1, 0, 0, 0, 0])


def test_numbers_that_training_has_in_every_row_need_no_flag(frame):
    whole = frame.assign(age=[0.0, 1.0, 2.0, 3.0, 4.0])
    encoder = fitted(whole)
    assert encoder.output_width == 4
    assert vectors(encoder, frame)[4, 0] == 0


def test_units_do_not_matter(frame):
    other = frame.assign(age=frame["age"] * 1e6 - 3e5)
    np.testing.assert_allclose(vectors(fitted(other), other), vectors(fitted(frame), frame), atol=1e-6)


def test_constant_and_empty_columns_are_zero():
    frame = pd.DataFrame({"same": [3.0, 3.0], "none": [np.nan, np.nan]})
    np.testing.assert_array_equal(vectors(fitted(frame), frame), [[0, 0, 1], [0, 0, 1]])


def test_state_comes_back_bit_for_bit(frame):
    encoder, again = fitted(frame), TableStandard()
    again.restore(encoder.learned())
    again.load_state_dict(encoder.state_dict())
    assert again.output_width == encoder.output_width == 5
    torch.testing.assert_close(again(again.collate(frame)).pooled, encoder(encoder.collate(frame)).pooled)


def test_what_cannot_work_is_refused(frame):
    with pytest.raises(ConfigError, match="levels"):
        TableStandard(levels=0)
    with pytest.raises(SchemaError, match="missing"):
        fitted(frame).collate(frame[["age"]])
    with pytest.raises(ModelFormatError, match="expected places of 1 numbers"):
        TableStandard().restore({**fitted(frame).learned(), "flagged": [3]})
