import time

import pytest
import torch

from fusible.evaluation.cost import Stages, Timer, parameters, rows_per_second


def test_timer_measures_also_when_the_block_fails():
    timer = Timer()
    with pytest.raises(ZeroDivisionError), timer:
        time.sleep(0.02) or 1 / 0
    assert 0.02 <= timer.seconds < 1.0


def test_stages_add_up():
    stages = Stages()
    for _ in range(2):
        with stages("encode"):
            time.sleep(0.01)
    with stages("fit"):
        pass
    assert stages.seconds["encode"] >= 0.02
    assert list(stages.seconds) == ["encode", "fit"]


def test_parameters_counts_trainable_and_shared_ones_once():
    module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2))
    module.append(module[1])
    module[0].weight.requires_grad_(False)
    assert parameters(module) == 4 + 8 + 2
    assert parameters(module, trainable=False) == 12 + 4 + 8 + 2


def test_rows_per_second():
    assert rows_per_second(50, 0.25) == 200.0
    assert rows_per_second(50, 0.0) == 0.0
