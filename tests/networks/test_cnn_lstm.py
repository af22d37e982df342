"""The classic recipe against its formula, and the encoders that belong to it."""

import pytest
import torch

from fusible import registry
from fusible.errors import ConfigError
from fusible.networks.cnn_lstm import CnnLstm
from fusible.types import Encoded, Modality, ViewBatch


def items(vectors):
    return Encoded(vectors.unsqueeze(1), torch.ones(len(vectors), 1, dtype=torch.bool), vectors)


def test_it_is_dense_layers_side_by_side_and_one_more():
    torch.manual_seed(0)
    network = CnnLstm({}, {"image": 4, "text": 3}, outputs=2, width=6).eval()
    with torch.no_grad():
        network.absent.normal_()
    image, text = torch.randn(2, 4), torch.randn(2, 3)
    index = torch.tensor([[0], [1]])
    gone = torch.tensor([[0], [-1]])
    outputs = network({"image": ViewBatch(index, encoded=items(image)), "text": ViewBatch(gone, encoded=items(text))})
    seen = torch.nn.functional.layer_norm(image, (4,)) @ network.dense[0][1].weight.T + network.dense[0][1].bias
    read = torch.nn.functional.layer_norm(text, (3,)) @ network.dense[1][1].weight.T + network.dense[1][1].bias
    beside = torch.cat([seen.relu(), torch.stack([read[0].relu(), network.absent[1]])], dim=1)
    joined = (beside @ network.join[1].weight.T + network.join[1].bias).relu()
    torch.testing.assert_close(outputs, network.head.linear(joined))


def test_its_encoders_fit_their_modality():
    assert set(CnnLstm.wants) == {Modality.IMAGE, Modality.TEXT}
    for modality, name in CnnLstm.wants.items():
        assert registry.get("encoders", name).modality == modality


def test_an_odd_width_is_refused():
    with pytest.raises(ConfigError, match="width must be at least 1, got 0"):
        CnnLstm({}, {"a": 3}, outputs=2, width=0)
