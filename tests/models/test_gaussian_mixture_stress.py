"""Extreme parameters of the Gaussian mixture: right, or flagged, and never quietly wrong."""

import functools
import itertools

import pytest

from replica import Status, load

from . import mixture_equations as by_hand

LOSSES = ("square", "hinge", "logistic")
LOSS = {name: load(f"gaussian-mixture-{name}") for name in LOSSES}
# rho -> load below which the clusters can be separated, Delta = 1; the square loss interpolates
# below 1 sample per dimension.
SEPARABLE = {0.5: 3.7000334557, 0.2: 4.8490376530}


def near_thresholds():
    factors = (0.3, 0.7, 0.9, 0.99, 0.999, 1, 1.001, 1.01, 1.1, 1.5, 3)
    for lam, rho, factor in itertools.product((1e-8, 1e-6, 1e-4), SEPARABLE, factors):
        for threshold in (1, SEPARABLE[rho]):
            yield {"alpha": threshold * factor, "lam": lam, "rho": rho, "Delta": 1.0}


def everywhere():
    for Delta, alpha, lam, rho in itertools.product(
        (1e-3, 0.03, 1.0, 30.0, 1e3),
        (1e-3, 0.1, 1.0, 10.0, 1e3),
        (1e-8, 1e-4, 0.01, 1.0, 100.0, 1e4, 1e8),
        (0.5, 0.2, 0.01),
    ):
        yield {"alpha": alpha, "lam": lam, "rho": rho, "Delta": Delta}


GRIDS = {"thresholds": list(near_thresholds()), "everywhere": list(everywhere())}


@functools.cache
def solutions(loss, grid):
    return [(point, LOSS[loss].solve(throw=False, **point)) for point in GRIDS[grid]]


def converged(loss, grid):
    return [(point, s) for point, s in solutions(loss, grid) if s.converged]


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("loss", LOSSES)
def test_converged_points_solve_the_equations(loss, grid):
    for point, solution in converged(loss, grid):
        x = solution.order_parameters
        known = by_hand.sensitivity(loss, point, x, solution.error)
        assert by_hand.residual(loss, point, x) < 1e-10 + 10 * known, solution
        energy = by_hand.free_energy(loss, point, x)
        assert solution["free_energy"] == pytest.approx(energy, rel=1e-9), solution
        error = by_hand.test_error(point, x)
        assert solution["test_error"] == pytest.approx(error, abs=1e-15), solution


@pytest.mark.parametrize("grid", GRIDS)
def test_certified_errors_of_the_square_loss_hold(grid):
    for point, solution in converged("square", grid):
        for name, exact in by_hand.square_solution(**point).items():
            rounding = 1e-14 * max(abs(exact), 1e-3 if name == "b" else 0)
            assert abs(solution[name] - exact) <= 10 * solution.error[name] + rounding, solution


@pytest.mark.parametrize("loss", LOSSES)
def test_nothing_else_is_called_converged(loss):
    for grid in GRIDS:
        for _, solution in solutions(loss, grid):
            assert solution.status is not Status.DIVERGED
            if not solution.converged:
                assert solution.to_dict()["message"]


@pytest.mark.parametrize("loss", LOSSES)
def test_small_penalties_next_to_thresholds_converge(loss):
    """The logistic loss has no finite limit below separability: 1e-8 may be out of reach there."""
    hard = loss == "logistic"
    for point, solution in solutions(loss, "thresholds"):
        factor = point["alpha"] / SEPARABLE[point["rho"]]
        if not (hard and point["lam"] < 1e-4 and 0.95 < factor < 1.05):
            assert solution.converged, solution


@pytest.mark.parametrize("loss", ["square", "logistic"])
def test_smooth_losses_converge(loss):
    for point, solution in solutions(loss, "everywhere"):
        if point["lam"] >= 1e-4 and (loss == "square" or point["Delta"] > 0.1):
            assert solution.converged, solution


def test_hinge_loss_converges():
    """Where its classifier is unique and not zero: see the two tests below."""
    for point, solution in solutions("hinge", "everywhere"):
        unique = point["rho"] != 0.5 and point["lam"] <= 100 and point["alpha"] <= 1
        if unique and point["Delta"] > 0.1:
            assert solution.converged, solution


def test_bias_is_arbitrary_where_every_point_is_inside_the_margin():
    """Equal clusters: the bias has a whole interval of values, everything else is unique."""
    point = {"alpha": 2.0, "lam": 100.0, "rho": 0.5, "Delta": 1.0}
    learned = LOSS["hinge"].solve(throw=False, **point)
    assert learned.status is Status.NOT_CERTIFIED
    fixed = load("gaussian-mixture-hinge-no-bias").solve(**point)
    for name in ("m", "q", "chi"):
        assert learned[name] == pytest.approx(fixed[name], rel=1e-12)


def test_weak_clusters_are_ignored_by_the_hinge_loss():
    """Noise beyond a load: w = 0 and b = -1 exactly, every majority point at the kink.

    That this is optimal needs weights ``0 <= u <= 1`` of the majority points that balance the pull
    of the minority; a linear program of 80 dimensions finds them at ``alpha = 10`` but not at 6.
    """
    sizes = []
    for alpha in (6, 7, 7.5):
        solution = LOSS["hinge"].solve(alpha=alpha, lam=10, rho=0.2, Delta=10)
        sizes.append(solution["q"])
    assert sizes[0] > sizes[1] > sizes[2] > 0
    assert sizes[2] < 0.1 * sizes[0]
    none = LOSS["hinge"].solve(alpha=10, lam=10, rho=0.2, Delta=10, throw=False)
    assert none.status is Status.AT_BOUNDARY
    assert none["q"] < 1e-20
    assert none["b"] == pytest.approx(-1, abs=1e-9)


@pytest.mark.parametrize(("loss", "Delta"), [("hinge", 1e-3), ("hinge", 0.01), ("logistic", 100)])
def test_extreme_points_are_reached_from_easier_ones(loss, Delta):
    point = {"alpha": 10.0 if loss == "hinge" else 1e-3, "rho": 0.2, "Delta": Delta}
    solution = None
    for exponent in range(0, -17, -1):
        solution = LOSS[loss].solve(start=solution, **point, lam=10 ** (exponent / 2))
    assert by_hand.residual(loss, solution.parameters, solution.order_parameters) < 1e-11
