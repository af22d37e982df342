"""What tests of fusion operators share: encodings of one or several tokens, and their oracles, written row by row."""

import torch
from torch.nn.functional import layer_norm

from fusible.types import Encoded

WIDTHS = {"a": 20, "b": 5, "c": 17}
PATTERNS = [[True, True, True], [True, False, True], [False, False, True], [False, False, False], [True, True, False]]


def single(vectors):
    """Vectors (rows, width) as one real token per row."""
    return Encoded(vectors.unsqueeze(1), torch.ones(len(vectors), 1, dtype=torch.bool))


def drawn(seed=0, widths=WIDTHS, rows=5):
    """Random vectors {view: (rows, width)} in double precision, zero where `PATTERNS` say that the view is absent."""
    draw = torch.Generator().manual_seed(seed)
    present = torch.tensor(PATTERNS)[:rows, : len(widths)]
    vectors = {v: torch.randn(rows, w, generator=draw, dtype=torch.float64) for v, w in widths.items()}
    return {v: x * present[:, i : i + 1] for i, (v, x) in enumerate(vectors.items())}, present


def shaken(operator, seed=1):
    """The operator in double precision and evaluation, with all its weights moved."""
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in operator.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=draw) * 0.3)
    return operator.double().eval()


def token(operator, i, vector):
    """What view `i` becomes: normalised, or compressed where narrow, and projected; (width,) -> (inner,)."""
    norm, projection = operator.norms[i], operator.projections[i]
    if len(vector) < 16:
        normed = torch.asinh(vector) * norm.weight + norm.bias
    else:
        normed = layer_norm(vector, vector.shape, norm.weight, norm.bias)
    return projection.weight @ normed + projection.bias


def tokens(operator, vectors, present):
    """What all views become, the learned vector where absent; (rows, views, inner)."""
    return torch.stack(
        [
            torch.stack(
                [
                    token(operator, i, x[row]) if present[row, i] else operator.absent[i]
                    for i, x in enumerate(vectors.values())
                ]
            )
            for row in range(len(present))
        ]
    )


def sequences(seed=0, widths=WIDTHS, rows=5, steps=4):
    """Random encodings of up to `steps` tokens with vectors of their own, and `PATTERNS` as presence."""
    draw = torch.Generator().manual_seed(seed)
    encoded = {}
    for view, width in widths.items():
        real = torch.rand(rows, steps, generator=draw) < 0.6
        real[:, 0] = True
        content = torch.randn(rows, steps, width, generator=draw, dtype=torch.float64)
        encoded[view] = Encoded(content, real, torch.randn(rows, width, generator=draw, dtype=torch.float64))
    return encoded, torch.tensor(PATTERNS)[:rows, : len(widths)]


def short_token(operator, i, vector):
    """What one token of view `i` becomes in an operator that reads sequences; (width,) -> (inner,)."""
    projection = operator.projections[i]
    normed = torch.asinh(vector) if len(vector) < 16 else vector / (vector.square().mean() + 1e-5).sqrt()
    return projection.weight @ normed + projection.bias


def sequence(operator, i, encoded, present, row):
    """Real projected tokens of view `i` in a row, its vector (or what stands for its absence) first; (real, inner)."""
    if not present[row, i]:
        return operator.absent[i].unsqueeze(0)
    real = [encoded.pooled[row], *encoded.tokens[row][encoded.mask[row]]]
    return torch.stack([short_token(operator, i, vector) for vector in real])


def attended(attention, queries, context):
    """Multi-head attention by its formula, head by head: queries (q, width), context (k, width) -> (q, width)."""
    width = queries.shape[1]
    size = width // attention.heads
    wanted = attention.query(queries)
    keys, values = attention.context(context)[:, :width], attention.context(context)[:, width:]
    parts = []
    for head in range(attention.heads):
        cut = slice(head * size, (head + 1) * size)
        weights = torch.softmax(wanted[:, cut] @ keys[:, cut].T / size**0.5, dim=1)
        parts.append(weights @ values[:, cut])
    return attention.out(torch.cat(parts, dim=1))


def block(layer, queries, context=None):
    """A pre-norm block by its formula, for one row."""
    seen = layer.norm(queries)
    queries = queries + attended(layer.attention, seen, seen if context is None else layer.context_norm(context))
    return queries + layer.hidden(queries)
