"""What a user sees when something is wrong: one sentence that says what and what to do."""

import math

import pytest
import sympy as sp

from replica import (
    BackendWarning,
    ConvergenceError,
    DeclarationError,
    DerivationError,
    Field,
    Flat,
    Gaussian,
    Model,
    Parameter,
    ParameterError,
    Quenched,
    Rademacher,
    SettingsError,
    SolverSettings,
    Spherical,
    Status,
    Thermal,
    beta,
    load,
    m,
    q,
    sign_labels,
)
from replica.compile import toolchain
from replica.compile.settings import SolveStatus

w, v, h, y, z = sp.symbols("w v h y z", real=True)
alpha = Parameter("alpha", 1.0, (0, math.inf), open="lower")
lam = Parameter("lam", 1.0, (0, math.inf))
T = Parameter("T", 0.5, (0, math.inf), open="lower")


def regression(loss):
    return Model(
        "user-model",
        Thermal(w, Flat(), lam * w**2 / 2),
        Quenched(v, Gaussian()),
        Field(h, alpha, labels=sign_labels(y, z), loss=loss),
        temperature=0,
    )


def one_sentence(caught):
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_missing_compiler(monkeypatch):
    expected = load("gaussian-mixture-logistic").solve(alpha=1.5)
    monkeypatch.setattr(toolchain, "find_compiler", lambda: None)
    monkeypatch.delenv("REPLICA_BACKEND", raising=False)
    model = regression(sp.log(1 + sp.exp(-y * h)))
    with pytest.warns(BackendWarning, match="No C compiler was found"):
        solution = model.solve(alpha=1.5)
    assert solution.backend == "numpy"
    assert solution.converged
    assert expected.backend == "c"


def test_unwritable_cache(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("a file where the cache directory should be")
    monkeypatch.setenv("REPLICA_CACHE_DIR", str(blocked / "cache"))
    with pytest.warns(BackendWarning) as caught:
        solution = regression((1 - y * h) ** 2).solve()
    assert solution.converged
    assert any("cache" in str(w.message) for w in caught)


def test_loss_that_is_not_a_number():
    with pytest.raises(DerivationError, match="not a real number at h = ") as caught:
        regression(sp.log(h)).solve()
    assert "Piecewise" in one_sentence(caught)


def test_loss_that_is_not_convex():
    with pytest.raises(DerivationError, match="not convex between") as caught:
        regression(sp.cos(h)).solve()
    assert "finite temperature" in one_sentence(caught)


def test_loss_without_minimum_has_no_solution():
    solution = regression(-(h**2)).solve(throw=False)
    assert not solution.converged
    with pytest.raises(ConvergenceError) as caught:
        regression(-(h**2)).solve()
    assert caught.value.solution.status is not Status.CONVERGED
    assert "user-model at" in one_sentence(caught)


def test_unsatisfiable_constraint():
    impossible = Model(
        "impossible", Thermal(w, Spherical()), fields=Field(h, alpha, constraint=h >= 100)
    )
    with pytest.raises(ConvergenceError, match="boundary of its domain") as caught:
        impossible.solve(alpha=3)
    assert caught.value.solution.status is Status.AT_BOUNDARY


def test_constraint_that_is_always_false():
    with pytest.raises(DeclarationError, match="must be an inequality"):
        Field(h, alpha, constraint=sp.Symbol("r", real=True) ** 2 <= -1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"alpha": -1}, "'alpha' = -1 is outside its domain"),
        ({"alpha": "two"}, "expected a number, got 'two'"),
        ({"alpha": math.nan}, "outside its domain"),
        ({"gamma": 1}, "'gamma' is unknown; the model has"),
        ({"start": "lukewarm"}, "start 'lukewarm' is unknown"),
        ({"start": {"Q": 1}}, "start value of 'Q'"),
        ({"start": {"q": -1}}, "outside"),
        ({"start": {"q": "one"}}, "expected a number, got 'one'"),
        ({"start": [1, 2]}, "start: expected"),
        ({"aplha": 1}, "did you mean 'alpha'?"),
    ],
)
def test_parameters_and_starts(arguments, words):
    with pytest.raises(ParameterError) as caught:
        load("gaussian-mixture-hinge").solve(**arguments)
    assert words in one_sentence(caught)


def test_unknown_back_end():
    with pytest.raises(SettingsError, match="expected 'c' or 'numpy'"):
        load("gaussian-mixture-hinge").solve(backend="fortran")


def test_settings_that_are_none():
    with pytest.raises(SettingsError, match="expected SolverSettings"):
        load("gaussian-mixture-hinge").solve(settings={"damping": 0.5})


def test_ansatz_that_is_none():
    with pytest.raises(DerivationError, match="expected an Ansatz"):
        load("gaussian-mixture-hinge").saddle_point(ansatz=1)


def test_loss_that_jumps():
    with pytest.raises(DerivationError, match="jumps at h = 0"):
        regression(sp.Heaviside(-y * h)).solve()


def test_floating_zero_temperature_is_zero():
    model = Model("ground", Thermal(w, Rademacher()), pair=beta**2 * q**2 / 4, temperature=0.0)
    assert model.solve()["free_energy"] == pytest.approx(-math.sqrt(2 / math.pi), abs=1e-12)


def test_label_noise_may_vanish():
    """A flip probability that is a parameter, at its legal value zero."""
    flip = Parameter("flip", 0.1, (0, 0.5))
    labels = sign_labels(y, z, flip=flip)
    model = Model("flips", Thermal(w, Rademacher()), Quenched(v, Rademacher()),
                  Field(h, alpha, labels=labels, likelihood=labels))  # fmt: skip
    noiseless = load("perceptron-rademacher").solve(alpha=1.0)
    assert model.solve(flip=0.0, alpha=1.0)["q"] == pytest.approx(noiseless["q"], rel=1e-11)


def test_too_few_evaluations_are_said_so():
    solution = load("gaussian-mixture-logistic").solve(
        settings=SolverSettings(max_evaluations=3), throw=False
    )
    assert solution.status is Status.NOT_CONVERGED
    assert solution.residual > 1e-6


def test_penalty_that_couples_to_the_quenched_variable():
    with pytest.raises(DeclarationError, match="declare that coupling as an overlap term"):
        Model("coupled", Thermal(w, Rademacher(), -w * v), Quenched(v, Rademacher()),
              pair=beta**2 * q**2 / 4, overlap=beta * m**2 / 2, temperature=T)  # fmt: skip


def test_loss_that_is_convex_at_the_defaults_only():
    bend = Parameter("bend", 1.0, (-10, 10))
    with pytest.raises(DerivationError, match="not convex between"):
        regression((h**2 - 1) ** 2 / 4 + bend * h**2 - y * h).solve()


def test_every_way_to_end_has_a_sentence():
    assert [s.name for s in Status] == [s.name for s in SolveStatus]
    assert all(status.value.endswith(".") for status in Status)
