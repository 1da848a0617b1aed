"""C for the inversions of proximal pieces of one variable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import sympy as sp

from replica.compile.program import (
    Assign,
    InnerAverage,
    Program,
    ProximalRoot,
    Region,
    Sample,
    Segment,
    SiteLoop,
    Step,
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
    steps = (*program.map.steps, *program.report.steps)
    found = [root for e in _expressions(steps) for root in e.atoms(ProximalRoot)]
    return {int(root.args[0]) for root in found}


def _expressions(steps: Sequence[Step | VectorSolve | InnerAverage]) -> list[sp.Expr]:
    """All expressions of some steps, those inside of loops too."""
    found: list[sp.Expr] = []
    for step in steps:
        if isinstance(step, Assign):
            found.append(step.expression)
        elif isinstance(step, VectorSolve):
            found += step.targets
        elif isinstance(step, (SiteLoop, InnerAverage)):
            found += [*step.integrands, *_expressions(step.body)]
        else:
            for segment in step.segments:
                if not isinstance(segment, Sample):
                    found += limits(segment)
                found += [*segment.integrands, *_expressions(segment.body)]
    return found


def limits(segment: Segment | Region) -> list[sp.Expr]:
    """Ends of a segment, then centre and width of every feature."""
    if isinstance(segment, Region):
        return [*segment.lower, *segment.upper]
    return [segment.lower, segment.upper, *(e for pair in segment.features for e in pair)]
