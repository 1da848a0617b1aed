"""LaTeX of a derivation: one ``align`` block and the symbols that it uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy as sp

from replica.calculus import nodes, orthant, special, vector
from replica.declare.symbols import V, beta, chi, m, q

if TYPE_CHECKING:
    from replica.derive.saddle_point import SaddlePoint

MEANINGS = {
    m: "overlap with the quenched variable",
    q: "overlap of two replicas",
    V: "variance of the thermal variable, $q_d - q$",
    chi: r"susceptibility, $\lim \beta (q_d - q)$",
    beta: "inverse temperature",
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
    (special.Sigmoid, r"\sigma(x)", "$1/(1+e^{-x})$"),
    (sp.Heaviside, r"\theta", "step function"),
)


def align_block(saddle: SaddlePoint) -> str:
    """Return the equations as an ``align`` block."""
    head = "-e" if saddle.zero_temperature else r"\phi"
    rows = [(head, saddle.free_entropy)]
    rows += [(sp.latex(s), e) for s, e in saddle.definitions]
    rows += [(sp.latex(s), e) for s, e in saddle.conjugates + saddle.equations]
    if saddle.replicon is not None:
        rows.append((r"\lambda_{\mathrm{replicon}}", saddle.replicon))
    rows += [
        (rf"\text{{{_text(name)}}}", e)
        for name, e in saddle.observables.items()
        if name != "free_energy"  # the first row says it
    ]
    body = " \\\\\n".join(f"  {left} &= {_break(sp.latex(right))}" for left, right in rows)
    return f"\\begin{{align}}\n{body}\n\\end{{align}}"


def symbol_list(saddle: SaddlePoint) -> str:
    """Return an ``itemize`` block that says what every symbol means."""
    items = [(sp.latex(u.symbol), u.doc or MEANINGS.get(u.symbol, "")) for u in saddle.unknowns]
    items += [(sp.latex(s), "conjugate") for s, _ in saddle.conjugates]
    items += [
        (sp.latex(p), p.doc or f"parameter {p.python_name}") for p in saddle.parameters.values()
    ]
    expressions = [saddle.free_entropy, *(e for _, e in saddle.conjugates + saddle.equations)]
    expressions += list(saddle.observables.values())
    if saddle.replicon is not None:
        expressions.append(saddle.replicon)
    seen: dict[str, str] = {}
    for expression in expressions:
        for kind, symbol, meaning in FUNCTIONS:
            if expression.has(kind):
                seen.setdefault(symbol, meaning)
        for node in expression.atoms(nodes.Proximal, nodes.MoreauEnvelope):
            loss = rf"\ell({sp.latex(node.variable)})={sp.latex(node.function)}"
            seen.setdefault(
                loss,
                r"in $\operatorname{prox}_{\gamma\ell}(x)=\arg\min_v\,(v-x)^2/(2\gamma)+\ell(v)$, "
                r"$\mathcal{M}_{\gamma\ell}$ the minimum",
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
    return " \\\\\n  &\\quad ".join(parts)
