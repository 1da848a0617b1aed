"""Where hard constraints of several classes cease to be satisfiable, against explicit integrals.

The threshold is ``1/alpha = min_t E dist^2(t z0 + xi, K_y)``, with the cone ``K_y`` of fields that
give the label ``y`` of the teacher's field ``z0``, in units of a direction of weights.
"""

import itertools
import math

import numpy as np
import pytest
import sympy as sp
from numpy.polynomial.legendre import leggauss
from replica.models.potts_attention import A, J, features
from scipy.optimize import minimize_scalar
from scipy.special import expit, ndtr

from replica import (
    CategoricalLabels,
    Gaussian,
    Model,
    Parameter,
    Quenched,
    SharedField,
    Spherical,
    Thermal,
    components,
    load,
    margin,
)

X, W = leggauss(200)


def below_zero(mean):
    """Mean of the squared negative part of a normal variable of unit variance."""
    return (1 + mean**2) * ndtr(-mean) - mean * np.exp(-(mean**2) / 2) / np.sqrt(2 * np.pi)


def star_of_two(t, rho):
    """A cluster at distance ``rho/2``: the field of the student is a scalar."""
    deviation = math.sqrt(1 + t**2 * rho)
    return deviation**2 * below_zero(t * rho / 2 / deviation)


def directed_of_two(t, rho):
    z = 10 * X * math.sqrt(rho)
    law = 10 * W * np.exp(-((10 * X) ** 2) / 2) / np.sqrt(2 * np.pi)
    return float(2 * law @ (expit(z) * below_zero(t * z)))


def star_of_three(t, rho):
    """Polar coordinates around the axis of a wedge of 120 degrees."""
    deviation = math.sqrt(1 + t**2 * rho)
    mean = t * rho * math.sqrt(2) / 3 / deviation
    r, radial = 6 + mean / 2 + (6 + mean / 2) * X, (6 + mean / 2) * W
    total = 0.0
    edges = np.radians([60.0, 150.0, 180.0])
    for low, high in itertools.pairwise(edges):
        theta, angular = (high + low) / 2 + (high - low) / 2 * X, (high - low) / 2 * W
        far = np.ones_like(theta) if high > 3 else np.sin(theta - edges[0])
        exponent = r[:, None] ** 2 + mean**2 - 2 * mean * r[:, None] * np.cos(theta)
        total += 2 * (radial * r**3) @ np.exp(-exponent / 2) @ (angular * far**2)
    return deviation**2 * float(total) / (2 * np.pi)


def threshold(distance, rho):
    found = minimize_scalar(
        lambda t: distance(t, rho), bounds=(0, 5), method="bounded", options={"xatol": 1e-9}
    )
    return 1 / found.fun


@pytest.mark.parametrize(
    ("name", "distance", "rho", "sampled"),
    [
        ("star-2", star_of_two, 4.0, 3.71),
        ("star-3", star_of_three, 9.0, 2.80),
        ("directed-2", directed_of_two, 4.0, 2.90),
    ],
)
def test_separability_of_attention(name, distance, rho, sampled):
    """Also against a sample of 1e6 vectors, of relative error 3e-3."""
    model = load(f"potts-separability-{name}")
    found = model.boundary("separability", "alpha", rho=rho)["alpha"]
    assert found == pytest.approx(threshold(distance, rho), rel=1e-9)
    assert found == pytest.approx(sampled, rel=5e-3)


@pytest.mark.parametrize(("name", "limit"), [("star-2", 2), ("star-3", 6 / 5), ("directed-2", 2)])
def test_labels_of_a_weak_teacher_are_random(name, limit):
    model = load(f"potts-separability-{name}")
    found = model.boundary("separability", "alpha", rho=1e-6, bracket=(0.5, 4))["alpha"]
    assert found == pytest.approx(limit, rel=1e-6)


def polar_dimension():
    """Sum over faces of (dimension of the polar part) * (probability to project on the face).

    Of four classes at random: the normals of the three walls have correlation 1/2. All three walls
    are active in the polar cone, a spherical triangle with sides of 60 degrees; two in products of
    a ray and a flat angle of 60 degrees; one in products of a facet and a ray.
    """
    triangle = (3 * math.acos(1 / 3) - math.pi) / (4 * math.pi)
    flat, facet = 1 / 6, math.acos(-1 / 3) / (2 * math.pi)
    return 3 * triangle + 2 * 3 * flat / 2 + 3 * facet / 2


def test_four_classes_at_random():
    alpha = Parameter("alpha", 1.0, (0, 10), open="lower")
    z, z0, y = components("z", 3), components("z0_", 3), components("y", 4)
    model = Model(
        name="four-classes",
        thermal=Thermal(A, Spherical()),
        quenched=Quenched(J, Gaussian()),
        fields=SharedField(
            z, alpha, constraint=margin(y, features(sp.eye(4)) * z) >= 0,
            labels=CategoricalLabels(y, [sp.Rational(1, 4)] * 4, z0),
        ),
        temperature=0,
    )  # fmt: skip
    found = model.boundary("capacity", "alpha", bracket=(0.5, 2))["alpha"]
    assert found == pytest.approx(1 / polar_dimension(), rel=1e-8)
