"""Critical parameters against closed forms, published numbers and the tables of the theory."""

import math

import pytest
import sympy as sp

from replica import (
    Field,
    Model,
    Parameter,
    Rademacher,
    Spherical,
    Thermal,
    beta,
    load,
    q,
)
from replica.errors import ConvergenceError, ParameterError

s, w, h = sp.symbols("s w h", real=True)
T = Parameter("T", 0.5, (0, math.inf), "temperature", open="lower")
alpha = Parameter("alpha", 1.0, (0, math.inf), "load", open="lower")
kappa = Parameter("kappa", 0.0, doc="margin")


@pytest.fixture(scope="module")
def gardner():
    """Spherical weights at the capacity: the equations of Gardner (1988) at zero temperature."""
    return Model(
        name="gardner-capacity", thermal=Thermal(w, Spherical()),
        fields=Field(h, alpha, constraint=h >= kappa), temperature=0,
    )  # fmt: skip


@pytest.fixture(scope="module")
def separability():
    return load("gaussian-mixture-separability")


# -- conditions -----------------------------------------------------------------------------------


def test_entropy_of_binary_weights_vanishes_at_the_capacity_of_krauth_and_mezard():
    # Krauth & Mezard, J. Phys. France 50, 3057 (1989): alpha_c = 0.833.
    found = load("krauth-mezard").critical("alpha", condition="free_entropy", bracket=(0.5, 1.2))
    assert found.converged
    assert found["alpha"] == pytest.approx(0.8330786, abs=1e-7)
    assert abs(found.free_entropy) < 1e-12
    assert found.error["alpha"] < 1e-12


def test_replicon_of_spins_without_field_vanishes_at_the_glass_temperature():
    # de Almeida & Thouless (1978) with a field, against the line from an independent quadrature.
    from scipy.integrate import quad
    from scipy.optimize import fsolve

    def line(x, field=0.2):
        temperature, overlap = x

        def average(f):
            def g(z):
                argument = (overlap**0.5 * z + field) / temperature
                return f(argument) * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)

            return quad(g, -9, 9, epsabs=1e-13, limit=200)[0]

        return [
            average(lambda u: math.tanh(u) ** 2) - overlap,
            average(lambda u: math.cosh(u) ** -4) - temperature**2,
        ]

    temperature, overlap = fsolve(line, [0.7, 0.3], xtol=1e-12)
    H = Parameter("field", 0.2, doc="external field", symbol="H")
    model = Model(
        name="sk",
        thermal=Thermal(s, Rademacher(), penalty=-H * s),
        pair=beta**2 * q**2 / 4,
        temperature=T,
    )
    found = model.critical("T", condition="replicon", bracket=(0.3, 1.5), field=0.2)
    assert found["T"] == pytest.approx(temperature, abs=1e-9)
    assert found["q"] == pytest.approx(overlap, abs=1e-9)


def test_condition_may_be_an_expression_with_a_value():
    model = load("gaussian-mixture-square-no-bias")
    found = model.critical(
        "lam", condition=sp.Symbol("m") ** 2 / sp.Symbol("q"), value=0.6, bracket=(0.1, 10)
    )
    assert found["m"] ** 2 / found["q"] == pytest.approx(0.6, abs=1e-13)


def test_the_symbol_of_a_parameter_is_as_good_as_its_name():
    model = load("gaussian-mixture-square-no-bias")
    found = model.critical("lambda", condition="test_error", value=0.22, bracket=(0.1, 10))
    assert found["test_error"] == pytest.approx(0.22, abs=1e-13)


def test_a_jump_is_not_a_root():
    # The sparse signal is seen all at once where the uninformed branch ends.
    model = load("compressed-sensing")
    with pytest.raises(ConvergenceError, match="jumps at alpha="):
        model.critical("alpha", condition="q", value=0.38, bracket=(0.5, 0.7), Delta=1e-8)


def test_beyond_a_jump_to_perfect_recovery_there_is_a_limit():
    # The overlap of the binary teacher jumps at alpha = 1.493 (spinodal of the bad branch).
    model = load("perceptron-rademacher")
    with pytest.raises(ConvergenceError, match=r"at the boundary .*V vanishes, qhat diverges"):
        model.critical("alpha", condition="q", value=0.9, bracket=(1.0, 1.8))


def test_no_sign_change_is_said_with_both_values():
    with pytest.raises(ConvergenceError, match=r"does not change sign in alpha from 0\.1 to 0\.2"):
        load("krauth-mezard").critical("alpha", condition="free_entropy", bracket=(0.1, 0.2))


# -- an unknown held ------------------------------------------------------------------------------


@pytest.mark.parametrize("margin", [-0.5, 0.0, 0.5, 1.5])
def test_capacity_of_spherical_weights(gardner, margin):
    # Gardner, J. Phys. A 21, 257 (1988): 1/alpha_c = E (kappa + z)_+^2.
    found = gardner.critical("alpha", instead_of="chi", value=1, kappa=margin)
    cdf, pdf = (
        (1 + math.erf(margin / 2**0.5)) / 2,
        math.exp(-(margin**2) / 2) / math.sqrt(2 * math.pi),
    )
    assert found.converged
    assert found["alpha"] == pytest.approx(1 / ((1 + margin**2) * cdf + margin * pdf), rel=1e-13)
    assert found.error["alpha"] < 1e-12


def test_the_scale_of_a_problem_without_scale_is_arbitrary(gardner):
    values = [gardner.critical("alpha", instead_of="chi", value=v)["alpha"] for v in (0.01, 1, 70)]
    assert values == pytest.approx([2.0] * 3, rel=1e-13)


SEPARABILITY = [  # theory of the Gaussian mixture, table 9.3: alpha*, r, b/|w|
    (0.1, 0.5, 539.0700029, 0.917634, 0), (0.1, 0.2, 684.6437946, 0.917484, -0.063607),
    (0.3, 0.5, 14.2605451447, 0.807820, 0), (0.3, 0.2, 18.3771966891, 0.806714, -0.167982),
    (0.5, 0.5, 6.6628170989, 0.732606, 0), (0.5, 0.2, 8.6510158659, 0.730468, -0.253847),
    (1, 0.5, 3.7000334557, 0.612003, 0), (1, 0.2, 4.8490376530, 0.608114, -0.423755),
    (2, 0.5, 2.7328837972, 0.484644, 0), (2, 0.2, 3.6071182251, 0.479490, -0.670158),
    (3, 0.5, 2.4657719702, 0.413961, 0), (3, 0.2, 3.2643471442, 0.408575, -0.857814),
    (10, 0.5, 2.1308742816, 0.243661, 0), (10, 0.2, 2.8350795464, 0.239306, -1.679418),
    (100, 0.5, 2.0127672562, None, 0), (100, 0.2, 2.6839238397, None, None),
]  # fmt: skip


@pytest.mark.parametrize(("Delta", "rho", "threshold", "r", "bias"), SEPARABILITY)
def test_separability_of_the_mixture(separability, Delta, rho, threshold, r, bias):
    found = separability.critical("alpha", instead_of="chi", value=1, Delta=Delta, rho=rho)
    assert found.converged
    assert found["alpha"] == pytest.approx(threshold, rel=2e-10)
    assert found.error["alpha"] < 1e-10 * threshold
    if r is not None:
        assert found["m"] == pytest.approx(r, abs=6e-7)
    if bias is not None:
        assert found["b"] == pytest.approx(bias, abs=6e-7)


@pytest.mark.parametrize(
    ("load_", "rho", "Delta", "margin", "r", "bias"),
    [  # table 9.3, hard margin; the bias is given for weights of margin one
        (1, 0.5, 1, 0.7671443876, 0.5291718034, 0), (1, 0.2, 1, 0.9840117364, 0.4939260246,
                                                      -0.6969372155),
        (2, 0.5, 1, 0.3336536929, 0.5775790797, 0), (3, 0.2, 1, 0.2611608091, 0.5801397034,
                                                      -1.8300407661),
        (2, 0.5, 0.3, 0.4885332705, 0.7493816351, 0),
    ],
)  # fmt: skip
def test_hard_margin_of_the_mixture(separability, load_, rho, Delta, margin, r, bias):
    found = separability.critical(
        "kappa", instead_of="chi", value=1, alpha=load_, rho=rho, Delta=Delta
    )
    assert found["kappa"] == pytest.approx(margin, abs=1e-10)
    assert found["m"] == pytest.approx(r, abs=1e-10)
    assert found["b"] == pytest.approx(bias * margin, abs=1e-9)


def hopfield(y):
    """Load and overlap of the ground state in terms of ``y``: Amit et al. (1987)."""
    root = math.erf(y) / y - 2 / math.sqrt(math.pi) * math.exp(-y * y)
    return root**2 / 2, math.erf(y)


def test_holding_an_unknown_reaches_the_unstable_side_of_a_fold():
    model = load("hopfield-zero-temperature")
    load_, overlap = hopfield(1.2)
    found = model.critical("alpha", instead_of="m", value=overlap)
    assert found["alpha"] == pytest.approx(load_, rel=1e-12)
    assert found.stability > 1  # no damped iteration would have stayed here
    load_, overlap = hopfield(1.8)
    found = model.critical("alpha", instead_of="m", value=overlap)
    assert found["alpha"] == pytest.approx(load_, rel=1e-12)
    assert found.stability < 1


def test_a_held_solution_solves_the_plain_equations():
    model = load("gaussian-mixture-logistic")
    plain = model.solve(lam=0.3, rho=0.2)
    found = model.critical("lam", instead_of="q", value=plain["q"], rho=0.2, bracket=(0.01, 10))
    assert found["lam"] == pytest.approx(0.3, rel=1e-10)
    for name in ("m", "b", "free_entropy", "test_error", "qhat"):
        assert found[name] == pytest.approx(plain[name], rel=1e-9)
    again = model.critical("lam", instead_of="q", value=2.0, rho=0.2, start=found)
    assert again["q"] == 2.0
    assert again["m"] == pytest.approx(model.solve(lam=again["lam"], rho=0.2)["m"], rel=1e-9)


def test_an_unreachable_value_is_refused():
    model = load("hopfield-zero-temperature")
    with pytest.raises(ConvergenceError, match=r"no value of alpha from 0\.2 to 0\.4"):
        model.critical("alpha", instead_of="m", value=0.97, bracket=(0.2, 0.4))


# -- folds ----------------------------------------------------------------------------------------


def test_retrieval_ends_at_the_capacity_of_amit_gutfreund_and_sompolinsky():
    # Amit, Gutfreund & Sompolinsky, Ann. Phys. 173, 30 (1987): 0.138; exact from the closed form.
    from scipy.optimize import minimize_scalar

    best = minimize_scalar(
        lambda y: -hopfield(y)[0], bounds=(1, 2), method="bounded", options={"xatol": 1e-10}
    )
    found = load("hopfield-zero-temperature").critical(
        "alpha", instead_of="m", fold=True, bracket=(0.9, 0.999)
    )
    assert found.converged
    assert found["alpha"] == pytest.approx(0.137905566, abs=1e-9)
    assert found["alpha"] == pytest.approx(-best.fun, rel=1e-13)
    assert found["m"] == pytest.approx(hopfield(best.x)[1], abs=1e-7)
    assert found.error["m"] < 1e-9
    assert found.stability == pytest.approx(1, abs=1e-6)


def test_a_branch_without_fold_is_said_to_be_monotonic():
    with pytest.raises(ConvergenceError, match="monotonic in m"):
        load("hopfield-zero-temperature").critical(
            "alpha", instead_of="m", fold=True, bracket=(0.98, 0.999)
        )


# -- mistakes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "either a condition or instead_of"),
        ({"condition": "q", "instead_of": "q"}, "either a condition or instead_of"),
        ({"condition": "q"}, "bracket .* of the parameter alpha is missing"),
        ({"condition": "q", "bracket": (1, 1)}, "expected low < high"),
        ({"condition": "q", "bracket": 3}, "expected two numbers"),
        ({"condition": "q", "bracket": (-1, 1)}, "outside its domain"),
        ({"condition": "volume", "bracket": (1, 2)}, "condition volume"),
        ({"condition": sp.Integer(3), "bracket": (1, 2)}, "condition 3"),
        ({"instead_of": "energy", "value": 1}, "the order parameters are q, V"),
        ({"instead_of": "q"}, "the value at which q is held is missing"),
        ({"instead_of": "q", "value": -1}, "order parameter q = -1 is outside"),
        ({"instead_of": "q", "value": 1, "fold": True}, "a fold takes a bracket"),
        ({"instead_of": "q", "fold": True}, "bracket .* order parameter q is missing"),
        ({"condition": "q", "fold": True, "bracket": (1, 2)}, "a fold needs instead_of"),
        ({"instead_of": "q", "value": 0.5, "alpha": 1}, "solved for"),
        ({"instead_of": "q", "value": 0.5, "gamma": 1}, "'gamma' is unknown"),
    ],
)
def test_ill_posed_questions_get_one_sentence(arguments, message):
    with pytest.raises(ParameterError, match=message) as caught:
        load("krauth-mezard").critical("alpha", **arguments)
    assert "\n" not in str(caught.value)


def test_an_unknown_parameter_is_named():
    with pytest.raises(ParameterError, match="'beta' is unknown"):
        load("krauth-mezard").critical("beta", condition="q", bracket=(0, 1))
