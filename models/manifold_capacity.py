"""Capacity of a linear readout for manifolds: objects, each with all of its variants.

Chung, Lee & Sompolinsky, Phys. Rev. X 8, 031003 (2018): ``alpha N`` manifolds with random centres,
axes and labels are separable by a hyperplane in ``N`` dimensions up to ``alpha``. Points are
Gardner's problem (J. Phys. A 21, 257, 1988). Lengths are in units of the norm of the centres.
Cohen, Chung, Lee & Sompolinsky, Nat. Commun. 11, 746 (2020): centres with a common direction.
Mignacco, Chou & Chung, arXiv:2405.06851 (2024): weights that depend on the context of a point.
"""

from __future__ import annotations

import math

from replica import Ball, Contexts, Ellipsoid, L1Ball, ManifoldModel, Parameter, Point, Segment

REFERENCE = "Chung, Lee & Sompolinsky, Phys. Rev. X 8, 031003 (2018)"

kappa = Parameter("kappa", 0.0, doc="margin, in units of the norm of the centre")
R = Parameter("R", 0.5, (0, math.inf), "radius, in units of the norm of the centre")
R1 = Parameter("R1", 1.0, (0, math.inf), "radius of the first axis", symbol="R_1")
R2 = Parameter("R2", 0.2, (0, math.inf), "radius of the second axis", symbol="R_2")
D = Parameter("D", 5.0, (1, math.inf), "dimension of a manifold")
axes = Parameter("D", 5.0, (1, 200), "dimension of a manifold")
f = Parameter("f", 0.2, (0, 1), "fraction of positive labels", open="both")
rho = Parameter("rho", 0.5, (0, 1), "share of the centres that is common to all", open="upper")
K = Parameter("K", 1.0, (1, 6), "number of context vectors")
phi = Parameter("phi", 0.0, (-1, 1), "correlation of two context vectors", open="both")

points = ManifoldModel(
    name="manifold-points",
    title="Capacity for points",
    reference="Gardner, J. Phys. A 21, 257 (1988)",
    shape=Point(),
    margin=kappa,
)
segments = ManifoldModel(
    name="manifold-segments",
    title="Capacity for segments",
    reference=REFERENCE,
    shape=Segment(R),
    margin=kappa,
)
balls = ManifoldModel(
    name="manifold-balls",
    title="Capacity for balls or spheres",
    reference=REFERENCE,
    shape=Ball(R, D),
    margin=kappa,
)
ellipses = ManifoldModel(
    name="manifold-ellipses",
    title="Capacity for ellipses",
    reference=REFERENCE,
    shape=Ellipsoid((R1, R2)),
    margin=kappa,
)
cross_polytopes = ManifoldModel(
    name="manifold-l1-balls",
    title="Capacity for balls of the l1 norm",
    reference=REFERENCE,
    shape=L1Ball(R, axes),
    margin=kappa,
)
sparse_points = ManifoldModel(
    name="manifold-points-sparse",
    title="Capacity for points with sparse labels",
    reference="Gardner, J. Phys. A 21, 257 (1988)",
    shape=Point(),
    margin=kappa,
    positive_fraction=f,
)
sparse_balls = ManifoldModel(
    name="manifold-balls-sparse",
    title="Capacity for balls with sparse labels",
    reference=REFERENCE,
    shape=Ball(R, D),
    margin=kappa,
    positive_fraction=f,
)
correlated_balls = ManifoldModel(
    name="manifold-balls-correlated",
    title="Capacity for balls with correlated centres",
    reference="Cohen, Chung, Lee & Sompolinsky, Nat. Commun. 11, 746 (2020)",
    shape=Ball(R, D),
    margin=kappa,
    centre_correlation=rho,
)
gated_points = ManifoldModel(
    name="manifold-points-contexts",
    title="Capacity for points of a readout with contexts",
    reference="Mignacco, Chou & Chung, arXiv:2405.06851 (2024)",
    shape=Point(),
    margin=kappa,
    contexts=Contexts(K, phi),
)
gated_balls = ManifoldModel(
    name="manifold-balls-contexts",
    title="Capacity for balls of a readout with contexts",
    reference="Mignacco, Chou & Chung, arXiv:2405.06851 (2024)",
    shape=Ball(R, D),
    margin=kappa,
    contexts=Contexts(K, phi),
)
