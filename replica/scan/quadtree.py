"""Cells of a lattice that are halved where the labels of their points differ.

A uniform lattice of ``n`` points a side costs ``n**2`` evaluations, of which nearly all say what
their neighbours said. Halving only the cells that a boundary crosses costs a multiple of ``n``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int8]
Points = NDArray[np.intp]
#: Label of a lattice point that was not evaluated.
UNKNOWN = np.int8(-1)


@dataclass(frozen=True)
class Cell:
    """A square of the lattice by its lowest corner and its side."""

    i: int
    j: int
    side: int

    def corners(self) -> list[tuple[int, int]]:
        """Return its four corners."""
        far_i, far_j = self.i + self.side, self.j + self.side
        return [(self.i, self.j), (far_i, self.j), (self.i, far_j), (far_i, far_j)]

    def quarters(self) -> list[Cell]:
        """Return the four cells of half its side that make it up."""
        half = self.side // 2
        return [
            Cell(self.i + a, self.j + b, half) for a in (0, half) for b in (0, half)
        ]  # fmt: skip


def refine(
    evaluate: Callable[[Points], Labels], cells: tuple[int, int], levels: int
) -> tuple[Labels, NDArray[np.bool_]]:
    """Find the label of every point of a lattice by evaluating few of them.

    Parameters
    ----------
    evaluate : callable
        Labels, at least 0, of an array of lattice points of shape (points, 2).
    cells : pair of int
        Number of cells along each side at first. A region that no corner of them falls into, and
        that no boundary leads to, is not seen.
    levels : int
        How often a cell may be halved: the lattice has ``cells * 2**levels + 1`` points a side.

    Returns
    -------
    labels : array of int8
        The label of every point; inside a cell whose known points agree, that of its corners.
    evaluated : array of bool
        Which points were evaluated.

    Notes
    -----
    A cell is halved where any two evaluated points on its edges differ, so that a boundary is
    followed also into a cell of which it cuts a single edge, once its neighbour is halved there.
    """
    side = 2**levels
    labels = np.full((cells[0] * side + 1, cells[1] * side + 1), UNKNOWN)
    leaves = [Cell(i * side, j * side, side) for i in range(cells[0]) for j in range(cells[1])]
    wanted = {corner for cell in leaves for corner in cell.corners()}
    while True:
        points = np.array(sorted(p for p in wanted if labels[p] == UNKNOWN), dtype=np.intp)
        if len(points):
            labels[points[:, 0], points[:, 1]] = evaluate(points)
        crossed = {cell for cell in leaves if cell.side > 1 and _differs(labels, cell)}
        if not crossed:
            break
        leaves = [cell for cell in leaves if cell not in crossed]
        new = [quarter for cell in crossed for quarter in cell.quarters()]
        leaves += new
        wanted = {corner for cell in new for corner in cell.corners()}
    evaluated = labels != UNKNOWN
    for cell in leaves:
        inside = labels[cell.i : cell.i + cell.side + 1, cell.j : cell.j + cell.side + 1]
        inside[inside == UNKNOWN] = labels[cell.i, cell.j]
    return labels, evaluated


def _differs(labels: Labels, cell: Cell) -> bool:
    """Whether two evaluated points on the edges of a cell have different labels."""
    square = labels[cell.i : cell.i + cell.side + 1, cell.j : cell.j + cell.side + 1]
    edges = np.concatenate([square[0], square[-1], square[:, 0], square[:, -1]])
    known = edges[edges != UNKNOWN]
    return bool(known.min() != known.max())
