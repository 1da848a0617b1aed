"""Sites that differ: what their declarations refuse, in one clear sentence each."""

import pickle

import numpy as np
import pytest
import sympy as sp
from replica.models.gaussian_covariate import gaussian_covariate
from scipy.integrate import quad

import replica as rp
from replica import DeclarationError, DerivationError, Empirical, MarchenkoPastur, Quenched, Thermal
from replica.calculus.spectra import Data, EmpiricalAverage, MarchenkoPasturAverage
from replica.derive.ansatz import ONE_STEP

w, t, h, y, z, a, b = sp.symbols("w t h y z a b", real=True)
lam = rp.Parameter("lam", 0.1, (0, 9), "penalty", open="lower")


def declared(**parts):
    standard = {
        "name": "sites",
        "sites": Empirical({a: [1.0, 2.0, 3.0]}),
        "thermal": Thermal(w, penalty=lam * w**2 / 2, metric=a),
        "quenched": Quenched(t, rp.Gaussian()),
        "fields": rp.Field(h, 2, loss=(y - h) ** 2 / 2, labels=rp.LinearLabels(y, z, 0.1)),
        "temperature": 0,
    }
    return rp.Model(**{**standard, **parts})


@pytest.mark.parametrize(
    ("columns", "weights", "message"),
    [
        ({}, None, "expected a mapping of symbols to arrays"),
        ([1, 2], None, "expected a mapping of symbols to arrays"),
        ({"a": [1]}, None, "expected symbols as keys, got 'a'"),
        ({a: []}, None, "not empty, got one of shape \\(0,\\)"),
        ({a: [1, 2], b: [1, 2, 3]}, None, "b: expected an array of shape \\(2,\\)"),
        ({a: [[1, 2], [3, 4]]}, None, "a: expected an array of shape \\(4,\\)"),
        ({a: [1, np.nan]}, None, "a: the array contains NaN"),
        ({a: ["x", "y"]}, None, "a: expected an array of numbers"),
        ({a: [1, 2]}, [1, -1], "weights of the sites must not be negative"),
        ({a: [1, 2]}, [1, 1, 1], "weights: expected an array of shape \\(2,\\)"),
    ],
)
def test_arrays_that_are_no_law(columns, weights, message):
    with pytest.raises(DeclarationError, match=message):
        Empirical(columns, weights)


@pytest.mark.parametrize("ratio", [0, -1, "a", None])
def test_a_ratio_that_is_none(ratio):
    with pytest.raises(DeclarationError, match="expected a positive ratio"):
        MarchenkoPastur(a, ratio)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"sites": [1, 2]}, "as law of the sites"),
        ({"sites": Empirical({a: [1], b: [2]})}, "the site constant b appears nowhere"),
        ({"sites": Empirical({a: [1, -2]})}, "but a is -2 at site 1"),
        ({"sites": None}, "unbound symbol 'a' in the metric of w"),
        ({"sites": Empirical({a: [1], w: [2]})}, "w is a constant of the sites and something else"),
        ({"quenched": Quenched(t)}, "unbound symbol 't' in a prior or law"),
        ({"quenched": Quenched(t, rp.Gaussian(), 1)}, "self-overlap 1 of t is smaller than 2"),
        ({"quenched": Quenched(t, rp.Gaussian(variance=a - 2))}, "a variance of t must not be"),
        ({"sites": Empirical({a: [1], sp.Symbol("q"): [1]})}, "the name of an order parameter"),
    ],
)  # fmt: skip
def test_declarations_that_are_inconsistent(parts, message):
    with pytest.raises(DeclarationError, match=message):
        declared(**parts)


def test_a_metric_needs_a_norm_that_may_move():
    for prior in (rp.Spherical(), rp.Rademacher()):
        with pytest.raises(DeclarationError, match="its prior fixes the norm"):
            Thermal(w, prior, metric=a)
    with pytest.raises(DeclarationError, match="the metric must be a positive expression"):
        Thermal(w, penalty=w**2, metric="a")
    with pytest.raises(DeclarationError, match="self-overlap must be"):
        Quenched(t, rp.Gaussian(), self_overlap=-1)


def test_variables_of_several_components_are_refused():
    several = Thermal(w, penalty=lam * w**2 / 2, metric=a, components=2)
    fields, teacher = rp.components("h", 2), rp.components("z", 2)
    labels = rp.ArgmaxLabels(rp.components("y", 2), teacher)
    item = rp.VectorField(fields, 2, loss=fields[0] ** 2, labels=labels)
    with pytest.raises(DeclarationError, match="of 2 components, sites that differ are declared"):
        declared(thermal=several, fields=item)


def test_steps_of_symmetry_breaking_are_refused():
    with pytest.raises(DerivationError, match="replica-symmetric ansatz only"):
        declared().saddle_point(ansatz=ONE_STEP)


IDENTITY = np.eye(3)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ((np.ones((3, 2)), IDENTITY, IDENTITY), "Psi: expected an array of shape \\(3, 3\\)"),
        ((IDENTITY, np.ones((2, 3)), IDENTITY), "Phi: expected an array of shape \\(3, 3\\)"),
        ((IDENTITY, IDENTITY, np.ones(3)), "Omega: expected an array of shape \\(0, 0\\)"),
        ((IDENTITY, IDENTITY, np.triu(np.ones((3, 3)))), "Omega: expected a symmetric matrix"),
        ((IDENTITY - 2, 0 * IDENTITY, IDENTITY), "Psi: the eigenvalues must not be negative"),
        ((IDENTITY, 2 * IDENTITY, IDENTITY), "together they are no covariance"),
        ((IDENTITY, 0 * IDENTITY, 0 * IDENTITY), "features have no variance"),
    ],
)
def test_matrices_that_are_no_covariances(arrays, message):
    with pytest.raises(DeclarationError, match=message):
        rp.covariates(*arrays, theta=np.ones(3))


def test_data_of_wrong_shape():
    with pytest.raises(DeclarationError, match="of two samples at least"):
        rp.covariates_of_data(np.ones(3), np.ones(3))
    with pytest.raises(DeclarationError, match="targets: expected an array of shape"):
        rp.covariates_of_data(np.ones((3, 2)), np.ones(2))
    given = rp.covariates_of_data(np.eye(3), np.ones(3))
    with pytest.raises(DeclarationError, match="loss 'cubic'"):
        gaussian_covariate("cubic", given)


def test_tables_are_equal_where_their_numbers_are():
    one, same, other = (Data(values) for values in ([[1.0], [2.0]], [[1.0], [2.0]], [[1.0], [3.0]]))
    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    assert pickle.loads(pickle.dumps(one)) == one
    assert pickle.loads(pickle.dumps(declared())).solve()["q"] == declared().solve()["q"]


def test_averages_are_linear_and_bind_their_symbols():
    data = Empirical({a: [1.0, 3.0]}).data
    node = EmpiricalAverage(a**2 * b, (a,), data)
    assert node.free_symbols == {b}
    assert node.diff(b) == EmpiricalAverage(a**2, (a,), data)
    assert node.subs(a, 7) == node
    assert node.over(3 * b) == 3 * b
    assert node.diff(b).estimate({}) == 5


@pytest.mark.parametrize("ratio", [0.3, 1.0, 2.5])
def test_the_marchenko_pastur_law_has_its_moments(ratio):
    """Mass one, mean one, second moment 1 + ratio, and the atom at zero."""
    for power, moment in ((0, 1), (1, 1), (2, 1 + ratio), (3, 1 + 3 * ratio + ratio**2)):
        node = MarchenkoPasturAverage(a**power, (a,), ratio)
        columns, weights = node.nodes({})
        assert np.sum(weights * columns[a] ** power) == pytest.approx(moment, rel=1e-12)
        place, density = (f(b) for f in (node.place, node.density))
        function = sp.lambdify(b, place**power * density)
        continuous = quad(function, 0, np.pi, epsabs=1e-13, epsrel=1e-12)[0]
        at_zero = float(node.at_zero) if power == 0 else 0.0
        assert continuous + at_zero == pytest.approx(moment, rel=1e-10)
