"""C99 for a `Program`: one segment function an integral, one function each for map and report."""

from __future__ import annotations

import math

import sympy as sp

from replica.calculus.vector import SpectralRadius
from replica.compile.c_printer import Printer
from replica.compile.c_regions import (
    header,
    inner_average,
    integrate_region,
    vector_root_functions,
)
from replica.compile.c_roots import limits, root_functions
from replica.compile.c_samples import average_sample, vector_solve
from replica.compile.orthant_code import c_function
from replica.compile.program import (
    Assign,
    Block,
    InnerAverage,
    Loop,
    Program,
    Region,
    Sample,
    Segment,
    SiteLoop,
    VectorSolve,
)

_PRELUDE = """
RV_INLINE double rv_log_add_exp(double a, double b)
{
    return rv_max(a, b) + rv_log1p(rv_exp(-fabs(a - b)));
}
"""
_SPECTRAL_RADIUS = """
static double rv_spectral_radius(int n, const double *matrix)
{
    double real[n], imag[n], largest = 0;
    if (!eigenvalues(matrix, n, real, imag)) return NAN;
    for (int i = 0; i < n; ++i) largest = fmax(largest, hypot(real[i], imag[i]));
    return largest;
}
"""
# Only the loops over nodes are worth the heavy passes; the algebra between them is straight-line
# code that few passes serve as well. With less than O2 for the solver, which runs between any two
# evaluations, a solve took half as long again; with more it gained nothing.
_LEVEL = """
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC push_options
#pragma GCC optimize("{level}")
#endif
"""
_USUAL = """
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC pop_options
#endif
"""


class Emitter:
    """Names, functions and statements of one program while it is written."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.names: dict[sp.Symbol, str] = {}
        self.printer = Printer(self.names)
        self.slots: dict[sp.Symbol, int] = {}
        self.functions: dict[tuple[object, ...], str] = {}  # what is integrated, to the C function
        self.definitions: list[str] = []
        self.buffers: list[str] = []  # of inner averages of the region that is written
        self.segment_count = 0
        self.temporaries = 0
        self.most_integrands = 1
        for symbol in (*program.unknowns, *program.parameters):
            self.slot(symbol)

    def slot(self, symbol: sp.Symbol) -> str:
        """Name of a scalar in the state array ``s``."""
        if symbol not in self.slots:
            self.slots[symbol] = len(self.slots)
        self.names[symbol] = f"s[{self.slots[symbol]}]"
        return self.names[symbol]

    def text(self, expression: sp.Expr) -> str:
        """An expression in C."""
        return str(self.printer.doprint(expression))

    def eliminate(
        self, expressions: list[sp.Expr]
    ) -> tuple[list[tuple[sp.Symbol, sp.Expr]], list[sp.Expr]]:
        """Share common subexpressions over all equations of a scope."""
        counter = iter(range(self.temporaries, 10**9))
        symbols = (sp.Symbol(f"_t{i}", real=True) for i in counter)
        replacements, reduced = sp.cse(expressions, symbols=symbols, order="none")
        self.temporaries += len(replacements)
        for symbol, _ in replacements:
            self.names[symbol] = symbol.name
        return replacements, list(reduced)

    # -- scopes --------------------------------------------------------------------------------

    def block(self, block: Block, result: str, indent: str = "    ") -> list[str]:
        """Statements of a block, which leave its results in an array."""
        lines: list[str] = []
        group: list[Assign] = []

        def flush() -> None:
            replacements, values = self.eliminate([a.expression for a in group])
            lines.extend(f"{indent}const double {s} = {self.text(e)};" for s, e in replacements)
            for assign, value in zip(group, values, strict=True):
                lines.append(f"{indent}{self.slot(assign.symbol)} = {self.text(value)};")
            group.clear()

        for step in block.steps:
            if isinstance(step, Assign):
                assigned = {a.symbol for a in group}
                if step.expression.free_symbols & assigned:
                    flush()
                group.append(step)
                continue
            flush()
            if isinstance(step, SiteLoop):
                lines += self.site_loop(step, indent)
            else:
                lines += self.outer_loop(step, indent)
        flush()
        replacements, values = self.eliminate(list(block.results))
        lines += [f"{indent}const double {s} = {self.text(e)};" for s, e in replacements]
        lines += [f"{indent}{result}[{i}] = {self.text(v)};" for i, v in enumerate(values)]
        return lines

    def outer_loop(self, loop: Loop, indent: str) -> list[str]:
        """Statements that integrate with rules of their own."""
        count = len(loop.outputs)
        self.most_integrands = max(self.most_integrands, count)
        lines = [f"{indent}{{", f"{indent}    double sum[{count}] = {{0}};"]
        shared, numbers = self.eliminate(
            [e for s in loop.segments if not isinstance(s, Sample) for e in limits(s)]
        )
        lines += [f"{indent}    const double {s} = {self.text(e)};" for s, e in shared]
        texts = iter([self.text(e) for e in numbers])
        for segment in loop.segments:
            index = self.segment_count
            self.segment_count += 1
            if isinstance(segment, Sample):
                lines += average_sample(self, segment, index, indent + "    ")
                continue
            if isinstance(segment, Region):
                ends = [next(texts) for _ in limits(segment)]
                lines += integrate_region(self, segment, index, ends, indent + "    ")
                continue
            what = (segment.variable, segment.body, segment.integrands)
            if what not in self.functions:
                self.functions[what] = f"segment_{len(self.functions)}"
                self.definitions.append(self.segment_function(self.functions[what], segment))
            lower, upper, *features = [next(texts) for _ in limits(segment)]
            name = "NULL"
            if features:
                name = f"feature_{index}"
                lines.append(f"{indent}    const double {name}[] = {{{', '.join(features)}}};")
            lines.append(
                f"{indent}    integrate(rule, {index}, {self.functions[what]}, s, {count}, "
                f"{lower}, {upper}, {len(segment.features)}, {name}, sum);"
            )
        lines.append(f"{indent}    notice_measure(rule, {count}, sum);")
        lines += [f"{indent}    {self.slot(s)} = sum[{i}];" for i, s in enumerate(loop.outputs)]
        return [*lines, f"{indent}}}"]

    def segment_function(self, name: str, segment: Segment) -> str:
        """Function that adds a quadrature sum of all integrands of one segment."""
        count = len(segment.integrands)
        node = name.replace("segment_", "x")
        self.names[segment.variable] = node
        simd = not any(isinstance(step, Loop) for step in segment.body)
        loop, before = self.inside(segment, "sum", "        ", {segment.variable})
        head = [
            f"static void {name}(const quadrature *rule, const double *restrict s, "
            "double a, double b,",
            "    const double *restrict t, const double *restrict w, int n, double *restrict sum)",
            "{",
            "    (void)rule; (void)s;",
        ]
        totals = ", ".join(f"sum_{i} = 0" for i in range(count))
        head += [f"    double {totals};", *before]
        if simd:
            names = ", ".join(f"sum_{i}" for i in range(count))
            head.append(f"    #pragma omp simd reduction(+ : {names})")
        head += [
            "    for (int j = 0; j < n; j++) {",
            f"        const double {node} = a + (b - a) * t[j];",
            *loop,
            "    }",
        ]
        head += [f"    sum[{i}] += (b - a) * sum_{i};" for i in range(count)]
        return "\n".join([*head, "}"])

    def site_loop(self, loop: SiteLoop, indent: str) -> list[str]:
        """Call of a function that sums over the rows of a table, which is data of the call."""
        count = len(loop.outputs)
        what = (loop.table, loop.columns, loop.body, loop.integrands)
        if what not in self.functions:
            name = self.functions[what] = f"sites_{len(self.functions)}"
            self.names |= {column: f"{name}_{i}" for i, column in enumerate(loop.columns)}
            body, before = self.inside(loop, "sum", "        ", set(loop.columns))
            names = ", ".join(f"sum_{i}" for i in range(count))
            simd = not any(isinstance(step, Loop) for step in loop.body)
            self.definitions.append("\n".join([
                f"static void {name}(const quadrature *rule, const double *restrict s, "
                "double *restrict sum)",
                "{",
                f"    const int n = rule->rows[{loop.table}];",
                f"    const double *restrict w = rule->data[{loop.table}];",
                *(f"    const double *restrict column_{i} = w + (size_t){i + 1} * n;"
                  for i in range(len(loop.columns))),
                "    (void)s;",
                f"    double {', '.join(f'sum_{i} = 0' for i in range(count))};",
                *before,
                *([f"    #pragma omp simd reduction(+ : {names})"] if simd else []),
                "    for (int j = 0; j < n; j++) {",
                *(f"        const double {self.names[c]} = column_{i}[j];"
                  for i, c in enumerate(loop.columns)),
                *body,
                "    }",
                *(f"    sum[{i}] = sum_{i};" for i in range(count)),
                "}",
            ]))  # fmt: skip
        return [
            f"{indent}{{",
            f"{indent}    double sum[{count}];",
            f"{indent}    {self.functions[what]}(rule, s, sum);",
            *(f"{indent}    {self.slot(s)} = sum[{i}];" for i, s in enumerate(loop.outputs)),
            f"{indent}}}",
        ]

    def inside(
        self,
        segment: Segment | Region | Sample | SiteLoop,
        total: str,
        indent: str,
        inner: set[sp.Symbol],
    ) -> tuple[list[str], list[str]]:
        """Statements of one node; the second list is what does not depend on the node."""
        lines: list[str] = []
        before: list[str] = []
        moving = set(inner)

        def emit(expressions: list[sp.Expr]) -> list[sp.Expr]:
            replacements, reduced = self.eliminate(expressions)
            for symbol, expression in replacements:
                depends = bool(expression.free_symbols & moving)
                text = f"const double {symbol} = {self.text(expression)};"
                if depends:
                    moving.add(symbol)
                    lines.append(indent + text)
                else:
                    before.append("    " + text)
            return reduced

        for step in segment.body:
            if isinstance(step, Assign):
                (value,) = emit([step.expression])
                self.names[step.symbol] = step.symbol.name
                moving.add(step.symbol)
                lines.append(f"{indent}const double {step.symbol} = {self.text(value)};")
            elif isinstance(step, VectorSolve):
                lines += vector_solve(self, step, indent)
                moving |= set(step.symbols)
            elif isinstance(step, InnerAverage):
                lines += inner_average(self, step, indent, moving, before)
            else:
                assert isinstance(step, Loop)  # sums over sites are never nested
                lines += self.inner_loop(step, indent, moving)
        weight = "w[j] * " if total == "sum" else f"weight_{total} * "
        weight = "" if isinstance(segment, Sample) else weight
        for i, value in enumerate(emit(list(segment.integrands))):
            lines.append(f"{indent}{total}_{i} += {weight}({self.text(value)});")
        return lines, before

    def inner_loop(self, loop: Loop, indent: str, moving: set[sp.Symbol]) -> list[str]:
        """Statements that integrate at every node of an outer integral."""
        lines: list[str] = []
        for symbol in loop.outputs:
            self.names[symbol] = symbol.name
            moving.add(symbol)
        names = [s.name for s in loop.outputs]
        lines.append(f"{indent}double {', '.join(f'{n} = 0' for n in names)};")
        for segment in loop.segments:
            assert isinstance(segment, Segment)  # boxes are integrated by outer loops only
            self.temporaries += 1
            tag = f"inner{self.temporaries}"
            node = f"x_{tag}"
            self.names[segment.variable] = node
            shared, (lower, upper) = self.eliminate([segment.lower, segment.upper])
            count = len(segment.integrands)
            deeper = indent + "        "
            body, hoisted = self.inside(segment, tag, deeper, moving | {segment.variable})
            simd = not any(isinstance(step, Loop) for step in segment.body)
            totals = ", ".join(f"{tag}_{i}" for i in range(count))
            lines += [
                f"{indent}{{",
                *(f"{indent}    const double {s} = {self.text(e)};" for s, e in shared),
                f"{indent}    const double a_{tag} = {self.text(lower)};",
                f"{indent}    const double b_{tag} = {self.text(upper)};",
                f"{indent}    const double span_{tag} = rv_max(b_{tag} - a_{tag}, 0.0);",
                f"{indent}    double {', '.join(f'{tag}_{i} = 0' for i in range(count))};",
                *(indent + line for line in hoisted),
            ]
            if simd:
                lines.append(f"{indent}    #pragma omp simd reduction(+ : {totals})")
            lines += [
                f"{indent}    for (int j_{tag} = 0; j_{tag} < rule->inner_n; j_{tag}++) {{",
                f"{deeper}const double {node} = a_{tag} + span_{tag} * rule->inner_t[j_{tag}];",
                f"{deeper}const double weight_{tag} = rule->inner_w[j_{tag}];",
                *body,
                f"{indent}    }}",
                *(f"{indent}    {name} += span_{tag} * {tag}_{i};" for i, name in enumerate(names)),
                f"{indent}}}",
            ]
        return lines


def _segments(block: Block) -> list[Segment | Region | Sample]:
    return [s for step in block.steps if isinstance(step, Loop) for s in step.segments]


def c_source(program: Program) -> str:
    """Return the complete C source of a program: runtime headers and generated functions."""
    emitter = Emitter(program)
    bodies = []
    for name, block, result in (
        ("system_map", program.map, "fx"),
        ("system_report", program.report, "out"),
    ):
        lines = emitter.block(block, result)
        unpack = [f"    {emitter.names[s]} = x[{i}];" for i, s in enumerate(program.unknowns)] + [
            f"    {emitter.names[s]} = p[{i}];" for i, s in enumerate(program.parameters)
        ]
        bodies.append(
            f"static void {name}(quadrature *rule, const double *x, const double *p, "
            f"double *{result})\n{{\n    double s[N_STATE];\n    (void)rule; (void)p;\n"
            + "\n".join([*unpack, *lines])
            + "\n}"
        )
    roots = [*root_functions(emitter), *vector_root_functions(emitter)]
    lower = ", ".join(_number(a) for a, _ in program.domains)
    upper = ", ".join(_number(b) for _, b in program.domains)
    squares = ", ".join(map(str, program.squares))
    vanishing = ", ".join(str(int(v)) for v in program.vanishing)
    sizes = (
        f"enum {{ N_UNKNOWN = {len(program.unknowns)}, N_PARAMETER = {len(program.parameters)}, "
        f"N_OUTPUT = {len(program.outputs)}, N_SEGMENT = {emitter.segment_count}, "
        f"MAX_INTEGRAND = {emitter.most_integrands}, N_STATE = {len(emitter.slots)} }};"
    )
    domain = (
        f"static const double unknown_lower[N_UNKNOWN] = {{{lower}}};\n"
        f"static const double unknown_upper[N_UNKNOWN] = {{{upper}}};\n"
        f"static const int unknown_square[N_UNKNOWN] = {{{squares}}};\n"
        f"static const int unknown_vanishes[N_UNKNOWN] = {{{vanishing}}};"
    )
    segments = [p for b in (program.map, program.report) for p in _segments(b)]
    integrals = [
        header(name)
        for name, kind in (("cubature.h", Region), ("normal_rule.h", Region), ("sample.h", Sample))
        if any(isinstance(segment, kind) for segment in segments)
    ]
    if program.sampled:
        integrals.insert(0, f"#define SAMPLED {program.sampled}")
    orthants = [c_function(*kind) for kind in sorted(emitter.printer.orthants, key=str)]
    needed = any(e.has(SpectralRadius) for e in program.report.results)
    spectral = [_SPECTRAL_RADIUS] if needed else []
    parts = [
        header("vector_math.h"),
        _LEVEL.format(level="O2"), header("quadrature.h"), *integrals,
        header("inverse.h"), header("linear_algebra.h"),
        sizes, domain, _PRELUDE, *roots, _USUAL,
        *orthants, *emitter.definitions, *spectral,
        _LEVEL.format(level="O1"), *bodies, _USUAL,
        _LEVEL.format(level="O2"),
        *map(header, ("fixed_point.h", "iteration.h", "solver.h")), _USUAL,
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def _number(value: float) -> str:
    if math.isinf(value):
        return "INFINITY" if value > 0 else "-INFINITY"
    return repr(float(value))
