"""Run all benchmarks, print the table and write it as Markdown."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.attention import attention
from benchmarks.classes import classes
from benchmarks.covariate import covariate
from benchmarks.grid import grid
from benchmarks.manifolds import manifolds
from benchmarks.memories import memories
from benchmarks.paths import paths
from benchmarks.scale import scale
from benchmarks.single import POINT, single_solve
from benchmarks.startup import startup
from benchmarks.table import machine, markdown

_NOTES = (
    "The solve is that of the logistic Gaussian mixture at "
    + ", ".join(f"{name} = {value:g}" for name, value in POINT.items())
    + ", from the default start, to a certified relative error of 1e-10; the certificate, and all "
    "outputs with their errors, are part of the time.",
    "The hand-written program (`benchmarks/handwritten.c`) is what an expert writes for this model "
    "alone: the two integrands, the ends of the integrals and the algebra around them. It shares "
    "the quadrature, the iteration and the certificate of the package, that is their C headers, so "
    "that both take the same steps on the same panels; the ratio is the price of generating code.",
    "The Python loop (`benchmarks/quad_loop.py`) has no certificate. It stops at a relative change "
    "of 1e-10.",
    "Sites that differ are those of Gaussian covariates, a spectrum given as an array, at "
    "alpha = 2, lam = 0.01. The NumPy version (`benchmarks/covariate_numpy.py`) evaluates all "
    "nodes and all modes at once, iterates with damping 1/2, and stops at a relative change of "
    "1e-10.",
    "The grid is 100 values of lam from 1e-3 to 1 by 100 values of alpha from 0.5 to 4, after "
    "compilation; each row starts from its neighbour.",
    "The large grids are 1000 by 1000 points, solved on all cores, every block committed to the "
    "store and the result then written to a file; memory is the largest resident size.",
    "Attention paths start from the infinitely wide network. The certificate, the test error and "
    "all observables are part of the time of replica alone; the program beside it "
    "(`benchmarks/plain_paths.py`) stores the kernels of all pairs of paths.",
    "Memories (`benchmarks/plain_memories.py`): the NumPy version iterates all points of a grid at "
    "once, until the slowest has come to rest; the scan is that of a user, to a labelled data set.",
    "Attention is trained at alpha = 2, lam = 0.1, rho = 9. The NumPy version "
    "(`benchmarks/plain_attention.py`) writes the softmax of the teacher as a product of two "
    "exponentials, so that its double average is a product of matrices; it has no certificate and "
    "no observables, iterates with damping 1/2, and stops at a relative change of 1e-8.",
    "Loops of quadratic programs (`benchmarks/qp_loop.py`) take the plain mean of squared "
    "distances; the batch is as large as it must be for the same standard error. "
    "Processor times, one thread.",
    "Starts are measured in new interpreters; the new model has a loss that no run before had.",
)


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it runs")
    parser.add_argument("--out", type=Path, help="Markdown file (default: docs/benchmarks.md)")
    arguments = parser.parse_args()
    quick = arguments.quick
    solve_rows, _ = single_solve(*((2, 1, 1) if quick else ()))
    sections = {
        "One solve": solve_rows,
        "Sites that differ": covariate(*((50, 1, 1) if quick else ())),
        "A grid": grid(*((3, 1, 1000) if quick else ())),
        "A large grid": scale(*((20,) if quick else ())),
        "An action of matrices": paths(*((2, 30, 1) if quick else ())),
        "Memories": memories(*((4, 12.0, 1) if quick else ())),
        "Several classes": classes(*((1024, 1, 20) if quick else ())),
        "Attention": attention(*((1024, 1, 16) if quick else ())),
        "Capacity of manifolds": manifolds(*((200, 1, (2, 20, 30)) if quick else ())),
        "Before the first number": startup(1 if quick else 5),
    }
    text = markdown(sections, [machine(), *_NOTES])
    print(text)
    out = arguments.out
    if out is None and not quick:
        out = Path(__file__).parents[1] / "docs" / "benchmarks.md"
    if out is not None:
        out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
