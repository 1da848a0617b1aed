"""First door: a disordered system, declared like the first paragraph of a paper's model section."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sympy as sp

from replica.declare.fields import Field
from replica.declare.laws import Law
from replica.declare.model_name import require_model_name
from replica.declare.shared import SharedField, validate_shared
from replica.declare.site_rules import validate_sites
from replica.declare.sites import Empirical, MarchenkoPastur, SiteLaw
from replica.declare.symbols import Parameter, V, beta, chi, m, parameters_by_name, q, q_d
from replica.declare.variables import Extremised, Quenched, SampleAverage, Site, Thermal, Train
from replica.declare.vectors import VectorField, chi_u, q_u, validate_vectors
from replica.errors import DeclarationError

#: Names that the framework computes for every model, which an observable may not take.
RESERVED_OBSERVABLES = {"free_entropy", "free_energy", "energy", "entropy", "replicon"}
_ORDER_PARAMETERS = {m, q, V, chi, q_d}
FIXED_SYMBOLS = _ORDER_PARAMETERS | {beta}


@dataclass(frozen=True)
class System:
    """A disordered system; see `replica.Model` for the parameters."""

    name: str
    thermal: Thermal
    quenched: Quenched | None = None
    fields: tuple[Any, ...] = ()  # of Field, VectorField or SharedField
    pair: Any = 0
    overlap: Any = 0
    temperature: Any = 1
    extremised: tuple[Extremised, ...] = ()
    observables: Mapping[str, Any] = field(default_factory=dict)
    title: str = ""
    reference: str = ""
    start: str | Mapping[str, float] = "uninformed"
    sites: SiteLaw | None = None

    def __post_init__(self) -> None:
        require_model_name(self.name)
        if not isinstance(self.thermal, Thermal):
            raise DeclarationError(
                f"model {self.name}: expected Thermal(...) as thermal variable, "
                f"got {self.thermal!r}."
            )
        if self.quenched is not None and not isinstance(self.quenched, Quenched):
            raise DeclarationError(
                f"model {self.name}: expected Quenched(symbol, law) as quenched variable, "
                f"got {self.quenched!r}."
            )
        if self.quenched is not None and self.quenched.symbol == self.thermal.symbol:
            raise DeclarationError(
                f"model {self.name}: the thermal and the quenched variable have the same symbol "
                f"{self.thermal.symbol}; give each its own."
            )
        if self.sites is not None and not isinstance(self.sites, (Empirical, MarchenkoPastur)):
            raise DeclarationError(
                f"model {self.name}: expected Empirical({{symbol: array}}) or MarchenkoPastur(x, "
                f"ratio) as law of the sites, got {self.sites!r}."
            )
        single = isinstance(self.fields, (Field, VectorField, SharedField))
        fields = (self.fields,) if single else tuple(self.fields)
        for item in fields:
            if not isinstance(item, (Field, VectorField, SharedField)):
                raise DeclarationError(f"model {self.name}: expected Field(...), got {item!r}.")
        if not isinstance(self.observables, Mapping):
            raise DeclarationError(
                f"model {self.name}: expected observables as a mapping of names to expressions, "
                f"got {self.observables!r}."
            )
        terms = {"pair": self.pair, "overlap": self.overlap, "temperature": self.temperature}
        terms |= {f"observable {name!r}": value for name, value in self.observables.items()}
        for what, value in terms.items():
            if value is None or isinstance(value, str):
                raise DeclarationError(
                    f"model {self.name}: the {what} must be a SymPy expression or a number, "
                    f"got {value!r}."
                )
        extremised = self.extremised
        if isinstance(extremised, Extremised):
            extremised = (extremised,)
        object.__setattr__(self, "fields", fields)
        object.__setattr__(self, "extremised", tuple(extremised))
        object.__setattr__(self, "pair", sp.sympify(self.pair))
        object.__setattr__(self, "overlap", sp.sympify(self.overlap))
        observables = {name: sp.sympify(value) for name, value in self.observables.items()}
        object.__setattr__(self, "observables", observables)
        temperature = (
            sp.nsimplify(self.temperature)
            if isinstance(self.temperature, float)
            else (self.temperature)
        )
        object.__setattr__(self, "temperature", sp.sympify(temperature))
        self._validate()

    @property
    def zero_temperature(self) -> bool:
        """Whether the declared system is at ``T = 0``."""
        return bool(self.temperature == 0)

    @property
    def site_constants(self) -> set[sp.Symbol]:
        """Symbols of the constants that differ from site to site."""
        return set() if self.sites is None else set(self.sites.symbols)

    def site_mean(self, expression: sp.Expr) -> sp.Expr:
        """Average over the constants of the sites."""
        return expression if self.sites is None else self.sites.average(expression)

    @property
    def teacher_overlap(self) -> sp.Expr | None:
        """Variance ``R`` of the teacher's field at unit variance of the inputs."""
        if self.quenched is None:
            return None
        if self.quenched.self_overlap is not None:
            return self.site_mean(self.quenched.self_overlap)
        return self.site_mean(self.thermal.metric * self.quenched.law.second_moment)

    @property
    def vector(self) -> bool:
        """Whether the thermal variable has several components."""
        return self.thermal.components > 1

    @property
    def shared(self) -> bool:
        """Whether a field has several components that share one weight per site."""
        return any(isinstance(item, SharedField) for item in self.fields)

    @property
    def note(self) -> str:
        """What may have been forgotten, in a sentence; mostly empty."""
        losses = ", ".join(str(f.h) for f in self.fields if f.loss is not None)
        if not losses or self.temperature != 1:
            return ""
        return (
            f"The loss of {losses} is sampled at temperature 1, the default, and not minimised: "
            "declare temperature=0 for its minimum."
        )

    @property
    def parameters(self) -> dict[str, Parameter]:
        """The parameters that the declaration uses, by Python name."""
        symbols = set(self.temperature.free_symbols)
        symbols |= self.pair.free_symbols | self.overlap.free_symbols
        symbols |= self.thermal.penalty.free_symbols | self.thermal.prior.free_symbols
        if self.quenched is not None:
            symbols |= self.quenched.law.free_symbols
            if self.quenched.self_overlap is not None:
                symbols |= self.quenched.self_overlap.free_symbols
        symbols |= self.thermal.metric.free_symbols
        if self.sites is not None:
            symbols |= self.sites.free_symbols
        for item in self.fields:
            symbols |= item.free_symbols
        for value in self.observables.values():
            symbols |= value.free_symbols
        return parameters_by_name(self.name, symbols)

    # -- validation --------------------------------------------------------------------------

    def _validate(self) -> None:
        names = [p.symbol_name for p in self.parameters.values()]
        clash = set(names) & {str(s) for s in _ORDER_PARAMETERS | {beta}}
        if clash:
            raise DeclarationError(
                f"model {self.name}: the parameter {clash.pop()!r} has the name of an order "
                "parameter or of the inverse temperature; give it another symbol."
            )
        if self.sites is not None:
            validate_sites(self)
        self._validate_terms()
        if self.vector:
            validate_vectors(self)
        elif self.shared:
            validate_shared(self)
        else:
            self._validate_fields()
        self._refuse_explicit_temperature()
        for name, value in self.observables.items():
            self._validate_observable(name, value)
        if isinstance(self.start, str) and self.start not in ("informed", "uninformed"):
            raise DeclarationError(
                f"model {self.name}: start={self.start!r}; expected 'informed', 'uninformed' or "
                "a mapping of order parameters to numbers."
            )

    def require(
        self,
        expression: sp.Expr,
        allowed: set[sp.Symbol],
        where: str,
        bound: Iterable[sp.Symbol] = (),
    ) -> None:
        """Refuse an expression of symbols that are neither parameters nor allowed."""
        unknown = {
            s for s in expression.free_symbols if not isinstance(s, Parameter) and s not in allowed
        }
        twins = {str(s) for s in unknown} & {str(s) for s in allowed & FIXED_SYMBOLS}
        if twins:
            raise DeclarationError(
                f"model {self.name}: the symbol {min(twins)!r} in {where} is not the framework's; "
                f"use 'from replica import {min(twins)}'."
            )
        twins = {str(s) for s in unknown} & {str(s) for s in {*allowed, *bound}}
        if twins:
            raise DeclarationError(
                f"model {self.name}: the symbol {min(twins)!r} in {where} has the name of a "
                "declared one but other assumptions; declare it once, for example as "
                f"sp.Symbol({min(twins)!r}, real=True), and use that object everywhere."
            )
        unlabelled = where.startswith("the field") and not any(
            getattr(f, "label", None) for f in self.fields
        )
        if unknown and unlabelled:
            raise DeclarationError(
                f"model {self.name}: unbound symbol {min(map(str, unknown))!r} in {where}; it is "
                "no parameter, and no labels or clusters are declared."
            )
        if unknown:
            known = ", ".join(sorted(map(str, allowed))) or "none"
            raise DeclarationError(
                f"model {self.name}: unbound symbol {min(map(str, unknown))!r} in {where}; "
                f"expected parameters or the symbols {known}."
            )

    def _refuse_explicit_temperature(self) -> None:
        """Refuse the temperature's parameters in energies: derivatives are taken in beta.

        Energy and entropy come from the dependence on ``beta``, which would miss what is written
        with ``T``; and a coupling that shall not be differentiated has its own parameter.
        """
        thermal = self.temperature.free_symbols
        terms = {"the pair term": self.pair, "the overlap term": self.overlap}
        terms[f"the penalty of {self.thermal.symbol}"] = self.thermal.penalty
        for item in self.fields:
            weights = [w for w in (item.loss, item.likelihood, item.constraint) if w is not None]
            if isinstance(weights[0], sp.Basic):  # else the labels' own channel, a law of disorder
                terms[f"the weight of the field {item.h}"] = weights[0]
        for where, term in terms.items():
            both = term.free_symbols & thermal
            if both:
                symbol = min(both, key=str)
                raise DeclarationError(
                    f"model {self.name}: {where} contains {symbol}, of which the temperature is "
                    "made; write the inverse temperature as replica.beta there (energy and entropy "
                    "are derivatives in beta), or use another parameter for a fixed coupling."
                )

    def _validate_terms(self) -> None:
        thermal, quenched = self.thermal, self.quenched
        scalars = {e.symbol for e in self.extremised}
        self.require(self.temperature, set(), "the temperature")
        if self.temperature.is_negative:
            raise DeclarationError(f"model {self.name}: the temperature is negative.")
        self.require(self.pair, {q, beta}, "the pair term")
        self.require(self.overlap, {m, q_d, beta} | scalars, "the overlap term")
        if m in self.overlap.free_symbols and quenched is None:
            raise DeclarationError(
                f"model {self.name}: the overlap term uses m, but no quenched variable is declared."
            )
        if quenched is not None and quenched.symbol in thermal.penalty.free_symbols:
            raise DeclarationError(
                f"model {self.name}: the penalty of {thermal.symbol} contains the quenched "
                f"variable {quenched.symbol}; declare that coupling as an overlap term."
            )
        constants = self.site_constants
        where = f"the penalty of {thermal.symbol}"
        self.require(thermal.penalty, {thermal.symbol} | constants, where)
        self.require(thermal.metric, constants, f"the metric of {thermal.symbol}")
        if quenched is not None and quenched.self_overlap is not None:
            where = f"the self-overlap of {quenched.symbol}"
            self.require(quenched.self_overlap, constants, where)
        for symbol in (
            s
            for item in (thermal.prior, quenched and quenched.law)
            if item
            for s in item.free_symbols
        ):
            self.require(symbol, constants, "a prior or law")
        prior = thermal.prior
        if self.zero_temperature and isinstance(prior, Law) and not prior.two_values:
            raise DeclarationError(
                f"model {self.name}: at zero temperature the prior {prior} of {thermal.symbol} has "
                "no effect or no limit; expected a penalty, Spherical() or two values as of "
                "Rademacher()."
            )

    def _validate_fields(self) -> None:
        vectors = [item for item in self.fields if isinstance(item, VectorField)]
        if vectors:
            raise DeclarationError(
                f"model {self.name}: {vectors[0].where} needs a thermal variable of "
                f"{len(vectors[0].h)} components, got one; write Thermal(..., components="
                f"{len(vectors[0].h)})."
            )
        scalars = {e.symbol for e in self.extremised}
        used: set[sp.Symbol] = set()
        for item in self.fields:
            where = f"the field {item.h}"
            for expression, allowed in (
                (item.load, set()),
                (item.variance, set()),
                (item.mean, {m} | item.local_symbols - {item.h} | scalars),
            ):
                self.require(expression, allowed, where)
            unknown = {s for s in item.free_symbols if not isinstance(s, Parameter)}
            self.require(sp.Tuple(*unknown), scalars | {m, beta}, where, item.local_symbols)
            used |= item.free_symbols
            if sp.expand(item.mean).diff(m, 2) != 0:
                raise DeclarationError(
                    f"model {self.name}: the mean of {where} is not linear in m."
                )
            if (item.labels is not None or m in item.mean.free_symbols) and self.quenched is None:
                raise DeclarationError(
                    f"model {self.name}: {where} refers to a teacher, but no quenched variable is "
                    "declared."
                )
            if self.zero_temperature and item.likelihood is not None:
                raise DeclarationError(
                    f"model {self.name}: {where} has a likelihood, which has no zero-temperature "
                    "limit; expected a loss or a constraint."
                )
        for scalar in self.extremised:
            if scalar.symbol not in used | self.overlap.free_symbols:
                raise DeclarationError(
                    f"model {self.name}: the extremised scalar {scalar.symbol} appears nowhere."
                )

    def _validate_observable(self, name: str, value: sp.Expr) -> None:
        taken = RESERVED_OBSERVABLES | {str(s) for s in _ORDER_PARAMETERS} | set(self.parameters)
        if not isinstance(name, str) or not name.isidentifier():
            raise DeclarationError(
                f"model {self.name}: the observable name {name!r} is not a Python identifier."
            )
        if name in taken:
            reason = "it names a parameter, an order parameter or what every model has"
            if name == "energy" and self.zero_temperature:
                reason = "at zero temperature the energy of the ground state is 'free_energy'"
            raise DeclarationError(
                f"model {self.name}: the observable name {name!r} is reserved: {reason}."
            )
        where = f"the observable {name!r}"
        scalars = {e.symbol for e in self.extremised}
        order = {m, q, V, q_d, beta} | scalars
        if self.zero_temperature:
            order = {m, q, chi} | scalars
        order |= {q_u, chi_u} if self.vector else set()
        absent = value.free_symbols & (FIXED_SYMBOLS - order)
        if absent:
            cold = "zero" if self.zero_temperature else "finite"
            raise DeclarationError(
                f"model {self.name}: {where} uses {min(map(str, absent))}, which does not exist at "
                f"{cold} temperature; expected {', '.join(sorted(map(str, order)))}."
            )
        for node in value.atoms(SampleAverage):
            if isinstance(node, Site):
                local = {self.thermal.symbol} | self.site_constants
            elif self.vector or self.shared:
                local = self.fields[0].local_symbols
            else:
                matching = [f for f in self.fields if f.h in node.free_symbols]
                if len(matching) > 1:
                    raise DeclarationError(
                        f"model {self.name}: {where} averages over {matching[0].h}, but two fields "
                        "have the same symbol; give each its own."
                    )
                matching = matching or list(self.fields[:1])
                if not matching:
                    raise DeclarationError(
                        f"model {self.name}: {where} averages over a field, but none is declared."
                    )
                local = matching[0].local_symbols
                labels = matching[0].labels
                if isinstance(node, Train) and labels is not None:
                    local = local - {labels.teacher}
                    if labels.teacher in node.free_symbols:
                        raise DeclarationError(
                            f"model {self.name}: {where} averages the teacher's field "
                            f"{labels.teacher} over training samples, which is not supported; "
                            "expected Test(...), or a function of label and field."
                        )
            self.require(node.args[0], order | local, where)
        bare = value.replace(lambda e: isinstance(e, SampleAverage), lambda e: sp.S.One)
        self.require(bare, order, where)
        if m in value.free_symbols and self.quenched is None:
            raise DeclarationError(
                f"model {self.name}: {where} uses m, but no quenched variable is declared."
            )
