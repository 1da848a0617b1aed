"""C for integrals over several variables, and for proximal operators of several variables."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

import sympy as sp

from replica.compile.program import InnerAverage, Region

if TYPE_CHECKING:
    from replica.compile.c_code import Emitter


def header(name: str) -> str:
    """Text of a runtime header."""
    return (resources.files("replica.compile") / "c" / name).read_text()


def integrate_region(
    emitter: Emitter, region: Region, index: int, ends: list[str], indent: str
) -> list[str]:
    """Integrate over a box; regions that differ in their ends only share a function."""
    size, count = len(region.variables), len(region.integrands)
    what = (region.variables, region.body, region.integrands)
    if what not in emitter.functions:
        emitter.functions[what] = f"region_{len(emitter.functions)}"
        emitter.definitions.append(_region_function(emitter, emitter.functions[what], region))
    return [
        f"{indent}const double lower_{index}[] = {{{', '.join(ends[:size])}}};",
        f"{indent}const double upper_{index}[] = {{{', '.join(ends[size:])}}};",
        f"{indent}integrate_region(rule, {index}, {size}, {emitter.functions[what]}, s, {count}, "
        f"lower_{index}, upper_{index}, sum);",
    ]


def _region_function(emitter: Emitter, name: str, region: Region) -> str:
    """Function that adds a cubature sum of all integrands of one region."""
    count = len(region.integrands)
    for i, variable in enumerate(region.variables):
        emitter.names[variable] = f"{name.replace('region_', 'x')}_{i}"
    emitter.buffers = []
    loop, before = emitter.inside(region, "sum", "        ", set(region.variables))
    names = ", ".join(f"sum_{i}" for i in range(count))
    places = [
        f"        const double {emitter.names[v]} = a[{i}] + (b[{i}] - a[{i}]) * t[{i} * n + j];"
        for i, v in enumerate(region.variables)
    ]
    nested = any(isinstance(step, InnerAverage) for step in region.body)
    simd = [] if nested else [f"    #pragma omp simd reduction(+ : {names})"]
    volume = " * ".join(f"(b[{i}] - a[{i}])" for i in range(len(places)))
    return "\n".join(
        [
            f"static void {name}(const quadrature *rule, const double *restrict s,",
            "    const double *restrict a, const double *restrict b, const double *restrict t,",
            "    const double *restrict w, int n, double *restrict sum)",
            "{",
            "    (void)rule; (void)s;",
            f"    double {', '.join(f'sum_{i} = 0' for i in range(count))};",
            *before,
            *simd,
            "    for (int j = 0; j < n; j++) {",
            *places,
            *loop,
            "    }",
            *(f"    free({buffer});" for buffer in emitter.buffers),
            *(f"    sum[{i}] += {volume} * sum_{i};" for i in range(count)),
            "}",
        ]
    )


def inner_average(
    emitter: Emitter, step: InnerAverage, indent: str, moving: set[sp.Symbol], before: list[str]
) -> list[str]:
    """Average over standard normal variables at one node.

    Nodes and tables are made ahead of the loop over outer nodes, in ``before``.
    """
    size = len(step.variables)
    tag = f"normal_{len(emitter.buffers)}"
    room = f"{tag}_room"
    for d, variable in enumerate(step.variables):
        emitter.names[variable] = f"{tag}[{d} * {room} + i]"
    weight = f"{tag}[{size} * {room} + i]"
    free = "".join(f"free({other}); " for other in emitter.buffers)
    emitter.buffers.append(tag)
    before += [
        f"    const int {tag}_axis = normal_axis(rule);",
        f"    const int {room} = {' * '.join([f'{tag}_axis'] * size)};",
        f"    double *restrict {tag} = "
        f"malloc((size_t){size + 1 + len(step.tables)} * {room} * sizeof(double));",
        f"    if (!{tag}) {{ {free}sum[0] = NAN; return; }}",
        f"    const int {tag}_n = normal_nodes({size}, {tag}_axis, {room}, {tag}, "
        f"{tag} + {size} * {room});",
    ]
    inside = set(step.variables)
    shared, values = emitter.eliminate([e for _, e in step.tables])
    fill = [f"        const double {s} = {emitter.text(e)};" for s, e in shared]
    for k, ((symbol, _), value) in enumerate(zip(step.tables, values, strict=True)):
        emitter.names[symbol] = f"{tag}[{size + 1 + k} * {room} + i]"
        inside.add(symbol)
        fill.append(f"        {emitter.names[symbol]} = {emitter.text(value)};")
    if step.tables:
        before += [f"    for (int i = 0; i < {tag}_n; i++) {{", *fill, "    }"]
    lines: list[str] = []
    body: list[str] = []

    def reduced(expressions: list[sp.Expr]) -> list[sp.Expr]:
        shared, values = emitter.eliminate(expressions)
        for symbol, expression in shared:
            text = f"const double {symbol} = {emitter.text(expression)};"
            if expression.free_symbols & inside:
                inside.add(symbol)
                body.append(f"{indent}    {text}")
            elif expression.free_symbols & moving:
                moving.add(symbol)
                lines.append(indent + text)
            else:
                before.append(f"    {text}")
        return values

    for assign in step.body:
        (value,) = reduced([assign.expression])
        emitter.names[assign.symbol] = assign.symbol.name
        inside.add(assign.symbol)
        body.append(f"{indent}    const double {assign.symbol} = {emitter.text(value)};")
    values = reduced(list(step.integrands))
    for symbol in step.outputs:
        emitter.names[symbol] = symbol.name
        moving.add(symbol)
    names = [s.name for s in step.outputs]
    return [
        *lines,
        f"{indent}double {', '.join(f'{name} = 0' for name in names)};",
        f"{indent}#pragma omp simd reduction(+ : {', '.join(names)})",
        f"{indent}for (int i = 0; i < {tag}_n; i++) {{",
        *body,
        *(
            f"{indent}    {name} += {weight} * ({emitter.text(value)});"
            for name, value in zip(names, values, strict=True)
        ),
        f"{indent}}}",
    ]


def vector_root_functions(emitter: Emitter) -> list[str]:
    """Slopes of each function of several variables, and its proximal operator."""
    texts = []
    for index, problem in enumerate(emitter.program.vector_roots):
        size = len(problem.variables)
        for i, variable in enumerate(problem.variables):
            emitter.names[variable] = f"v[{i}]"
        shared, slopes = emitter.eliminate([*problem.gradient, *problem.hessian])
        lines = [f"    const double {s} = {emitter.text(e)};" for s, e in shared]
        for i, value in enumerate(slopes):
            place = f"gradient[{i}]" if i < size else f"hessian[{i - size}]"
            lines.append(f"    {place} = {emitter.text(value)};")
        spread = ", ".join(emitter.text(e) for e in problem.spread)
        texts.append(
            f"static void slopes_{index}(const double *s, const double *v, double *gradient, "
            "double *hessian)\n{\n    (void)s;\n" + "\n".join(lines) + "\n}\n"
            f"static double vector_root_{index}(const double *s, int component, "
            f"const double *target)\n{{\n    const double spread[] = {{{spread}}};\n"
            f"    double v[{size}];\n    memcpy(v, target, sizeof v);\n"
            f"    rv_vector_root(slopes_{index}, s, {size}, spread, target, v);\n"
            "    return v[component];\n}\n"
            f"static void vector_solve_{index}(const double *s, const double *target, "
            f"double *start, double *result)\n{{\n    const double spread[] = {{{spread}}};\n"
            f"    rv_vector_solve(slopes_{index}, s, {size}, spread, target, start, result);\n}}"
        )
    return [header("vector_root.h"), *texts] if texts else []
