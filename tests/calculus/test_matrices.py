"""Matrix calculus: rules, gradients against plain differences, what cannot be derived."""

import numpy as np
import pytest
import sympy as sp

from replica import DeclarationError, DerivationError
from replica.calculus.matrices import (
    Agreement,
    Blocks,
    Features,
    KernelOverlap,
    KernelSum,
    LogDet,
    PartialTrace,
    SymmetricMatrix,
)
from replica.calculus.matrix_derivative import differential, gradient
from replica.compile.action.program import MatrixProgram
from replica.kernels import PathFeatures

P = sp.Symbol("P", integer=True, positive=True)
U, X = SymmetricMatrix("U", 4), SymmetricMatrix("X", 2)
Z = Features("Z", P, 4)
a = sp.Symbol("a", positive=True)
y = sp.MatrixSymbol("y", P, 1)


def test_symmetric_matrices_are_their_own_transpose():
    assert U.T == U
    assert U.inverse() == U.inverse().T
    assert X * U[:2, :2] != (X * U[:2, :2]).T


def test_logarithms_of_determinants_are_taken_apart():
    assert LogDet(sp.Identity(3)) == 0
    assert LogDet(a * sp.Identity(3)) == 3 * sp.log(a)
    assert LogDet(Blocks(X, 2)) == 2 * LogDet(X)
    assert LogDet(a * Blocks(X, 2)) == 4 * sp.log(a) + 2 * LogDet(X)


def test_factors_that_are_blocks_leave_a_partial_trace():
    B = Blocks(X, 2)
    assert PartialTrace(B, 2) == 2 * X
    assert PartialTrace(B.inverse() * U * B.inverse(), 2) == (
        X.inverse() * PartialTrace(U, 2) * X.inverse()
    )
    assert PartialTrace(U, 1) == U


def test_kernels_are_linear_and_transpose():
    K = KernelSum(3 * U + sp.Identity(4), Z, Z)
    assert 3 * KernelSum(U, Z, Z) + KernelSum(sp.Identity(4), Z, Z) == K
    other = Features("Y", P, 4)
    assert KernelSum(U, other, Z) == KernelSum(U, Z, other).T
    assert KernelSum(U, Z, Z).shape == (P, P)
    assert KernelSum(Blocks(U, 3), Z, Z).shape == (3 * P, 3 * P)
    with pytest.raises(DeclarationError, match="size 2 cannot weight the 4 paths"):
        KernelSum(X, Z, Z)


def test_textbook_gradients():
    A = sp.MatrixSymbol("A", 2, 2)
    assert gradient(LogDet(X), [X])[X] == X.inverse()
    assert gradient(sp.Trace(A * X), [X])[X] == A.T
    assert gradient(sp.Trace(A * X.inverse()), [X])[X] == -X.inverse() * A.T * X.inverse()
    assert gradient(a * sp.Trace(X) + sp.log(a), [a])[a] == sp.Trace(X) + 1 / a
    M = sp.MatrixSymbol("M", P, P)
    assert gradient(sp.Trace(M * KernelSum(U, Z, Z)), [U])[U] == KernelOverlap(M.T, Z, Z)
    with pytest.raises(DerivationError, match="no derivative"):
        gradient(Agreement(KernelSum(U, Z, Z) * y, y), [U])


@pytest.mark.parametrize("stored", [True, False])
def test_gradient_and_differential_against_differences(stored):
    """A function with every kind of node, by evaluation alone."""
    random = np.random.default_rng(0)
    features = PathFeatures(random.standard_normal((6, 5, 4)), 2**30 if stored else 0)
    K = KernelSum(a * U, Z, Z) + sp.Identity(P)
    scalar = (
        sp.Trace(y.T * K.inverse() * y) * LogDet(K)
        + sp.log(a) * sp.Trace(Blocks(X, 2).inverse() * U)
        + sp.Trace(X * PartialTrace(U, 2) * X)
        + LogDet(Blocks(X, 2) + U)
        + sp.Trace(KernelOverlap(K.inverse(), Z, Z) * U)
    )
    symbols = [U, X, a]
    found = gradient(scalar, symbols)
    step = {U: SymmetricMatrix("dU", 4), X: SymmetricMatrix("dX", 2), a: sp.Symbol("da")}
    changes = [differential(found[s], step) for s in symbols]
    program = MatrixProgram([scalar, *found.values(), *changes], {P: 6}, {"Z": features})

    def spd(size):
        root = random.standard_normal((size, size))
        return root @ root.T + np.eye(size)

    point = {U: spd(4), X: spd(2), a: 0.7, y: random.standard_normal((6, 1))}
    moves = {U: spd(4) - 3 * np.eye(4), X: spd(2) - np.eye(2), a: 0.4}
    labelled = {step[s]: move for s, move in moves.items()}

    def at(t):
        moved = {s: point[s] + t * moves[s] for s in symbols}
        return program({**point, **moved, **labelled})

    h = 1e-3
    value, *rest = at(0.0)
    slope = (8 * (at(h)[0] - at(-h)[0]) - (at(2 * h)[0] - at(-2 * h)[0])) / (12 * h)
    assert slope == pytest.approx(
        sum(np.sum(g * moves[s]) for s, g in zip(symbols, rest[:3], strict=True)), rel=1e-9
    )
    for i, change in enumerate(rest[3:], 1):
        rate = (8 * (at(h)[i] - at(-h)[i]) - (at(2 * h)[i] - at(-2 * h)[i])) / (12 * h)
        # What is symmetric only as a whole is symmetrised by stored kernels.
        rate, change = ((m + np.transpose(m)) / 2 for m in (rate, change))
        assert change == pytest.approx(rate, rel=1e-7, abs=1e-7 * np.abs(rate).max())
    assert np.isfinite(value)


def test_many_directions_at_once_are_those_one_at_a_time():
    random = np.random.default_rng(1)
    features = PathFeatures(random.standard_normal((6, 5, 4)))
    K = KernelSum(U, Z, Z) + sp.Identity(P)
    dU = SymmetricMatrix("dU", 4)
    change = differential(gradient(LogDet(K) + sp.Trace(y.T * K.inverse() * y), [U])[U], {U: dU})
    program = MatrixProgram([change], {P: 6}, {"Z": features}, [dU])
    moves = random.standard_normal((3, 4, 4))
    moves += np.swapaxes(moves, 1, 2)
    fixed = {U: np.eye(4), y: random.standard_normal((6, 1))}
    known = {}
    (together,) = program({**fixed, dU: moves}, known=known)
    assert known
    for move, expected in zip(moves, together, strict=True):
        (alone,) = program({**fixed, dU: move[None]}, known=known)
        assert alone[0] == pytest.approx(expected, abs=1e-12)


def test_symbols_and_nodes_survive_a_process_boundary():
    import pickle

    for thing in (U, Z, KernelSum(U, Z, Z), LogDet(U), Blocks(X, 2)):
        assert pickle.loads(pickle.dumps(thing)) == thing
