"""The graph: rules bound to bentofiles, as a networkx DAG, and the order in which a goal needs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..errors import RuleError, UsageError
from .action import Action, Binding
from .rule import Rule


def rulebook(rules: Sequence[Rule]) -> dict[str, Rule]:
    """Rules by name; RuleError if two have one name (both places are named) or an input is no rule."""
    book: dict[str, Rule] = {}
    for rule in rules:
        if rule.name in book:
            raise RuleError(
                f"Two rules are named {rule.name}.",
                place=rule.file,
                hint=f"The other one is in {book[rule.name].file}.",
            )
        book[rule.name] = rule
    for rule in rules:
        for name in rule.inputs:
            if name not in book:
                raise RuleError(f"The rule {rule.name} has an input {name}, which is no rule.", place=rule.file)
    return book


def action_id(label: str, rule: str) -> str:
    return f"{label}:{rule}" if label else rule


def find_rule(name: str, book: Mapping[str, Rule]) -> str:
    """The rule of that name, or UsageError with a suggestion."""
    if name in book:
        return name
    import difflib

    near = difflib.get_close_matches(name, book, 1)
    raise UsageError(
        f"There is no rule {name}.",
        hint=f"Did you mean `{near[0]}`?" if near else f"The rules are: {', '.join(book)}.",
    )


def order(rules: Sequence[Rule], goals: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """What the goals (label, rule) need, topologically sorted; RuleError for a cycle."""
    import networkx as nx

    book = rulebook(rules)
    graph: nx.DiGraph[tuple[str, str]] = nx.DiGraph()
    for label in dict.fromkeys(label for label, _ in goals):
        for rule in rules:
            graph.add_node((label, rule.name))
            graph.add_edges_from(((label, name), (label, rule.name)) for name in rule.inputs)
    try:
        position = {rule.name: index for index, rule in enumerate(rules)}
        labels = {label: index for index, (label, _) in enumerate(goals)}
        ordered = list(nx.lexicographical_topological_sort(graph, key=lambda n: (labels[n[0]], position[n[1]])))
    except nx.NetworkXUnfeasible:
        cycle = " → ".join(name for (_, name), _ in nx.find_cycle(graph))
        raise RuleError(f"The rules need each other in a circle: {cycle}.") from None
    needed: set[tuple[str, str]] = set()
    for label, rule_name in goals:
        goal = (label, find_rule(rule_name, book))
        needed |= {goal, *nx.ancestors(graph, goal)}
    return [node for node in ordered if node in needed]


def check(rules: Sequence[Rule], nodes: Sequence[tuple[str, str]], goals: Sequence[tuple[str, str]]) -> None:
    """ValueError unless the nodes could be an order of the goals: each after what it needs, and of their labels."""
    book, labels = rulebook(rules), {label for label, _ in goals}
    before: set[tuple[str, str]] = set()
    for label, name in nodes:
        if label not in labels or name not in book or any((label, need) not in before for need in book[name].inputs):
            raise ValueError(f"not an order: {label}:{name}")
        before.add((label, name))
    if not before.issuperset(goals):
        raise ValueError("not an order of these goals")


def bind(rules: Sequence[Rule], nodes: Sequence[tuple[str, str]], bindings: Mapping[str, Binding]) -> list[Action]:
    """The actions of an order."""
    book = rulebook(rules)
    return [
        Action(
            action_id(label, name),
            book[name],
            bindings[label],
            tuple(action_id(label, need) for need in book[name].inputs),
        )
        for label, name in nodes
    ]
