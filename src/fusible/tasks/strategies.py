"""Strategies by name: which ones a study runs, and running them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fusible import registry
from fusible.encoders._base import Encoder
from fusible.errors import ConfigError, TooLargeError
from fusible.evaluation.cost import Stages
from fusible.tasks.aligned import check_aligner
from fusible.tasks.combine import fit_ensemble, members_of
from fusible.tasks.context import Context, Fitted
from fusible.tasks.end_to_end import DEFAULT_OPERATOR, fit_end_to_end, recipe_of
from fusible.tasks.features import fit_feature
from fusible.tasks.offset import own_scores
from fusible.tasks.search import search
from fusible.tasks.settings import operator_width
from fusible.tasks.singles import Candidate

JOINT = "joint"
DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Plan:
    """Names to run per family: operators (or `<aligner>+<operator>`), rules, networks with what follows their names."""

    features: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    named: bool = True
    """Whether its owner named the strategies: what cannot be fitted is then an error, else a note."""

    @property
    def reads_tokens(self) -> bool:
        """Whether a feature-level strategy reads sequences of tokens of encoded views."""
        return any("+" not in name and registry.get("fusion", name).reads_tokens for name in self.features)


def plan(wanted: Sequence[str] | None, views: int) -> Plan:
    """Read strategy names; none, or `default` among them, means every operator and rule and the joint network.

    With one view there is nothing to fuse.

    >>> plan(["feature:concat", "end_to_end:joint+multiply"], views=2)
    Plan(features=('concat',), rules=(), networks=('joint+multiply',), named=True)
    """
    everything = wanted is None or DEFAULT in wanted
    features = list(registry.names("fusion")) if everything else []
    rules = list(registry.names("ensembles")) if everything else []
    networks = [JOINT] if everything else []
    for name in wanted or ():
        family, _, part = name.partition(":")
        if family == "feature":
            aligner, plus, operator = part.rpartition("+")
            registry.get("fusion", operator)
            if plus:
                check_aligner(aligner, views)
            features.append(part)
        elif family == "model" and registry.get("ensembles", part):
            rules.append(part)
        elif family == "end_to_end":
            recipe_of(part, 1)
            networks.append("+".join(word for word in part.split("+") if word != DEFAULT_OPERATOR))
        elif family not in {"single", "auto", DEFAULT}:
            raise ConfigError(
                f"strategy {name!r}: expected single:<view>, feature:<operator>, feature:<aligner>+<operator>, "
                "feature:impute+<operator>, model:<rule>, end_to_end:<network>[+<operator>][+<mark>], auto or default"
            )
    if views < 2:
        return Plan()
    return Plan(_distinct(features), _distinct(rules), _distinct(networks), named=not everything)


def _distinct(names: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def narrowed(context: Context, chosen_plan: Plan, ready: Mapping[str, Sequence[tuple[str, Encoder]]]) -> Plan:
    """The plan without operators and networks where fewer than two views have an encoding; notes name those without.

    `ready` {view: its encoders with their names}: one that only predicts, like trees, gives a view no width. Raises
    `ConfigError` where what cannot be fitted was named.
    """
    blind = {view: pairs[0][0] for view, pairs in ready.items() if not any(e.encodes for _, e in pairs)}
    if not blind or not (chosen_plan.features or chosen_plan.networks):
        return chosen_plan
    said = {view: f"{name} gives predictions, no encoding" for view, name in blind.items()}
    seen = [view for view in ready if view not in blind]
    if len(seen) < 2 and chosen_plan.named:
        view, why = next(iter(said.items()))
        got = repr(seen[0]) if seen else "none"
        raise ConfigError(
            f"fusion operators: expected two views with encodings, got {got} only; view {view!r}: {why}: "
            "take another --encoder for it, or name strategies model:<rule> only"
        )
    context.notes += [
        f"view {view!r} is left out of feature-level and end-to-end fusion: {why}" for view, why in said.items()
    ]
    return chosen_plan if len(seen) > 1 else replace(chosen_plan, features=(), networks=())


def fit(
    context: Context,
    chosen_plan: Plan,
    candidates: dict[str, list[Candidate]],
    best: dict[str, Fitted],
    inputs: list[Candidate],
    stages: Stages,
    budget: float | None = None,
) -> list[Fitted]:
    """Fit the planned strategies; rules over all strategies come last. With a `budget` in seconds, search for more."""
    fitted: list[Fitted] = []
    with stages("feature"):
        fused = chosen_plan.features or (budget is not None and len(inputs) > 1)
        # where several answers are right, networks learn shares, and predictors of single answers are no start
        own = own_scores(context, best, [c.view.name for c in inputs]) if fused and context.soft is None else None
        for operator in chosen_plan.features:
            try:
                fitted.append(fit_feature(context, operator, inputs, own=own))
            except TooLargeError as error:
                if chosen_plan.named:
                    raise
                context.notes.append(f"feature:{operator} was skipped: {error}")
    with stages("end_to_end"):
        for network in chosen_plan.networks:
            name = f"end_to_end:{network}"
            whole = fit_end_to_end(context, name, recipe_of(network, operator_width(context)), inputs)
            if whole is None:
                context.notes.append(f"{name} was skipped: no encoder is trainable, so that nothing is trained along")
            else:
                fitted.append(whole)
    if budget is not None and len(inputs) > 1:
        with stages("search"):
            found, trials = search(context, candidates, budget, own)
            fitted += found
            context.tried += [trial.plain() for trial in trials]
    with stages("model"):
        every = [c.fitted for found in candidates.values() for c in found]
        views = [*best.values()]
        for rule in sorted(chosen_plan.rules, key=lambda name: registry.get("ensembles", name).members == "strategies"):
            fitted.append(fit_ensemble(context, rule, members_of(rule, views, every, [*views, *fitted])))
    return fitted
