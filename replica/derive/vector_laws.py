r"""Names for the laws of Gaussian vectors, each written once in a row of its own.

A matrix inside an average would make the line as wide as its entries, and the ``\\`` between its
rows would stand inside the brackets of the line.
"""

from __future__ import annotations

from collections.abc import Iterable

import sympy as sp

from replica.calculus.vector import VectorAverage, VectorLaw, common_factor

#: Printed name of the mean and of the covariance of each law.
Names = dict[VectorLaw, tuple[str, str]]
#: A name with the scale and the matrix that it stands for.
Rows = list[tuple[str, sp.Expr, sp.Matrix]]


def name_laws(expressions: Iterable[sp.Expr]) -> tuple[Names, Rows]:
    """Name the means and covariances of all averages over several variables.

    Returns
    -------
    names, rows
        Names for the printer, and what they stand for. A mean of zero, a single variance and a
        multiple of the unit matrix need no name.
    """
    laws = dict.fromkeys(
        node.law
        for expression in expressions
        for node in sorted(expression.atoms(VectorAverage), key=sp.default_sort_key)
    )
    rows: Rows = []
    named: dict[sp.Matrix, str] = {}
    for index, head in ((0, r"\boldsymbol{\mu}"), (1, r"\boldsymbol{\Sigma}")):
        matrices = dict.fromkeys(
            law[index] for law in laws if len(law[1].row(0)) > 1 and not _plain(law[index])
        )
        for number, matrix in enumerate(matrices, 1):
            named[matrix] = f"{head}_{{{number}}}" if len(matrices) > 1 else head
            rows.append((named[matrix], *common_factor(matrix)))
    return {law: (named.get(law[0], ""), named.get(law[1], "")) for law in laws}, rows


def _plain(matrix: sp.Matrix) -> bool:
    """Whether a matrix prints in a letter: zero, or a multiple of the unit matrix."""
    if matrix.is_zero_matrix:
        return True
    return bool(matrix.is_square and matrix == matrix[0, 0] * sp.eye(matrix.shape[0]))
