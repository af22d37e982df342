"""Strategies by name: which ones a study runs, and running them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fusible import registry
from fusible.errors import ConfigError
from fusible.evaluation.cost import Stages
from fusible.tasks.aligned import check_aligner
from fusible.tasks.combine import fit_ensemble
from fusible.tasks.context import Context, Fitted
from fusible.tasks.features import fit_end_to_end, fit_feature
from fusible.tasks.settings import operator_width
from fusible.tasks.singles import Candidate

JOINT = "joint"
DEFAULT_OPERATOR = "concat"


@dataclass(frozen=True, slots=True)
class Plan:
    """Names to run per family: operators (or `<aligner>+<operator>`), rules, and (network, operator) pairs."""

    features: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    networks: tuple[tuple[str, str], ...] = ()


def plan(wanted: Sequence[str] | None, views: int) -> Plan:
    """Read strategy names; none means all but those that align first. With one view there is nothing to fuse.

    >>> plan(["feature:concat", "end_to_end:joint+multiply"], views=2)
    Plan(features=('concat',), rules=(), networks=(('joint', 'multiply'),))
    """
    if wanted is None:
        chosen = Plan(registry.names("fusion"), registry.names("ensembles"), ((JOINT, DEFAULT_OPERATOR),))
        return chosen if views > 1 else Plan()
    features: list[str] = []
    rules: list[str] = []
    networks: list[tuple[str, str]] = []
    for name in wanted:
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
            network, plus, operator = part.partition("+")
            registry.get("networks", network)
            if plus and network != JOINT:
                raise ConfigError(
                    f"strategy {name!r}: only end_to_end:{JOINT} takes an operator; leave out {operator!r}"
                )
            registry.get("fusion", operator or DEFAULT_OPERATOR)
            networks.append((network, operator or DEFAULT_OPERATOR))
        elif family not in {"single", "auto"}:
            raise ConfigError(
                f"strategy {name!r}: expected single:<view>, feature:<operator>, feature:<aligner>+<operator>, "
                "model:<rule>, end_to_end:<network>[+<operator>] or auto"
            )
    return Plan(tuple(features), tuple(rules), tuple(networks)) if views > 1 else Plan()


def fit(
    context: Context,
    chosen_plan: Plan,
    candidates: dict[str, list[Candidate]],
    best: dict[str, Fitted],
    inputs: list[Candidate],
    stages: Stages,
) -> list[Fitted]:
    """Fit the planned strategies. Stacking sees every candidate of every view, other rules one member per view."""
    fitted: list[Fitted] = []
    with stages("feature"):
        fitted += [fit_feature(context, operator, inputs) for operator in chosen_plan.features]
    with stages("model"):
        for rule in chosen_plan.rules:
            every = registry.get("ensembles", rule).sees_all
            members = [c.fitted for found in candidates.values() for c in found] if every else [*best.values()]
            fitted.append(fit_ensemble(context, rule, members))
    with stages("end_to_end"):
        for network, operator in chosen_plan.networks:
            name = f"end_to_end:{network}" + (f"+{operator}" if operator != DEFAULT_OPERATOR else "")
            recipe: dict[str, object] = {"network": network, "operator": operator, "width": operator_width(context)}
            if network != JOINT:
                del recipe["operator"]
            whole = fit_end_to_end(context, name, recipe, inputs)
            if whole is None:
                context.notes.append(f"{name} was skipped: no encoder is trainable, so that nothing is trained along")
            else:
                fitted.append(whole)
    return fitted
