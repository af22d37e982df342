"""Evidence about classes, combined by the reduced Dempster rule, as a product.

A member's evidence for class k is e_k = K c p_k: its probability times a concentration, K classes. With S = sum e + K
its belief is e_k / S and its uncertainty u = K / S. The reduced rule of two members,

    b_k = (b1_k b2_k + b1_k u2 + b2_k u1) / Z,   u = u1 u2 / Z,   Z = 1 - sum over i != j of b1_i b2_j,

multiplies b_k + u, so that for any number of members, up to a constant, b_k + u = prod_m (1 + c_m p_mk) and u = 1. An
absent member (no evidence) is the factor one. The probability of k is b_k + a_k u, with the base rate a.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp

START = 10.0
LARGEST = 14.0
"""Of the logarithm of a concentration."""
SPREAD = (2.0, 1.0)
"""Deviation of the prior of a member's own concentration (its logarithm), and of what an absent other adds."""
STEPS = 200


def context(presence: np.ndarray) -> np.ndarray:
    """One, then whether each member is absent: (rows, 1 + members)."""
    return np.concatenate([np.ones((len(presence), 1)), ~np.asarray(presence, bool)], axis=1)


def combine(chance: np.ndarray, presence: np.ndarray, base: np.ndarray, concentration: np.ndarray) -> np.ndarray:
    """Probabilities (rows, groups, classes).

    `chance` (members, rows, groups, classes), `presence` (rows, members), `base` (groups, classes); `concentration`
    (1 + members, members, groups): the logarithm of a member's own, and what each absent other adds to it.
    """
    total = np.zeros(chance.shape[1:])
    logs = np.einsum("rt,tmg->rmg", context(presence), concentration)
    for member, one in enumerate(chance):
        raised = np.exp(logs[:, member, :, None].clip(-LARGEST, LARGEST)) * one
        total += np.where(presence[:, member, None, None], np.log1p(raised), 0.0)
    mass, _ = _masses(total, base)
    result: np.ndarray = mass / mass.sum(axis=2, keepdims=True)
    return result


def _masses(total: np.ndarray, base: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Belief plus base rate times uncertainty, and belief plus uncertainty, both over the same positive number."""
    most = total.max(axis=2, keepdims=True)
    joined = np.exp(total - most)
    return np.maximum(joined - np.exp(-most) * (1.0 - base), 1e-300), joined


def fit(
    chance: np.ndarray, presence: np.ndarray, base: np.ndarray, target: np.ndarray, weight: np.ndarray
) -> np.ndarray:
    """Concentrations, as `combine` takes them, of least log-loss; `target` (rows, groups) class ids, `weight` (rows,).

    The logarithm of a member's own has a Gaussian prior around that of 10; with few rows it stays there.
    """
    members, _, groups, _ = chance.shape
    wanted: np.ndarray = np.equal(np.arange(chance.shape[3]), target[:, :, None])
    present, there = presence.T[:, :, None, None], context(presence)
    centre, spread = np.zeros((1 + members, 1, 1)), np.full((1 + members, 1, 1), SPREAD[1])
    centre[0], spread[0] = np.log(START), SPREAD[0]

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        learned = flat.reshape(1 + members, members, groups)
        logs = np.einsum("rt,tmg->mrg", there, learned)
        inside = np.abs(logs) < LARGEST
        raised = np.where(present, np.exp(logs.clip(-LARGEST, LARGEST))[..., None] * chance, 0.0)
        mass, joined = _masses(np.log1p(raised).sum(axis=0), base)
        share = joined / mass.sum(axis=2, keepdims=True) - np.where(wanted, joined / mass, 0.0)
        each = np.einsum("mrgk,rgk,r->mrg", raised / (1.0 + raised), share, weight) * inside
        slope = np.einsum("rt,mrg->tmg", there, each)
        value = (weight[:, None] * (logsumexp(np.log(mass), axis=2) - np.log(mass[wanted].reshape(target.shape)))).sum()
        away = (learned - centre) / spread
        total = float(value + 0.5 * (away**2).sum())
        return total / len(weight), (slope + away / spread).ravel() / len(weight)

    start = np.broadcast_to(centre, (1 + members, members, groups)).ravel()
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": STEPS})
    return np.asarray(found.x.reshape(1 + members, members, groups))
