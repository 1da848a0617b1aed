"""Equations of factored attention by hand: dense Gauss-Legendre grids, no package code."""

from __future__ import annotations

import numpy as np
from numpy.polynomial.legendre import leggauss
from scipy.special import logsumexp


def feature_map(colours, matrix=None):
    """``P U B / sqrt(C)`` with the Helmert basis ``B``."""
    columns = [
        np.array([1.0] * k + [-k] + [0.0] * (colours - k - 1)) / np.sqrt(k * (k + 1))
        for k in range(1, colours)
    ]
    basis = np.array(columns).T
    zero_sum = np.eye(colours) - 1 / colours
    return zero_sum @ (np.eye(colours) if matrix is None else matrix) @ basis / np.sqrt(colours)


def normal_grid(dimension, count=120, cut=8.5):
    """Nodes (count**dimension, dimension) and weights of standard normal variables."""
    x, w = leggauss(count)
    x, w = cut * x, cut * w * np.exp(-((cut * x) ** 2) / 2) / np.sqrt(2 * np.pi)
    grids = np.meshgrid(*[x] * dimension, indexing="ij")
    weight = w
    for _ in range(dimension - 1):
        weight = np.multiply.outer(weight, w)
    return np.stack([g.ravel() for g in grids], axis=-1), weight.ravel()


def softmax(h):
    """Probabilities of logits, along the last axis."""
    return np.exp(h - logsumexp(h, axis=-1, keepdims=True))


def entropy_of_labels(features, rho, means=None):
    """Cross-entropy of the true model: uniform contexts, or clusters with given weights."""
    x, w = normal_grid(features.shape[1], 400 if features.shape[1] < 3 else 80)
    if means is None:
        p = softmax(np.sqrt(rho) * x @ features.T)
        return float(-np.sum(w[:, None] * p * np.log(p)))
    total = 0.0
    for a, odds in enumerate(means):
        h = (rho * features[a] + np.sqrt(rho) * x) @ features.T
        total += odds * float(w @ (logsumexp(h, axis=1) - h[:, a]))
    return total


def bayes_overlap(features, rho, alpha):
    """Overlap of the posterior mean for softmax labels, and cross-entropy of its predictions."""
    dimension = features.shape[1]
    x, w = normal_grid(dimension, 160 if dimension == 1 else 60)
    q = 0.5 * rho
    for _ in range(200):
        centre = np.sqrt(q) * x
        force, surprise = 0.0, 0.0
        for start in range(0, len(x), 200):
            part = slice(start, start + 200)
            z = centre[part, None, :] + np.sqrt(rho - q) * x[None]
            p = softmax(z @ features.T)
            known = np.einsum("ijc,j->ic", p, w)
            pulled = features[None, None] - np.einsum("ijc,ck->ijk", p, features)[:, :, None]
            slope = np.einsum("ijc,ijck,j->ick", p, pulled, w)
            force += w[part] @ np.sum(slope**2 / known[..., None], axis=(1, 2))
            surprise -= w[part] @ np.sum(known * np.log(known), axis=1)
        new = rho**2 * alpha * force / (1 + rho * alpha * force)
        if abs(new - q) < 1e-12:
            break
        q = new
    return q, surprise


def proximal(features, own, centre, chi):
    """Minimiser of ``|z - centre|^2 / (2 chi)`` plus the cross-entropy, by damped Newton steps."""
    z = centre.copy()
    size = centre.shape[1]

    def energy(z):
        h = z @ features.T
        return np.sum((z - centre) ** 2, axis=1) / (2 * chi) + logsumexp(h, axis=1) - h[:, own]

    for _ in range(60):
        p = softmax(z @ features.T)
        slope = (z - centre) / chi + p @ features - features[own]
        mean = p @ features
        hessian = np.einsum("nc,ck,cl->nkl", p, features, features)
        hessian += np.eye(size) / chi - mean[:, :, None] * mean[:, None, :]
        step = np.linalg.solve(hessian, slope[:, :, None])[:, :, 0]
        reach, before = np.ones(len(z)), energy(z)
        for _ in range(30):
            worse = energy(z - reach[:, None] * step) > before + 1e-13
            if not worse.any():
                break
            reach[worse] /= 2
        z = z - reach[:, None] * step
        if np.max(np.abs(step)) < 1e-13:
            break
    return z


def conjugates(features, rho, alpha, directed, state, points, inner=None):
    """Conjugates ``q, m, V`` of the standard symmetric model on given points with weights."""
    (colours, dimension), (q, m, chi), (x, w) = features.shape, state, points
    if directed:
        others, shares = points if inner is None else inner
        centre = np.sqrt(q) * x
        outer = np.exp((m / q * centre) @ features.T)
        inside = np.exp(np.sqrt(max(rho - m**2 / q, 0)) * others @ features.T)
        inverse = 1 / (outer @ inside.T)
        label = outer[:, 0] * (inverse @ (shares * inside[:, 0]))
        pairs = np.stack(
            [
                outer[:, 0] * outer[:, c] * (inverse**2 @ (shares * inside[:, 0] * inside[:, c]))
                for c in range(colours)
            ],
            axis=1,
        )
        pull = label[:, None] * features[0] - pairs @ features
    else:
        centre = m * features[0] + np.sqrt(q) * x
        label = np.full(len(x), 1 / colours)
        pull = label[:, None] * features[0]
    z = proximal(features, 0, centre, chi)
    g = (z - centre) / chi
    p = softmax(z @ features.T)
    mean = p @ features
    curve = np.einsum("nc,ck,cl->nkl", p, features, features)
    curve -= mean[:, :, None] * mean[:, None, :]
    slope = np.linalg.solve(np.eye(dimension) + chi * curve, curve)
    load = alpha * colours
    return (
        load * float(w @ (label * np.sum(g**2, axis=1))),
        load * float(w @ np.sum(g * pull, axis=1)),
        load * float(w @ (label * np.trace(slope, axis1=1, axis2=2))),
    )


def trained(features, rho, alpha, lam, directed, start=(5.0, 5.0, 3.0), count=60):
    """Order parameters ``q, m, chi`` of the standard symmetric model, by damped iteration."""
    points = normal_grid(features.shape[1], count)
    state = np.array(start)
    for _ in range(400):
        qhat, mhat, Vhat = conjugates(features, rho, alpha, directed, state, points)
        spread = 1 / (lam + Vhat)
        new = np.array([(rho * mhat**2 + qhat) * spread**2, rho * mhat * spread, spread])
        gap = np.max(np.abs(new - state))
        state = new
        if gap < 1e-11:
            break
    return state
