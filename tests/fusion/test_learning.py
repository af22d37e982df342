"""Every operator learns small planted problems, and predicts rows that it has not seen."""

import pytest
import torch
from _encodings import single
from torch.nn.functional import cross_entropy

from fusible import registry
from fusible.types import Encoded

COLUMNS, SHIFT, ROWS = 16, 3.0, 400
VIEWS = ("first", "second", "noise")

OPERATORS = registry.names("fusion")
READERS = [name for name in OPERATORS if registry.get("fusion", name).reads_tokens]


def signs(draw, rows):
    """Plus or minus one, at random."""
    return torch.where(torch.rand(rows, generator=draw) < 0.5, 1.0, -1.0)


def noise(draw, rows):
    """Three views of normal noise."""
    return {view: torch.randn(rows, COLUMNS, generator=draw) for view in VIEWS}


def directions():
    """The direction of each view that may carry a sign."""
    drawn = torch.randn(len(VIEWS), COLUMNS, generator=torch.Generator().manual_seed(99))
    return dict(zip(VIEWS, drawn / drawn.norm(dim=1, keepdim=True), strict=True))


def product(seed, rows):
    """The class is the product of two views' signs: neither view alone tells anything."""
    draw = torch.Generator().manual_seed(seed)
    views, first, second = noise(draw, rows), signs(draw, rows), signs(draw, rows)
    views["first"] += SHIFT * first[:, None] * directions()["first"]
    views["second"] += SHIFT * second[:, None] * directions()["second"]
    return {v: single(x) for v, x in views.items()}, torch.ones(rows, 3, dtype=torch.bool), (first * second > 0).long()


def agreement(seed, rows):
    """Two views carry the sign of the class; of all cells 30 % are absent and hold NaN."""
    draw = torch.Generator().manual_seed(seed)
    views, sign = noise(draw, rows), signs(draw, rows)
    present = torch.rand(rows, 3, generator=draw) < 0.7
    present[~present[:, :2].any(dim=1), 0] = True
    for view in ("first", "second"):
        views[view] += SHIFT * sign[:, None] * directions()[view]
    held = {v: x.masked_fill(~present[:, i : i + 1], float("nan")) for i, (v, x) in enumerate(views.items())}
    return {v: single(x) for v, x in held.items()}, present, (sign > 0).long()


def remark(seed, rows):
    """One token among several of the first view says which column of the second view tells the class."""
    draw = torch.Generator().manual_seed(seed)
    tokens = 0.3 * torch.randn(rows, 6, COLUMNS, generator=draw)
    asked, place = torch.randint(0, 2, (rows,), generator=draw), torch.randint(0, 6, (rows,), generator=draw)
    tokens[torch.arange(rows), place] += SHIFT * torch.eye(COLUMNS)[asked]
    told = torch.stack([signs(draw, rows), signs(draw, rows)], dim=1)
    second = 0.3 * torch.randn(rows, COLUMNS, generator=draw)
    second[:, :2] += 2 * told
    other = single(torch.randn(rows, COLUMNS, generator=draw))
    said = Encoded(tokens, torch.ones(rows, 6, dtype=torch.bool), torch.zeros(rows, COLUMNS))
    target = (told[torch.arange(rows), asked] > 0).long()
    return {"first": said, "second": single(second), "noise": other}, torch.ones(rows, 3, dtype=torch.bool), target


def accuracy(name, problem, steps):
    """Train an operator and a linear head on the problem; accuracy on new rows."""
    torch.manual_seed(0)
    operator = registry.build("fusion", name, widths=dict.fromkeys(VIEWS, COLUMNS), width=32)
    head = torch.nn.Linear(32, 2)
    optimiser = torch.optim.AdamW([*operator.parameters(), *head.parameters()], lr=1e-2)
    views, present, target = problem(1, ROWS)
    for _ in range(steps):
        optimiser.zero_grad()
        cross_entropy(head(operator(views, present)), target).backward()
        optimiser.step()
    views, present, target = problem(2, 1000)
    with torch.inference_mode():
        return (head(operator.eval()(views, present)).argmax(dim=1) == target).float().mean().item()


@pytest.mark.parametrize("name", OPERATORS)
def test_learns_what_only_two_views_together_tell(name):
    assert accuracy(name, product, 25) > 0.9


@pytest.mark.parametrize("name", OPERATORS)
def test_learns_what_each_view_tells_with_cells_absent(name):
    assert accuracy(name, agreement, 25) > 0.9


@pytest.mark.parametrize("name", READERS)
def test_reads_a_token_that_the_vector_does_not_hold(name):
    assert accuracy(name, remark, 40) > 0.9
