"""The site block under correlated inputs, with a channel of several classes that stands here.

Softmax regression of three classes in the zero-sum gauge, one scalar weight a site, whose tokens
have a separable covariance: the channel (two-dimensional averages) is evaluated by tensor Gauss
rules in NumPy, the sites by what the framework derives for the same weights.
"""

import numpy as np
import pytest
import sympy as sp

import replica as rp
from replica.declare.sites import estimate
from replica.derive.site import Vhat, mhat, qhat

CLASSES, ALPHA, LAM = 3, 2.0, 0.1
#: Rows of an orthonormal zero-sum basis over sqrt(classes).
G = np.array([[1, 1], [-1, 1], [0, -2]]) / np.sqrt([2, 6]) / np.sqrt(CLASSES)


def softmax(x):
    x = np.exp(x - x.max(axis=-1, keepdims=True))
    return x / x.sum(axis=-1, keepdims=True)


def trained(omega, chi, label):
    """argmin_z |z - omega|^2/(2 chi) + logsumexp(G z) - G_label z, by Newton's method."""
    z = omega.copy()
    for _ in range(60):
        p = softmax(z @ G.T)
        gradient = (z - omega) / chi + p @ G - G[label]
        mean = p @ G
        hessian = np.einsum("nc,ci,cj->nij", p, G, G) - mean[:, :, None] * mean[:, None, :]
        step = np.linalg.solve(hessian + np.eye(2) / chi, gradient[:, :, None])[:, :, 0]
        z -= step
        if np.max(np.abs(step)) < 1e-13:
            break
    return z, hessian


def channel(m, q, chi, rho, n=21):
    """Conjugates for a label drawn from the softmax of the teacher's field; all labels alike."""
    x, weight = np.polynomial.hermite_e.hermegauss(n)
    nodes = np.stack(np.meshgrid(x, x, indexing="ij"), -1).reshape(-1, 2)
    weights = np.outer(weight, weight).ravel() / (2 * np.pi)
    omega = np.sqrt(q) * nodes
    teacher = m / q * omega[:, None] + np.sqrt(rho - m**2 / q) * nodes
    p = softmax(teacher @ G.T)
    chance = p[..., 0] @ weights
    direction = p[..., :1] * (G[0] - p @ G)
    score = np.einsum("nkd,k->nd", direction, weights)
    z, hessian = trained(omega, chi, 0)
    g = (z - omega) / chi
    response = np.trace(hessian @ np.linalg.inv(np.eye(2) + chi * hessian), axis1=1, axis2=2)
    load = ALPHA * CLASSES * weights
    return (
        float(np.sum(load * np.sum(g * score, axis=1))),
        float(np.sum(load * chance * np.sum(g**2, axis=1))),
        float(np.sum(load * chance * response)),
    )


def test_three_classes_on_a_spectrum_of_two_values():
    """Omega = 1/2 and 2 on half the sites each, a teacher of power 6 in both."""
    Omega, w, t, h, y = sp.symbols("Omega w t h y", real=True)
    power = 6
    model = rp.Model(
        name="sites-of-a-classifier",
        sites=rp.Empirical({Omega: [0.5, 2.0]}),
        thermal=rp.Thermal(w, penalty=sp.Float(LAM) * w**2 / 2, metric=Omega),
        quenched=rp.Quenched(t, rp.Gaussian(variance=power)),
        fields=rp.Field(h, 1, loss=(y - h) ** 2, labels=rp.LinearLabels(y, sp.Symbol("z"), 1)),
        temperature=0,
    )
    equations = dict(model.saddle_point().equations)
    rho = estimate(model.teacher_overlap)
    assert rho == pytest.approx(7.5)
    x = np.array([1.0, 2.0, 3.0])
    for _ in range(300):
        hats = dict(zip((mhat, qhat, Vhat), map(sp.Float, channel(*x, rho)), strict=True))
        new = np.array([estimate(equations[s].subs(hats)) for s in (rp.m, rp.q, rp.chi)])
        if np.max(np.abs(new / x - 1)) < 1e-9:
            break
        x = 0.3 * x + 0.7 * new
    assert dict(zip("mqc", x, strict=True)) == pytest.approx(EXPECTED, rel=2e-6)


EXPECTED = {"m": 5.308549, "q": 5.714798, "c": 3.017429}


@pytest.mark.slow
def test_the_same_from_one_declaration():
    """Shared fields and sites that differ: everything is derived."""
    from replica.models import potts_attention

    Omega, A, t = sp.symbols("Omega A t", positive=True)
    alpha = rp.Parameter("alpha", ALPHA, (0, 100), "load", open="lower")
    logits = potts_attention.features(sp.eye(CLASSES))
    z, teacher, y = (rp.components(n, k) for n, k in (("z", 2), ("z0_", 2), ("y", CLASSES)))
    model = rp.Model(
        name="correlated-sites",
        sites=rp.Empirical({Omega: [0.5, 2.0]}),
        thermal=rp.Thermal(A, penalty=sp.Float(LAM) * A**2 / 2, metric=Omega),
        quenched=rp.Quenched(t, rp.Gaussian(variance=6)),
        fields=rp.SharedField(
            z,
            alpha,
            loss=potts_attention.cross_entropy(y, logits * z),
            labels=rp.CategoricalLabels(y, rp.softmax(logits * teacher), teacher),
        ),
        temperature=0,
    )
    solution = model.solve()
    assert solution.converged
    found = {"m": solution["m"], "q": solution["q"], "c": solution["chi"]}
    assert found == pytest.approx(EXPECTED, rel=1e-6)
