import numpy as np
import pandas as pd
import pytest
import torch

from fusible.encoders._columns import KNOWN, MISSING, UNKNOWN, Columns
from fusible.encoders.table_mlp import TableMlp
from fusible.errors import SchemaError


@pytest.fixture
def frame():
    city = np.array(["Rome", "Oslo", "Rome", None, "Bonn"], dtype=object)
    return pd.DataFrame({"age": [0.0, 1.0, 2.0, 3.0, 4.0], "city": city})


def test_numbers_have_their_place_among_quantiles(frame):
    encoder = TableMlp(bins=4)
    encoder.fit(frame)
    rows = pd.DataFrame({"age": [2.5, -9.0, 99.0, np.nan, np.inf], "city": "Rome"})
    parts = encoder.collate(rows)["numbers"][:, 0].numpy()
    np.testing.assert_allclose(parts[0], [0.5 / np.std(range(5)), 1, 1, 0.5, 0, 0], atol=1e-6)
    np.testing.assert_allclose(parts[1], [-5, 0, 0, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(parts[2], [5, 1, 1, 1, 1, 0], atol=1e-6)
    np.testing.assert_allclose(parts[3:], [[0, 0, 0, 0, 0, 1]] * 2)


def test_a_constant_or_missing_column_is_defined():
    frame = pd.DataFrame({"same": [3.0, 3.0], "none": [np.nan, np.nan]})
    encoder = TableMlp(bins=2)
    encoder.fit(frame)
    assert torch.isfinite(encoder(encoder.collate(frame)).pooled).all()
    parts = encoder.collate(pd.DataFrame({"same": [2.0, 3.0, 4.0], "none": 1.0}))["numbers"][:, 0]
    np.testing.assert_allclose(parts[:, 1:3].numpy(), [[0, 0], [0, 0], [1, 1]])


def test_categories_have_codes_for_missing_and_unknown(frame):
    columns = Columns.learn(frame)
    assert columns.levels == {"city": ["Rome", "Bonn", "Oslo"]}
    rows = pd.DataFrame({"age": 1.0, "city": np.array(["Oslo", None, "Paris", "Rome"], dtype=object)})
    assert columns.codes(rows)[:, 0].tolist() == [KNOWN + 2, MISSING, UNKNOWN, KNOWN]


def test_whole_numbers_as_categories_are_one_level():
    columns = Columns.learn(pd.DataFrame({"zip": np.array([1, 1.0, "1", "2", None], dtype=object)}))
    assert columns.levels == {"zip": ["1", "2"]}
    assert columns.ordered == ["zip"]
    assert Columns.learn(pd.DataFrame({"a": ["1", "nan"]})).ordered == []


def test_tokens_are_columns_and_the_embedding_is_shared_with_the_vector(frame):
    torch.manual_seed(0)
    encoder = TableMlp(width=8).eval()
    encoder.fit(frame)
    encoded = encoder(encoder.collate(frame))
    assert encoded.tokens.shape == (5, 2, 8)
    torch.testing.assert_close(encoded.tokens[0, 1], encoded.tokens[2, 1])
    assert (encoded.tokens[0, 0] - encoded.tokens[2, 0]).abs().max() > 1e-3


def test_an_unknown_level_starts_at_zero(frame):
    encoder = TableMlp()
    encoder.fit(frame)
    assert torch.equal(encoder.levels.weight[UNKNOWN], torch.zeros(16))


def test_rows_come_as_a_list_of_frames_too(frame):
    encoder = TableMlp().eval()
    encoder.fit(frame)
    whole = encoder(encoder.collate(frame)).pooled
    listed = encoder(encoder.collate([frame.iloc[[row]] for row in range(5)])).pooled
    assert torch.equal(whole, listed)


def test_only_categories_or_only_numbers(frame):
    for column in ("age", "city"):
        encoder = TableMlp().eval()
        encoder.fit(frame[[column]])
        assert encoder(encoder.collate(frame)).tokens.shape == (5, 1, 128)


def test_missing_columns_are_named(frame):
    columns = Columns.learn(frame)
    with pytest.raises(SchemaError, match="city"):
        columns.codes(frame[["age"]])


def test_it_learns_a_threshold_and_a_level():
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=300), "c": rng.choice(["a", "b"], 300).astype(object)})
    target = torch.from_numpy(((frame["x"] > 0.3) ^ (frame["c"] == "a")).to_numpy().copy()).long()
    encoder = TableMlp(width=16)
    encoder.fit(frame[:200])
    head = torch.nn.Linear(16, 2)
    optimizer = torch.optim.AdamW([*encoder.parameters(), *head.parameters()], lr=1e-2)
    batch = encoder.collate(frame[:200])
    for _ in range(60):
        loss = torch.nn.functional.cross_entropy(head(encoder(batch).pooled), target[:200])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    encoder.eval()
    guess = head(encoder(encoder.collate(frame[200:])).pooled).argmax(dim=1)
    assert (guess == target[200:]).float().mean() >= 0.95
