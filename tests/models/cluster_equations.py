"""Equations of softmax and ridge classification of Gaussian clusters with covariances, in NumPy.

Loureiro et al., NeurIPS 34 (2021), arXiv:2106.03791, with all ``K`` components of the weights, for
covariances that share eigenvectors: their eigenvalues and the centroids at every site are arrays.
Fields are integrated with Gauss-Hermite products, weights solved for site by site.
"""

import numpy as np


def softmax(z):
    p = np.exp(z - z.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


def trained(loss, omega, spread, label):
    """Fields after training on a label, and the slope of the gain ``(h - omega)/spread``."""
    one = np.eye(omega.shape[1])
    if loss == "square":
        slope = np.broadcast_to(np.linalg.inv(one + spread), (len(omega), *spread.shape))
        force = np.einsum("nij,nj->ni", slope, one[label] - omega)
        return omega + force @ spread, force, -slope
    h = omega.copy()
    for _ in range(200):
        p = softmax(h)
        hessian = p[:, :, None] * (one - p[:, None, :])
        step = np.linalg.solve(
            one + spread @ hessian, (h - omega + (p - one[label]) @ spread)[..., None]
        )[..., 0]
        h -= step
        if np.max(np.abs(step)) < 1e-13:
            break
    slope = -np.linalg.solve(one + hessian @ spread, hessian)
    return h, one[label] - p, slope


def normal_grid(covariance, nodes):
    """Points and weights of a rule for a normal vector, of any rank."""
    x, weight = np.polynomial.hermite_e.hermegauss(nodes)
    values, vectors = np.linalg.eigh(covariance)
    used = values > 1e-10 * values[-1]
    root = vectors[:, used] * np.sqrt(values[used])
    axes = np.meshgrid(*[x] * used.sum(), indexing="ij")
    odds = np.meshgrid(*[weight / np.sqrt(2 * np.pi)] * used.sum(), indexing="ij")
    points = np.stack([a.ravel() for a in axes], axis=1) @ root.T
    return points, np.prod([o.ravel() for o in odds], axis=0)


def fields(loss, M, Q, chi, probabilities, alpha, nodes):
    """Conjugates of the overlaps, and the training loss."""
    count = len(probabilities)
    mhat, qhat, Vhat, total = np.zeros_like(M), np.zeros_like(Q), np.zeros_like(Q), 0.0
    for c, odds in enumerate(probabilities):
        points, weights = normal_grid(Q[c], nodes)
        h, force, slope = trained(loss, M[:, c] + points, chi[c], c)
        load = alpha * odds * weights
        mhat[:, c] = load @ force
        qhat[c] = np.einsum("n,ni,nj->ij", load, force, force)
        Vhat[c] = -np.einsum("n,nij->ij", load, slope)
        if loss == "square":
            energy = ((np.eye(count)[c] - h) ** 2).sum(axis=1) / 2
        else:
            energy = -np.log(softmax(h)[:, c])
        total += odds * weights @ energy
    return mhat, qhat, Vhat, total


def weights_of_sites(mhat, qhat, Vhat, centroids, spectra, lam):
    """Overlaps of the weights; ``centroids`` and ``spectra`` have a row a cluster."""
    count = len(centroids)
    M, Q, chi = np.zeros((count, count)), np.zeros_like(qhat), np.zeros_like(qhat)
    for v, s in zip(centroids.T, spectra.T, strict=True):
        response = np.linalg.inv(lam * np.eye(count) + np.einsum("c,cij->ij", s, Vhat))
        mean = response @ mhat @ v
        moment = np.outer(mean, mean)
        moment += response @ np.einsum("c,cij->ij", s, qhat) @ response
        M += np.outer(mean, v)
        Q += s[:, None, None] * moment
        chi += s[:, None, None] * response
    sites = centroids.shape[1]
    return M / sites, Q / sites, chi / sites


def solve(loss, centroids, spectra, probabilities, alpha, lam, nodes=40, tolerance=1e-11):
    """Iterate to a fixed point; overlaps, conjugates and training loss."""
    count = len(centroids)
    M = np.zeros((count, count))
    Q, chi = (np.broadcast_to(np.eye(count), (count, count, count)).copy() for _ in range(2))
    for _ in range(5000):
        hats = fields(loss, M, Q, chi, probabilities, alpha, nodes)
        new = weights_of_sites(*hats[:3], centroids, spectra, lam)
        change = max(np.max(np.abs(a - b)) for a, b in zip(new, (M, Q, chi), strict=True))
        M, Q, chi = (0.3 * old + 0.7 * now for old, now in zip((M, Q, chi), new, strict=True))
        if change < tolerance:
            break
    return (M, Q, chi), hats
