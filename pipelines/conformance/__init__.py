"""Conformance: rule by rule, how our methods stand to the published ones; every claim is run before it is printed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tuneworks.factory.errors import InputError
from tuneworks.pipelines.catalog import nearest
from tuneworks.pipelines.conformance import (
    best_of_n,
    constitutional,
    defects,
    evol_instruct,
    selection,
    self_instruct,
)
from tuneworks.pipelines.conformance.rule import MEANS, Rule, rules_of

METHODS: Mapping[str, Sequence[Rule]] = {
    "Self-Instruct": rules_of(self_instruct),
    "Evol-Instruct": rules_of(evol_instruct),
    "Constitutional AI": rules_of(constitutional),
    "Best-of-N": rules_of(best_of_n),
    "Selection, mixing, rows": rules_of(selection),
    "Defects of other systems": rules_of(defects),
}

CITED: Mapping[str, str] = {
    "Self-Instruct": "arXiv:2212.10560, and the code of yizhongw/self-instruct and tatsu-lab/stanford_alpaca",
    "Evol-Instruct": "arXiv:2304.12244, and the code of nlpxucan/WizardLM and h2oai/h2o-wizardlm",
    "Constitutional AI": "arXiv:2212.08073, with RLAIF (arXiv:2309.00267)",
    "Best-of-N": "Llama 2 (arXiv:2307.09288), RLHF Workflow (arXiv:2405.07863), and the code of allenai/open-instruct",
    "Selection, mixing, rows": "The papers and systems named in each line",
    "Defects of other systems": "From their public issue threads and code",
}


def chosen(name: str | None) -> Mapping[str, Sequence[Rule]]:
    """All methods, or the one that is named, by the beginning of its name."""
    if name is None:
        return METHODS
    found = {method: rules for method, rules in METHODS.items() if method.lower().startswith(name.lower())}
    if not found:
        raise InputError(f"there is no method {name!r} in the report; {nearest(name, METHODS)}")
    return found


@dataclass(frozen=True, slots=True)
class Checked:
    held: int
    broken: list[str]
    """Lines of which the report does not tell the truth: a defect."""
    unchecked: list[str]
    """Lines whose check needs a package that is not installed."""


def checked(methods: Mapping[str, Sequence[Rule]]) -> Checked:
    """Run the check of every rule that has one."""
    found = Checked(0, [], [])
    held = 0
    for method, rules in methods.items():
        for rule in rules:
            if rule.holds is None:
                continue
            try:
                holds = rule.holds()
            except ModuleNotFoundError:
                found.unchecked.append(f"{method}: {rule.published}")
                continue
            held += holds
            if not holds:
                found.broken.append(f"{method}: {rule.published}")
    return replace(found, held=held)


def page(methods: Mapping[str, Sequence[Rule]]) -> str:
    """The report as Markdown."""
    lines = [
        "# Conformance",
        "",
        "How Tuneworks stands to the published methods, rule by rule. `tuneworks conformance` prints this page after a",
        "check of every line that claims something, and ends with status 1 where one does not hold.",
        "",
        *(f"- {status}: {means}" for status, means in MEANS.items()),
    ]
    for method, rules in methods.items():
        lines += [
            "",
            f"## {method}",
            "",
            f"{CITED[method]}. {counted(rules)}",
            "",
            "| published | | ours |",
            "|---|---|---|",
        ]
        lines += [f"| {rule.published} | {rule.status} | {rule.ours} |" for rule in rules]
    return "\n".join(lines) + "\n"


def counted(rules: Sequence[Rule]) -> str:
    counts = {status: sum(rule.status == status for rule in rules) for status in MEANS}
    said = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    return f"{len(rules)} rules: {said}."
