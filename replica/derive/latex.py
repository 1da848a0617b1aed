"""LaTeX of a derivation: one ``align`` block and the symbols that it uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy as sp

from replica.calculus import nodes, orthant, special, vector
from replica.calculus.spectra import MarchenkoPasturAverage, SiteAverage
from replica.declare.symbols import TEACHER_OVERLAP, V, beta, chi, m, q
from replica.derive.line_breaks import NEW_LINE, break_inside
from replica.derive.printer import PROXIMAL, latex, name_losses, name_parts
from replica.derive.vector_laws import name_laws

if TYPE_CHECKING:
    from replica.derive.saddle_point import SaddlePoint

MEANINGS = {
    m: "overlap with the quenched variable",
    q: "overlap of two replicas",
    V: "variance of the thermal variable, $q_d - q$",
    chi: r"susceptibility, $\lim \beta (q_d - q)$",
    beta: "inverse temperature",
}
#: In the measure of one site, exp(-Vhat s^2 / 2 + h s), with h of mean mhat s_0, variance qhat.
CONJUGATES = {
    "mhat": "conjugate of $m$: the quenched variable's weight in the mean of the local field",
    "qhat": "conjugate of $q$: variance of the local field",
    "Vhat": "conjugate of the self-overlap: curvature added to one site's energy",
}
FUNCTIONS = (
    (special.NormalCdf, r"\Phi", "distribution function of the standard normal law"),
    (special.LogNormalCdf, r"\Phi", "distribution function of the standard normal law"),
    (special.NormalPdf, r"\phi", "density of the standard normal law"),
    (special.Mills, r"\mathcal{R}(x)", r"$\phi(x)/\Phi(x)$"),
    (special.MillsExcess, r"\mathcal{R}_{+}(x)", r"$x + \phi(x)/\Phi(x)$"),
    (
        orthant.NormalOrthant,
        r"\Phi_{\rho}(a_1, a_2, \ldots)",
        r"$P(t_1\le a_1, t_2\le a_2, \ldots)$ of normal variables with correlation $\rho$",
    ),
    (
        vector.SpectralRadius,
        r"\varrho(\mathsf{R})",
        r"largest modulus of the eigenvalues of the response of the overlaps to themselves, "
        r"$\mathsf{R}\,\delta Q=\mathbb{E}[\chi\,\alpha\,\mathbb{E}[g'\,\delta Q\,g']\,\chi]$ with "
        r"the response $\chi$ of a site to its field (the posterior covariance, or "
        r"$(\lambda+\hat{V})^{-1}$), and the Jacobian $g'$ of the score of a sample "
        r"(the gradient of $\log P$, or $(\operatorname{prox}-x)/\chi$)",
    ),
    (special.Sigmoid, r"\sigma(x)", "$1/(1+e^{-x})$"),
    (sp.Heaviside, r"\theta", "step function"),
)


def align_block(saddle: SaddlePoint) -> str:
    """Return the equations as an ``align`` block."""
    head = "-e" if saddle.zero_temperature else r"\phi"
    rows = [(head, saddle.free_entropy)]
    rows += [(latex(s), e) for s, e in saddle.definitions]
    rows += [(latex(s), e) for s, e in saddle.conjugates]
    for unknown in saddle.unknowns:
        left = latex(unknown.symbol) if unknown.condition is None else "0"
        rows.append((left, unknown.update if unknown.condition is None else unknown.condition))
    if saddle.replicon is not None:
        rows.append((r"\lambda_{\mathrm{replicon}}", saddle.replicon))
    rows += [
        (rf"\text{{{_text(name)}}}", e)
        for name, e in saddle.observables.items()
        if name != "free_energy"  # the first row says it
    ]
    parts, right_sides = name_parts([e for _, e in rows])
    losses = name_losses(_expressions(saddle))
    laws, matrices = name_laws(right_sides)
    rows = list(zip((left for left, _ in rows), right_sides, strict=True))
    rows[1:1] = [(latex(name), meaning) for name, meaning in parts]
    lines = [f"  {left} &= {_break(latex(right, losses, laws))}" for left, right in rows]
    lines[1:1] = [f"  {name} &= {_matrix(*meaning)}" for name, *meaning in matrices]
    body = " \\\\\n".join(lines)
    return f"\\begin{{align}}\n{body}\n\\end{{align}}"


def symbol_list(saddle: SaddlePoint) -> str:
    """Return an ``itemize`` block that says what every symbol means."""
    items = [(latex(u.symbol), u.doc or MEANINGS.get(u.symbol, "")) for u in saddle.unknowns]
    items += [(latex(s), _conjugate(saddle, s)) for s, _ in saddle.conjugates]
    items += [(latex(p), p.doc or f"parameter {p.python_name}") for p in saddle.parameters.values()]
    expressions = _expressions(saddle)
    seen: dict[str, str] = {}
    for expression in expressions:
        for kind, symbol, meaning in FUNCTIONS:
            if expression.has(kind):
                seen.setdefault(symbol, meaning)
    items += [(latex(s), meaning) for s, meaning in _site_symbols(saddle)]
    losses = name_losses(expressions)
    for (function, variable), name in losses.items():
        seen[f"{name}({latex(variable)})={latex(function)}"] = "loss or penalty of one variable"
    if losses:
        nodes_in = set().union(*(e.atoms(*PROXIMAL) for e in expressions))
        seen[r"\operatorname{prox}_{\gamma\ell}(x)"] = (
            r"$\arg\min_v\,(v-x)^2/(2\gamma)+\ell(v)$, "
            r"$\mathcal{M}_{\gamma\ell}(x)$ the minimum"
        )
        if any(isinstance(node, nodes.ProximalSlope) for node in nodes_in):
            seen[r"\operatorname{prox}'_{\gamma\ell}(x)"] = "its derivative with respect to $x$"
        if any(isinstance(node, nodes.EnvelopeDerivative) for node in nodes_in):
            seen[r"\partial_a\mathcal{M}_{\gamma\ell}(x)"] = (
                "derivative of the minimum with respect to a parameter $a$ of $\\ell$"
            )
        for node in expression.atoms(*vector.ENVELOPE_NODES):
            names = ", ".join(map(sp.latex, node.args[1]))
            loss = rf"\ell({names})={sp.latex(node.args[0])}"
            seen.setdefault(
                loss,
                r"in $\mathcal{M}(x)=\min_v\,(v-x)^{T}S^{-1}(v-x)/2+\ell(v)$, $S="
                + sp.latex(node.args[3])
                + "$",
            )
    items += list(seen.items())
    body = "\n".join(rf"  \item ${symbol}$: {meaning or 'unknown'}." for symbol, meaning in items)
    return f"\\begin{{itemize}}\n{body}\n\\end{{itemize}}\n"


def _site_symbols(saddle: SaddlePoint) -> list[tuple[sp.Symbol, str]]:
    """Return the constants of the sites and the teacher's self-overlap, with their meaning."""
    given = [(TEACHER_OVERLAP, "self-overlap of the quenched variable")]
    items = [pair for pair in given if pair[0] in {s for s, _ in saddle.definitions}]
    nodes_in = set().union(*(e.atoms(SiteAverage) for e in _expressions(saddle)))
    for node in sorted(nodes_in, key=sp.default_sort_key)[:1]:
        items += [(s, "constant of a site, averaged over the sites") for s in node.symbols]
        if isinstance(node, MarchenkoPasturAverage):
            items[-1] = (node.symbols[0], "eigenvalue of a Marchenko-Pastur law of a given ratio")
    return items


def _expressions(saddle: SaddlePoint) -> list[sp.Expr]:
    """Return everything that is printed."""
    found = [saddle.free_entropy, *(e for _, e in saddle.conjugates + saddle.equations)]
    if saddle.replicon is not None:
        found.append(saddle.replicon)
    return found + list(saddle.observables.values())


def _matrix(scale: sp.Expr, pattern: sp.Matrix) -> str:
    """Return a multiple of a matrix on one line, its brackets those of the environment."""
    factor = rf"\left({latex(scale)}\right) " if scale.is_Add else f"{latex(scale)} "
    entries = r" \\ ".join(
        " & ".join(latex(entry) for entry in pattern.row(i)) for i in range(pattern.shape[0])
    )
    return ("" if scale == 1 else factor) + rf"\begin{{pmatrix}}{entries}\end{{pmatrix}}"


def _conjugate(saddle: SaddlePoint, symbol: sp.Symbol) -> str:
    """Return what a conjugate means."""
    names = {str(s): latex(s) for s in saddle.order_parameters}
    if set(names) & {"V", "chi"} and str(symbol) in CONJUGATES:
        return CONJUGATES[str(symbol)]
    partner = names.get(str(symbol).replace("hat", ""))
    return f"conjugate of ${partner}$" if partner else "conjugate variable"


def _text(name: str) -> str:
    return name.replace("_", " ")


def _break(latex: str) -> str:
    """Break a long sum at its top-level plus and minus signs."""
    if len(latex) < 160:
        return latex
    depth, parts, start = 0, [], 0
    for index, character in enumerate(latex):
        if character in "{([":
            depth += 1
        elif character in "})]":
            depth -= 1
        at_sign = latex[index : index + 3] in (" + ", " - ")
        if depth == 0 and at_sign and index - start > 60:
            parts.append(latex[start:index])
            start = index
    parts.append(latex[start:])
    return NEW_LINE.join(break_inside(part) for part in parts)
