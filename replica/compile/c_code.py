"""C99 for a `Program`: one segment function an integral, one function each for map and report."""

from __future__ import annotations

import math
from importlib import resources

import sympy as sp
from sympy.printing.c import C99CodePrinter

from replica.calculus import special
from replica.compile.program import Assign, Block, Loop, Program, ProximalRoot, Segment

_FUNCTIONS = {
    special.Tanh: "rv_tanh",
    special.Sech2: "rv_sech2",
    special.LogCosh: "rv_log_cosh",
    special.Sigmoid: "rv_sigmoid",
    special.Softplus: "rv_softplus",
    special.NormalPdf: "rv_normal_pdf",
    special.NormalCdf: "rv_normal_cdf",
    special.LogNormalCdf: "rv_log_normal_cdf",
    special.Mills: "rv_mills",
    special.MillsExcess: "rv_mills_excess",
    sp.exp: "rv_exp",
    sp.log: "rv_log",
    sp.erf: "rv_erf",
    sp.erfc: "rv_erfc",
    sp.tanh: "rv_tanh",
    sp.Abs: "fabs",
    sp.sign: "rv_sign",
    sp.Heaviside: "rv_heaviside",
}
_PRELUDE = """
RV_INLINE double rv_log_add_exp(double a, double b)
{
    return rv_max(a, b) + rv_log1p(rv_exp(-fabs(a - b)));
}
"""
# The solver is dense algebra of a few unknowns: optimising it hard would double the compile time.
_MODERATE = """
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O1")
#endif
"""


class _Printer(C99CodePrinter):
    """Doubles only, own vectorising functions, small powers as products."""

    def _print_Function(self, expr: sp.Function) -> str:
        name = _FUNCTIONS.get(expr.func)
        if name is not None:
            return f"{name}({self._print(expr.args[0])})"
        if isinstance(expr, ProximalRoot):
            index, *rest = expr.args
            return f"root_{int(index)}(s, {', '.join(self._print(a) for a in rest)})"
        return str(super()._print_Function(expr))

    def _print_Nested(self, name: str, args: tuple[sp.Expr, ...]) -> str:
        text = self._print(args[-1])
        for argument in reversed(args[:-1]):
            text = f"{name}({self._print(argument)}, {text})"
        return text

    def _print_LogSumExp(self, expr: sp.Expr) -> str:
        return self._print_Nested("rv_log_add_exp", expr.args)

    def _print_Max(self, expr: sp.Expr) -> str:
        return self._print_Nested("rv_max", expr.args)

    def _print_Min(self, expr: sp.Expr) -> str:
        return self._print_Nested("rv_min", expr.args)

    _print_ProximalRoot = _print_Function
    for _kind in _FUNCTIONS:
        locals()[f"_print_{_kind.__name__}"] = _print_Function
    _print_ExpBase = _print_Function

    def _print_Rational(self, expr: sp.Rational) -> str:
        return repr(int(expr.p) / int(expr.q))

    def _print_Integer(self, expr: sp.Integer) -> str:
        return repr(float(int(expr)))

    _print_One = _print_Zero = _print_NegativeOne = _print_Integer

    def _print_Half(self, expr: sp.Expr) -> str:
        return "0.5"

    def _print_Float(self, expr: sp.Float) -> str:
        return repr(float(expr))

    def _print_Pi(self, expr: sp.Expr) -> str:
        return repr(math.pi)

    def _print_Exp1(self, expr: sp.Expr) -> str:
        return repr(math.e)

    def _print_Infinity(self, expr: sp.Expr) -> str:
        return "INFINITY"

    def _print_NegativeInfinity(self, expr: sp.Expr) -> str:
        return "-INFINITY"

    def _print_NaN(self, expr: sp.Expr) -> str:
        return "NAN"

    def _print_Pow(self, expr: sp.Pow) -> str:
        base, exponent = expr.base, expr.exp
        if exponent == sp.S.Half:
            return f"sqrt({self._print(base)})"
        if exponent == -sp.S.Half:
            return f"(1.0/sqrt({self._print(base)}))"
        if exponent.is_Rational and exponent.q == 2:
            whole = abs(int(exponent.p)) // 2
            root = f"sqrt({self._print(base)})"
            text = f"({root}*{self._product(base, whole)})" if whole else root
            return text if exponent > 0 else f"(1.0/{text})"
        if exponent.is_Integer and 0 < abs(int(exponent)) <= 12:
            text = self._product(base, abs(int(exponent)))
            return text if exponent > 0 else f"(1.0/{text})"
        return f"pow({self._print(base)}, {self._print(exponent)})"

    def _product(self, base: sp.Expr, count: int) -> str:
        text = f"({self._print(base)})"
        return f"({'*'.join([text] * count)})"


class _Emitter:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.printer = _Printer()
        self.names: dict[sp.Symbol, str] = {}
        self.slots: dict[sp.Symbol, int] = {}
        self.functions: list[str] = []
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
        symbols = expression.free_symbols
        plain = {s: sp.Symbol(self.names[s]) for s in symbols}
        return str(self.printer.doprint(expression.xreplace(plain)))

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
            else:
                flush()
                lines += self.outer_loop(step, indent)
        flush()
        replacements, values = self.eliminate(list(block.results))
        lines += [f"{indent}const double {s} = {self.text(e)};" for s, e in replacements]
        lines += [f"{indent}{result}[{i}] = {self.text(v)};" for i, v in enumerate(values)]
        return lines

    def outer_loop(self, loop: Loop, indent: str) -> list[str]:
        count = len(loop.outputs)
        self.most_integrands = max(self.most_integrands, count)
        lines = [f"{indent}{{", f"{indent}    double sum[{count}] = {{0}};"]
        for segment in loop.segments:
            index = self.segment_count
            self.segment_count += 1
            self.functions.append(self.segment_function(index, segment))
            features = ", ".join(f"{self.text(c)}, {self.text(w)}" for c, w in segment.features)
            name = "NULL"
            if segment.features:
                name = f"feature_{index}"
                lines.append(f"{indent}    const double {name}[] = {{{features}}};")
            lines.append(
                f"{indent}    integrate(rule, {index}, segment_{index}, s, {count}, "
                f"{self.text(segment.lower)}, {self.text(segment.upper)}, "
                f"{len(segment.features)}, {name}, sum);"
            )
        lines += [f"{indent}    {self.slot(s)} = sum[{i}];" for i, s in enumerate(loop.outputs)]
        return [*lines, f"{indent}}}"]

    def segment_function(self, index: int, segment: Segment) -> str:
        """Function that adds a quadrature sum of all integrands of one segment."""
        count = len(segment.integrands)
        node = f"x{index}"
        self.names[segment.variable] = node
        simd = not any(isinstance(step, Loop) for step in segment.body)
        loop, before = self.inside(segment, "sum", "        ", {segment.variable})
        head = [
            f"static void segment_{index}(const quadrature *rule, const double *restrict s, "
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

    def inside(
        self, segment: Segment, total: str, indent: str, inner: set[sp.Symbol]
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
            else:
                lines += self.inner_loop(step, indent, moving)
        weight = "w[j]" if total == "sum" else f"weight_{total}"
        for i, value in enumerate(emit(list(segment.integrands))):
            lines.append(f"{indent}{total}_{i} += {weight} * ({self.text(value)});")
        return lines, before

    def inner_loop(self, loop: Loop, indent: str, moving: set[sp.Symbol]) -> list[str]:
        lines: list[str] = []
        for symbol in loop.outputs:
            self.names[symbol] = symbol.name
            moving.add(symbol)
        names = [s.name for s in loop.outputs]
        lines.append(f"{indent}double {', '.join(f'{n} = 0' for n in names)};")
        for segment in loop.segments:
            self.temporaries += 1
            tag = f"inner{self.temporaries}"
            node = f"x_{tag}"
            self.names[segment.variable] = node
            lower, upper = self.text(segment.lower), self.text(segment.upper)
            count = len(segment.integrands)
            deeper = indent + "        "
            body, hoisted = self.inside(segment, tag, deeper, moving | {segment.variable})
            simd = not any(isinstance(step, Loop) for step in segment.body)
            totals = ", ".join(f"{tag}_{i}" for i in range(count))
            lines += [
                f"{indent}{{",
                f"{indent}    const double a_{tag} = {lower}, b_{tag} = {upper};",
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

    def root_functions(self) -> list[str]:
        """One monotone inversion a smooth proximal piece without explicit inverse."""
        texts = []
        for index, problem in enumerate(self.program.roots):
            if not self.used_root(index):
                continue
            self.names[problem.variable] = "v"
            texts.append(
                f"static double point_{index}(const double *s, double v, double *slope)\n{{\n"
                f"    (void)s;\n    *slope = {self.text(problem.derivative)};\n"
                f"    return {self.text(problem.point)};\n}}\n"
                f"static double root_{index}(const double *s, double target, double lower, "
                "double upper)\n{\n"
                f"    return rv_invert(point_{index}, s, target, lower, upper);\n}}"
            )
        return texts

    def used_root(self, index: int) -> bool:
        used = getattr(self, "_used", None)
        if used is None:
            found: set[int] = set()
            for block in (self.program.map, self.program.report):
                for step in block.steps:
                    if isinstance(step, Loop):
                        for expression in _loop_expressions(step):
                            found |= {int(r.args[0]) for r in expression.atoms(ProximalRoot)}
            used = self._used = found
        return index in used


def _loop_expressions(loop: Loop) -> list[sp.Expr]:
    found: list[sp.Expr] = []
    for segment in loop.segments:
        found += [segment.lower, segment.upper, *segment.integrands]
        found += [e for pair in segment.features for e in pair]
        for step in segment.body:
            found += [step.expression] if isinstance(step, Assign) else _loop_expressions(step)
    return found


def c_source(program: Program) -> str:
    """Return the complete C source of a program: runtime headers and generated functions."""
    emitter = _Emitter(program)
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
    roots = emitter.root_functions()
    lower = ", ".join(_number(a) for a, _ in program.domains)
    upper = ", ".join(_number(b) for _, b in program.domains)
    sizes = (
        f"enum {{ N_UNKNOWN = {len(program.unknowns)}, N_PARAMETER = {len(program.parameters)}, "
        f"N_OUTPUT = {len(program.outputs)}, N_SEGMENT = {emitter.segment_count}, "
        f"MAX_INTEGRAND = {emitter.most_integrands}, N_STATE = {len(emitter.slots)} }};"
    )
    domain = (
        f"static const double unknown_lower[N_UNKNOWN] = {{{lower}}};\n"
        f"static const double unknown_upper[N_UNKNOWN] = {{{upper}}};"
    )
    generated = [sizes, domain, _PRELUDE, *roots, *emitter.functions, *bodies]
    headers = [_header(n) for n in ("vector_math.h", "quadrature.h", "inverse.h")]
    footers = [_header(n) for n in ("linear_algebra.h", "fixed_point.h", "iteration.h", "solver.h")]
    return "\n\n".join([*headers, *generated, _MODERATE, *footers]) + "\n"


def _header(name: str) -> str:
    return (resources.files("replica.compile") / "c" / name).read_text()


def _number(value: float) -> str:
    if math.isinf(value):
        return "INFINITY" if value > 0 else "-INFINITY"
    return repr(float(value))
