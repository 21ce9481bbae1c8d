"""template.yaml as CloudFormation sees it for given parameters: conditions decided, none left."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.table import TEMPLATE, load_template

_ABSENT = {"Ref": "AWS::NoValue"}


class EvaluatedTemplate:
    """Of `Fn::If`, `Condition` and references to parameters nothing is left; what refers to other
    resources stays as it is. Parameters that are not given have their defaults.
    """

    def __init__(
        self, parameters: Mapping[str, Any] | None = None, template: Path = TEMPLATE
    ) -> None:
        loaded = load_template(template)
        declared = loaded["Parameters"]
        unknown = set(parameters or {}) - set(declared)
        assert not unknown, f"template.yaml has no parameter {unknown}"
        defaults = {name: row["Default"] for name, row in declared.items()}
        self.parameters = {**defaults, **(parameters or {})}
        self._conditions = loaded["Conditions"]
        self.globals: dict[str, Any] = self._value(loaded["Globals"])
        self.resources: dict[str, dict[str, Any]] = {
            name: self._value(resource)
            for name, resource in loaded["Resources"].items()
            if "Condition" not in resource or self.holds(resource["Condition"])
        }

    def holds(self, condition: str) -> bool:
        return self._decide(self._conditions[condition])

    def _decide(self, rule: dict[str, Any]) -> bool:
        ((function, given),) = rule.items()
        match function:
            case "Condition":
                return self.holds(given)
            case "Fn::Equals":
                one, other = (str(self._value(each)) for each in given)
                return one == other
            case "Fn::Not":
                return not self._decide(given[0])
            case "Fn::And":
                return all(self._decide(each) for each in given)
            case "Fn::Or":
                return any(self._decide(each) for each in given)
        raise AssertionError(f"a condition function that is not known here: {function}")

    def _value(self, node: Any) -> Any:
        if isinstance(node, list):
            items = [self._value(each) for each in node]
            return [item for item in items if item != _ABSENT]
        if not isinstance(node, dict):
            return node
        if set(node) == {"Fn::If"}:
            condition, yes, no = node["Fn::If"]
            return self._value(yes if self.holds(condition) else no)
        if set(node) == {"Ref"} and node["Ref"] in self.parameters:
            return self.parameters[node["Ref"]]
        values = {name: self._value(each) for name, each in node.items()}
        return {name: value for name, value in values.items() if value != _ABSENT}
