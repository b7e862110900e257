"""What `feedwright check` looks for: each rule in one place, as plain data."""

from __future__ import annotations

from feeds.rules import articles, files, publication, running, syntax, values
from feeds.rules.rule import Level, Rule

GROUPS: dict[str, tuple[Rule, ...]] = {
    "Files": files.RULES,
    "Metadata: how they are written": syntax.RULES,
    "Metadata: what they say": values.RULES,
    "Articles": articles.RULES,
    "The publication and its feeds": publication.RULES,
    "While it runs": running.RULES,
}
"""All rules, in the order of the reference."""

RULES = {rule.code: rule for rules in GROUPS.values() for rule in rules}

__all__ = ["GROUPS", "RULES", "Level", "Rule"]
