"""Bayesian learning of the values in a deep multi-head attention network of finite width.

Tiberi, Mignacco, Irie & Sompolinsky, NeurIPS 2024 (arXiv:2405.15926): ``L`` layers of attention
that is given, ``H_l`` heads in layer ``l``, no nonlinearity; the value matrices have independent
Gaussian priors and are learned at temperature ``T`` with the square loss. A path takes one head in
each layer. The order parameters ``U_l`` are the overlaps of the effective weights of two paths from
layer ``l`` to the output, and the action weighs them by ``exp(-S/2)``.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import sympy as sp

from replica import ActionModel, DeclarationError, OrderParameter, Parameter
from replica.calculus.matrices import (
    Agreement,
    Blocks,
    Features,
    KernelSum,
    LogDet,
    SymmetricMatrix,
)
from replica.datasets import HiddenMarkovChain

P, P_test = sp.symbols("P P_*", integer=True, positive=True)
T = Parameter("T", 0.01, (0, math.inf), "temperature, the variance of the labels' noise")
N = Parameter("N", 100.0, (0, math.inf), "width of every layer", open="lower")


def _positive(name: str, default: float, doc: str) -> Parameter:
    return Parameter(name, default, (0, math.inf), doc, open="lower")


def attention_paths(
    heads: Sequence[int] = (2, 2),
    *,
    outputs: int = 1,
    equal_widths: bool = True,
    data: Any,
    name: str = "attention-paths-custom",
    title: str = "Attention paths",
) -> ActionModel:
    """Declare the network with so many heads in each layer, the first layer first.

    The data are features ``Z`` and labels ``y`` (and ``Z_test``, ``y_test``), the output the faster
    index of the labels; `replica.kernels.path_features` makes features from tokens and attention.

    Raises
    ------
    DeclarationError
        If there is no layer, or one without a head, or no output.
    """
    heads = tuple(_counts(heads, "heads of each layer"))
    (outputs,) = _counts((outputs,), "outputs")
    depth, layers = len(heads), range(1, len(heads) + 1)
    paths = math.prod(heads)
    above = [f"{layer}" for layer in layers] + ["a"]
    width = dict.fromkeys(above, N)
    if not equal_widths:
        width = {k: _positive(f"N_{k}", 100.0, f"width of layer {k}") for k in above}
    sigma = {
        k: _positive(f"sigma_{k}", 1.0, f"standard deviation of the prior weights, layer {k}")
        for k in ["0", *above]
    }
    U: dict[str, Any] = {"a": sp.Symbol("U_a", positive=True)}
    if outputs > 1:
        U["a"] = SymmetricMatrix("U_a", outputs)
    prior = sp.Identity(outputs)
    action, conserved, start = _level(U["a"], prior, width["a"], sigma["a"])
    parameters = [OrderParameter(U["a"], start=start, doc="overlap of the readout weights")]
    numbers = {"conserved_a": conserved}
    below: Any = U["a"]
    for layer in reversed(layers):
        key, count = str(layer), heads[layer - 1]
        U[key] = SymmetricMatrix(f"U_{key}", math.prod(heads[layer - 1 :]) * outputs)
        scalar = not isinstance(below, SymmetricMatrix)
        prior = below * sp.Identity(count) if scalar else Blocks(below, count)
        term, conserved, factor = _level(U[key], prior, width[key], sigma[key])
        start *= factor
        action += term
        numbers[f"conserved_{key}"] = conserved
        doc = f"overlaps of the paths from layer {layer} to the output"
        parameters.append(OrderParameter(U[key], start=start, doc=doc))
        below = U[key]

    Z, Z_test = Features("Z", P, paths), Features("Z_test", P_test, paths)
    y = sp.MatrixSymbol("y", P * outputs, 1)
    y_test = sp.MatrixSymbol("y_test", P_test * outputs, 1)
    weights = sigma["0"] ** 2 * U["1"]
    K = KernelSum(weights, Z, Z) + T * sp.Identity(P * outputs)
    energy = LogDet(K) + sp.Trace(y.T * K.inverse() * y)
    cross, test = KernelSum(weights, Z_test, Z), KernelSum(weights, Z_test, Z_test)
    mean = cross * K.inverse() * y
    wrong = mean - y_test
    mse = sp.Trace(wrong.T * wrong) / P_test
    explained = sp.Trace(cross * K.inverse() * cross.T)
    variance = (sp.Trace(test) - explained).doit() / P_test
    return ActionModel(
        name=name,
        title=title,
        reference="Tiberi, Mignacco, Irie & Sompolinsky, NeurIPS 2024, arXiv:2405.15926",
        action=action + energy,
        order_parameters=parameters,
        data=data,
        definitions={
            sp.MatrixSymbol("K", *K.shape): K,
            sp.MatrixSymbol("K_*", *cross.shape): KernelSum(U["1"], Z_test, Z),
            sp.MatrixSymbol("K_**", *test.shape): KernelSum(U["1"], Z_test, Z_test),
        },
        observables={
            "mse": mse,
            "variance": variance,
            "generalization_error": mse + variance,
            "accuracy": Agreement(mean, y_test, outputs),
            **numbers,
        },
        identities={
            f"conservation, layer {key}": numbers["conserved_a"] - numbers[f"conserved_{key}"]
            for key in above[:depth]
        },
    )


def _counts(values: Sequence[int], what: str) -> list[int]:
    """Return whole numbers, one or more each."""
    try:
        found = [operator.index(value) for value in values]
    except TypeError:
        found = []
    if not found or min(found) < 1:
        raise DeclarationError(f"{what}: expected whole numbers from 1 on, got {values!r}.")
    return found


def _level(U: Any, prior: Any, width: sp.Expr, sigma: sp.Expr) -> tuple[Any, Any, Any]:
    """Relative entropy of overlaps of Gaussian weights, its conserved number, the prior's scale."""
    if not isinstance(U, SymmetricMatrix):
        return width * (U / sigma**2 - sp.log(U)), width * (U / sigma**2 - 1), sigma**2
    trace = sp.Trace(prior.inverse() * U).doit() / sigma**2
    action = width * (trace - LogDet(U) + LogDet(prior))
    return action, width * (trace - U.shape[0]), sigma**2


hidden_markov = attention_paths(
    (2, 2),
    data=HiddenMarkovChain(seed=1),
    name="attention-paths",
    title="Attention paths, hidden Markov chains",
)
denoising = attention_paths(
    (2, 1),
    data=HiddenMarkovChain(
        seed=2, noise_out_of_plane=5.0, heads=(("previous", "uniform"), ("uniform",))
    ),
    name="attention-paths-denoising",
    title="Attention paths, noisy hidden Markov chains and a denoising path",
)
