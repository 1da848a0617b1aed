"""C for averages over samples of points, and for the proximal operators at these."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replica.compile.program import Sample, VectorSolve

if TYPE_CHECKING:
    from replica.compile.c_code import Emitter


def average_sample(emitter: Emitter, sample: Sample, index: int, indent: str) -> list[str]:
    """Average over a sample of points."""
    name = f"sample_{index}"
    size, count = len(sample.variables), len(sample.integrands)
    for i, variable in enumerate(sample.variables):
        emitter.names[variable] = f"t[j * SAMPLED + {i}]"
    loop, before = emitter.inside(sample, "sum", "        ", set(sample.variables))
    emitter.definitions.append(
        "\n".join(
            [
                f"static void {name}(const quadrature *rule, const double *restrict s,",
                "    const double *restrict t, double *restrict v, int n, double *restrict sum)",
                "{",
                "    (void)rule; (void)s; (void)v;",
                f"    double {', '.join(f'sum_{i} = 0' for i in range(count))};",
                *before,
                "    for (int j = 0; j < n; j++) {",
                *loop,
                "    }",
                *(f"    sum[{i}] += sum_{i};" for i in range(count)),
                "}",
            ]
        )
    )
    return [f"{indent}average_sample(rule, {index}, {size}, {name}, s, {count}, sum);"]


def vector_solve(emitter: Emitter, step: VectorSolve, indent: str) -> list[str]:
    """Solve for a proximal operator at a point of a sample."""
    size = len(step.targets)
    emitter.temporaries += 1
    name = f"solved_{emitter.temporaries}"
    for i, symbol in enumerate(step.symbols):
        emitter.names[symbol] = f"{name}[{i}]"
    targets = ", ".join(emitter.text(e) for e in step.targets)
    return [
        f"{indent}const double target_{name}[] = {{{targets}}};",
        f"{indent}double {name}[{len(step.symbols)}];",
        f"{indent}vector_solve_{step.problem}(s, target_{name}, v + j * {size}, {name});",
    ]
