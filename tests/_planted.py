"""Views with canonical correlations that are known exactly, in the sample or in the population."""

import numpy as np


def orthonormal(rows, columns, rng):
    """Centred orthonormal columns."""
    drawn = rng.normal(size=(rows, columns))
    return np.linalg.qr(drawn - drawn.mean(axis=0))[0]


def mixing(width, condition, rng):
    """A matrix of a given condition number."""
    left, right = (np.linalg.qr(rng.normal(size=(width, width)))[0] for _ in range(2))
    return left * np.geomspace(1.0, 1.0 / condition, width) @ right


def planted(rng, rows=300, widths=(6, 5), known=(0.9, 0.6, 0.3), condition=1.0):
    """Two views whose sample canonical correlations are exactly `known`, then zeros."""
    p, q = widths
    base = orthonormal(rows, p + q, rng) * np.sqrt(rows)
    one, other = base[:, :p], base[:, p:].copy()
    for k, rho in enumerate(known):
        other[:, k] = rho * one[:, k] + np.sqrt(1.0 - rho**2) * other[:, k]
    return {"a": one @ mixing(p, condition, rng), "b": other @ mixing(q, condition, rng)}


def shared(rng, rows=200, widths=(5, 4, 3), latent=2, noise=0.7):
    """Views of a few shared directions, noise of their own, and means that are not zero."""
    common = rng.normal(size=(rows, latent))
    return {
        "abcdef"[i]: common @ rng.normal(size=(latent, width)) + noise * rng.normal(size=(rows, width)) + i + 1.0
        for i, width in enumerate(widths)
    }


def standard(array):
    """Columns of mean zero and unit variance."""
    return (array - array.mean(axis=0)) / array.std(axis=0)


def same_up_to_sign(one, other, **tolerance):
    """Assert that columns are equal, each up to its sign."""
    sign = np.sign((one * other).sum(axis=0))
    np.testing.assert_allclose(one * np.where(sign == 0, 1.0, sign), other, **tolerance)
