"""The reduced chain samples what it should: Wishart matrices, and a network's weights."""

import numpy as np
import pytest
import sympy as sp
from replica.models.attention_paths import attention_paths

from replica import ActionModel, OrderParameter, ParameterError
from replica.calculus.matrices import LogDet, SymmetricMatrix
from replica.datasets import GaussianPaths
from replica.simulate import sample_action

TASK = GaussianPaths(11, heads=(2,), combination=(1.0, 0.6))


def agrees(samples, name, value, own_error=0.0):
    error = np.hypot(samples.standard_error(name), own_error)
    assert abs(samples.mean(name) - value) < 4 * error
    return error


def test_without_data_it_is_a_wishart_matrix():
    U, N = SymmetricMatrix("U", 2), 7
    model = ActionModel(
        name="wishart", action=N * (sp.Trace(U) - LogDet(U)),
        order_parameters=[OrderParameter(U, start=1)], observables={"trace": sp.Trace(U)},
    )  # fmt: skip
    samples = sample_action(model, 12_000, seed=0, thin=5)
    assert 0.15 < samples.acceptance < 0.6
    assert agrees(samples, "trace", 2.0) < 0.06
    assert agrees(samples, "U[1,2]", 0.0) < 0.03
    matrices = samples.matrices("U")
    # Var U_11 = 2/N and Var U_12 = 1/N; the mode, at 1, is not the mean of the inverse.
    assert matrices[:, 0, 0].var() == pytest.approx(2 / N, rel=0.15)
    assert matrices[:, 0, 1].var() == pytest.approx(1 / N, rel=0.15)
    assert np.trace(np.linalg.inv(matrices).mean(axis=0)) == pytest.approx(2 * N / (N - 3), rel=0.1)


def test_finite_width_averages_of_the_reference():
    """Averages of a long chain by other code, with its standard errors."""
    model = attention_paths((2,), data=TASK)
    samples = sample_action(model, 4000, N=10, T=0.05, seed=1)
    for name, value in (("U_1[1,1]", 0.972), ("U_1[1,2]", 0.379), ("U_1[2,2]", 0.648)):
        assert agrees(samples, name, value, 0.006) < 0.06
    agrees(samples, "U_a", 0.894, 0.010)
    again = sample_action(model, 300, N=10, T=0.05, seed=1)
    assert again.entries == pytest.approx(
        sample_action(model, 300, N=10, T=0.05, seed=1).entries, abs=0
    )


def gibbs(Z, y, N, T, sweeps, seed):
    """Sample all weights of one attention layer, a matrix at a time, each exactly."""
    random = np.random.default_rng(seed)
    examples, inputs, paths = Z.shape
    V0 = random.standard_normal((N, inputs))
    V = random.standard_normal((paths, N, N))
    a = random.standard_normal(N)
    found = []

    def draw(features, shape):
        theta = random.standard_normal(shape)
        flat = features.reshape(examples, -1)
        left = y - flat @ theta.reshape(-1) - np.sqrt(T) * random.standard_normal(examples)
        dual = np.linalg.solve(flat @ flat.T + T * np.eye(examples), left)
        return theta + (flat.T @ dual).reshape(shape)

    for _ in range(sweeps):
        w = np.einsum("k,pkn->pn", a, V) / np.sqrt(N)
        V0 = draw(np.einsum("pn,mip->mni", w, Z) / np.sqrt(N), V0.shape)
        hidden = np.einsum("ni,mip->mpn", V0, Z) / np.sqrt(N)
        V = draw(np.einsum("k,mpn->mpkn", a, hidden) / np.sqrt(N), V.shape)
        a = draw(np.einsum("pkn,mpn->mk", V, hidden) / np.sqrt(N), a.shape)
        w = np.einsum("k,pkn->pn", a, V) / np.sqrt(N)
        found.append(w @ w.T / N)
    return np.array(found[sweeps // 10 :])


@pytest.mark.slow
def test_the_chain_in_a_few_coordinates_is_that_of_all_weights():
    data = TASK()
    weights = gibbs(data["Z"].values, data["y"], 10, 0.05, 1500, 0)
    chain = sample_action(attention_paths((2,), data=TASK), 12_000, N=10, T=0.05, seed=2, thin=5)
    for i, j in ((0, 0), (0, 1), (1, 1)):
        batches = [part[:, i, j].mean() for part in np.array_split(weights, 20)]
        error = np.std(batches, ddof=1) / np.sqrt(20)
        assert agrees(chain, f"U_1[{i + 1},{j + 1}]", np.mean(batches), error) < 0.06


def test_steps_are_checked():
    with pytest.raises(ParameterError, match="expected positive numbers of steps"):
        sample_action(attention_paths((2,), data=TASK), 0)


def test_a_width_below_the_size_of_a_matrix_is_refused():
    """A Wishart matrix of two rows and one column is singular."""
    model = attention_paths((2,), data=TASK)
    with pytest.raises(ParameterError, match=r"of U_1 does not fall .* not below its size, 2"):
        sample_action(model, 10, N=1, T=0.05)
    assert len(sample_action(model, 10, N=1.5, T=0.05, thin=1, warm_up=0).entries) == 10
