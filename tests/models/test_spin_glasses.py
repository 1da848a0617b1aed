"""Sherrington-Kirkpatrick and p-spin glasses."""

import math

import numpy as np
import pytest
from independent import gaussian_mean, iterate
from scipy.optimize import brentq
from scipy.special import erf

from replica import load

SK = load("sherrington-kirkpatrick")
GROUND = load("sherrington-kirkpatrick-zero-temperature")
ISING = load("p-spin-ising")
SPHERICAL = load("p-spin-spherical")


def ising_glass(T, h, p):
    """Replica-symmetric Ising p-spin glass, from its integrals."""
    beta = 1 / T
    (q,) = iterate(
        lambda q: [
            gaussian_mean(lambda x: np.tanh(x) ** 2, beta * h, beta * (p * q ** (p - 1) / 2) ** 0.5)
        ],
        [0.5],
    )
    field = beta * h, beta * math.sqrt(p * q ** (p - 1) / 2)
    magnetisation = gaussian_mean(np.tanh, *field)
    log = gaussian_mean(lambda x: np.logaddexp(x, -x), *field)
    free = -beta / 4 * (1 - p * q ** (p - 1) + (p - 1) * q**p) - log / beta
    energy = -beta / 2 * (1 - q**p) - h * magnetisation
    curvature = beta**2 * p * (p - 1) * q ** (p - 2) / 2
    replicon = 1 - curvature * gaussian_mean(lambda x: np.cosh(x) ** -4.0, *field)
    return {"q": q, "free_energy": free, "energy": energy, "entropy": beta * (energy - free),
            "magnetisation": magnetisation, "replicon": replicon}  # fmt: skip


@pytest.mark.parametrize(("T", "h"), [(0.2, 0.0), (0.5, 0.0), (0.9, 0.0), (0.3, 0.4), (1.5, 1.0)])
def test_sk_against_its_integrals(T, h):
    """Sherrington & Kirkpatrick (1975); de Almeida & Thouless (1978) for the replicon."""
    solution, expected = SK.solve(T=T, h=h), ising_glass(T, h, 2)
    for name, value in expected.items():
        assert solution[name] == pytest.approx(value, rel=1e-10, abs=1e-11), name


def test_sk_above_the_transition():
    """Exact for T > 1, h = 0: f = -1/(4T) - T log 2 (Aizenman, Lebowitz & Ruelle 1987)."""
    solution = SK.solve(T=1.6)
    assert solution["q"] == pytest.approx(0, abs=1e-10)
    assert solution["free_energy"] == pytest.approx(-1 / 6.4 - 1.6 * math.log(2), rel=1e-12)
    assert solution["entropy"] == pytest.approx(math.log(2) - 1 / (4 * 1.6**2), rel=1e-12)
    assert solution.replicon == pytest.approx(1 - 1 / 1.6**2, rel=1e-10)


def test_sk_near_the_transition():
    """q = tau + tau^2/3 + O(tau^3), tau = 1 - T (Mezard, Parisi & Virasoro 1987, chapter III)."""
    tau = 1e-3
    assert SK.solve(T=1 - tau)["q"] == pytest.approx(tau + tau**2 / 3, abs=5 * tau**3)


def test_sk_low_temperature_entropy_is_negative():
    """S(T -> 0) = -1/(2 pi) = -0.159, E = -sqrt(2/pi) = -0.798 (Sherrington & Kirkpatrick 1975)."""
    cold = SK.solve(T=1e-3)
    assert cold["entropy"] == pytest.approx(-1 / (2 * math.pi), abs=1e-3)
    assert cold["energy"] == pytest.approx(-math.sqrt(2 / math.pi), abs=1e-6)
    assert GROUND.solve()["free_energy"] == pytest.approx(-math.sqrt(2 / math.pi), rel=1e-14)


def test_sk_ground_state_in_a_field():
    """At T = 0, q = 1: E = -E|h + z|, m = erf(h/sqrt 2)."""
    h = 0.7
    solution = GROUND.solve(h=h)
    mean = h * erf(h / math.sqrt(2)) + math.sqrt(2 / math.pi) * math.exp(-(h**2) / 2)
    assert solution["free_energy"] == pytest.approx(-mean, rel=1e-14)
    assert solution["magnetisation"] == pytest.approx(erf(h / math.sqrt(2)), rel=1e-14)


def test_sk_line_of_instability():
    """de Almeida & Thouless (1978): h^2 -> 4/3 (1 - T)^3; T -> 4/(3 sqrt(2 pi)) exp(-h^2/2)."""
    T = 0.99
    line = brentq(lambda h: SK.solve(T=T, h=h).replicon, 1e-4, 0.01)
    assert line**2 == pytest.approx(4 / 3 * (1 - T) ** 3, rel=0.05)
    h = 3.0
    line = brentq(lambda T: SK.solve(T=T, h=h).replicon, 1e-3, 0.02)
    assert line == pytest.approx(4 / (3 * math.sqrt(2 * math.pi)) * math.exp(-(h**2) / 2), rel=0.02)


@pytest.mark.parametrize(("T", "h", "p"), [(0.7, 0.5, 3), (0.5, 0.8, 4), (0.6, 0.0, 2)])
def test_ising_p_spin_against_its_integrals(T, h, p):
    """Gross & Mezard (1984), with the energy of variance N/2."""
    solution, expected = ISING.solve(T=T, h=h, p=p), ising_glass(T, h, p)
    for name, value in expected.items():
        assert solution[name] == pytest.approx(value, rel=1e-10, abs=1e-11), name


def test_many_spins_make_the_random_energy_model():
    """p -> infinity above its freezing: f = -1/(4T) - T log 2 cosh(h/T) (Derrida 1981)."""
    T, h = 0.8, 0.5
    solution = ISING.solve(T=T, h=h, p=80)
    assert solution["q"] == pytest.approx(math.tanh(h / T) ** 2, rel=1e-12)
    expected = -1 / (4 * T) - T * math.log(2 * math.cosh(h / T))
    assert solution["free_energy"] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("T", "h", "p"), [(0.5, 0.5, 3), (1.0, 0.2, 3), (0.3, 1.0, 5)])
def test_spherical_p_spin_in_closed_form(T, h, p):
    """Crisanti & Sommers (1992): q/(1-q)^2 = p q^(p-1)/(2 T^2) + h^2/T^2."""
    equation = lambda q: q / (1 - q) ** 2 - (p * q ** (p - 1) / 2 + h**2) / T**2  # noqa: E731
    solution = SPHERICAL.solve(T=T, h=h, p=p)
    q = solution["q"]
    assert equation(q) == pytest.approx(0, abs=1e-11 / (1 - q) ** 2)
    magnetisation = h * (1 - q) / T
    energy = -(1 - q**p) / (2 * T) - h * magnetisation
    # Up to the entropy of the flat measure on the sphere.
    phi = (1 - q**p) / (4 * T**2) + (math.log(1 - q) + q / (1 - q) + h**2 * (1 - q) / T**2) / 2
    phi += math.log(2 * math.pi * math.e) / 2
    assert solution["free_entropy"] == pytest.approx(phi, rel=1e-12)
    assert solution["magnetisation"] == pytest.approx(magnetisation, rel=1e-12)
    assert solution["energy"] == pytest.approx(energy, rel=1e-12)


@pytest.mark.parametrize("T", [0.1, 0.5, 0.9])
def test_spherical_two_spin_glass_is_solved_by_replica_symmetry(T):
    """q = 1 - T, E = -1 + T/2 below T = 1 (Kosterlitz, Thouless & Jones 1976)."""
    solution = SPHERICAL.solve(T=T, h=0, p=2)
    assert solution["q"] == pytest.approx(1 - T, rel=1e-10)
    assert solution["energy"] == pytest.approx(-1 + T / 2, rel=1e-10)
    assert solution.replicon == pytest.approx(0, abs=1e-9)
