"""Training of link networks: what is kept of the states that it goes through."""

import numpy as np
import torch

from fusible.tasks.knowledge.links._network import LinkNetwork, LinkSettings
from fusible.tasks.knowledge.links._train import train
from fusible.training.loop import seeded

TRIPLES = np.array([[0, 0, 1], [1, 0, 2], [2, 1, 3], [3, 1, 0], [0, 1, 2]])


def trained(epochs, watch=None, **given):
    with seeded(0):
        network = LinkNetwork(4, 2, "complex", 3)
    shown = [] if watch is None else watch
    settings = LinkSettings(width=3, batch=4, epochs=epochs, look=1, patience=9, **given)
    scores = iter(np.linspace(0.1, 0.9, 9))
    look = None if watch is None else lambda: shown.append(weights(network)) or float(next(scores))
    train(network, TRIPLES, 2, settings, 0, look)
    return weights(network)


def weights(network):
    return torch.cat([part.detach().clone().ravel() for part in network.parameters()])


def test_the_mean_of_states_is_kept():
    states = [trained(epochs) for epochs in (1, 2, 3)]
    torch.testing.assert_close(trained(3, average=1), torch.stack(states).mean(dim=0))
    torch.testing.assert_close(trained(3, average=2), torch.stack(states[1:]).mean(dim=0))
    torch.testing.assert_close(trained(3, average=4), states[-1])


def test_the_mean_is_looked_at_and_training_goes_on_from_where_it_was():
    states = [trained(epochs) for epochs in (1, 2, 3)]
    shown = []
    kept = trained(3, watch=shown, average=2)
    torch.testing.assert_close(torch.stack(shown[:2]), torch.stack(states[:2]))
    torch.testing.assert_close(shown[2], torch.stack(states[1:]).mean(dim=0))
    torch.testing.assert_close(kept, shown[2])
