"""C for the inversions of proximal pieces of one variable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy as sp

from replica.compile.program import (
    Loop,
    Program,
    ProximalRoot,
    Region,
    Sample,
    Segment,
    VectorSolve,
)

if TYPE_CHECKING:
    from replica.compile.c_code import Emitter


def root_functions(emitter: Emitter) -> list[str]:
    """One monotone inversion a smooth proximal piece without explicit inverse."""
    texts = []
    used = _used_roots(emitter.program)
    for index, problem in enumerate(emitter.program.roots):
        if index not in used:
            continue
        emitter.names[problem.variable] = "v"
        shared, (slope, value) = emitter.eliminate([problem.derivative, problem.point])
        lines = [f"    const double {s} = {emitter.text(e)};\n" for s, e in shared]
        texts.append(
            f"static double point_{index}(const double *s, double v, double *slope)\n{{\n"
            f"    (void)s;\n{''.join(lines)}    *slope = {emitter.text(slope)};\n"
            f"    return {emitter.text(value)};\n}}\n"
            f"static double root_{index}(const double *s, double target, double lower, "
            "double upper)\n{\n"
            f"    return rv_invert(point_{index}, s, target, lower, upper, "
            f"{emitter.text(problem.gain)});\n}}"
        )
    return texts


def _used_roots(program: Program) -> set[int]:
    """Inversions that are used anywhere."""
    loops = [s for b in (program.map, program.report) for s in b.steps if isinstance(s, Loop)]
    found = [r for loop in loops for e in _expressions(loop) for r in e.atoms(ProximalRoot)]
    return {int(root.args[0]) for root in found}


def _expressions(loop: Loop) -> list[sp.Expr]:
    found: list[sp.Expr] = []
    for segment in loop.segments:
        if not isinstance(segment, Sample):
            found += limits(segment)
        found += segment.integrands
        for step in segment.body:
            if isinstance(step, Loop):
                found += _expressions(step)
            else:
                found += step.targets if isinstance(step, VectorSolve) else [step.expression]
    return found


def limits(segment: Segment | Region) -> list[sp.Expr]:
    """Ends of a segment, then centre and width of every feature."""
    if isinstance(segment, Region):
        return [*segment.lower, *segment.upper]
    return [segment.lower, segment.upper, *(e for pair in segment.features for e in pair)]
