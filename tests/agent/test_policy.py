"""Policies: each rule allows and denies, and says what a request misses; what is no rule is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from frost_hsm.agent.policy import Policy
from frost_hsm.agent.question import AskedItem, Question
from frost_hsm.errors import ConfigProblem

MONDAY = datetime(2026, 9, 21, 12, 0, tzinfo=UTC)
TAG = AskedItem("git", "ab" * 32, 100, {"ref": "refs/tags/v1.0", "path": "tag.txt"})
QUESTION = Question("cd" * 32, "release", "alice", ("alice", "bob"), (TAG,), ("words",))
BASE = {"name": '"r"', "key": '"release"', "target": '"git"', "asked-by": '"alice"'}


def policy(zone: str = "UTC", **more: str) -> Policy:
    """A policy of one rule, as in a file; an option's name has ``_`` for ``-`` here."""
    table = {**BASE, **{name.replace("_", "-"): value for name, value in more.items()}}
    lines = ['schema = "frost-hsm/policy/1"', f'zone = "{zone}"', "[[rule]]"]
    text = "\n".join([*lines, *(f"{name} = {value}" for name, value in table.items())])
    return Policy.parse(text.encode(), "policy.toml")


def judge(rules: Policy, question: Question = QUESTION, now: datetime = MONDAY, answered: int = 0) -> list[str]:
    return rules.judge(question, now, lambda rule, day: answered).lines


ALLOWED = ['allowed by rule "r"']


@pytest.mark.parametrize(
    ("rule", "denied", "why"),
    [
        ({"key": '"release"'}, replace(QUESTION, key="other"), "the key is other, and not release"),
        ({"key": '["a", "release"]'}, replace(QUESTION, key="b"), "the key is b, and not a or release"),
        ({"target": '["git", "ssh"]'}, {"target": "raw"}, "the target is raw, and not git or ssh"),
        ({"asked_by": '["alice"]'}, replace(QUESTION, asked_by="bob"), "it is asked by bob, and not alice"),
        ({"max_size": "100"}, {"size": 101}, "it has 101 bytes, and may have 100"),
        ({"max_size": "100"}, {"size": None}, "nobody can see how large it is, and may have 100"),
        (
            {"where": '{ ref = "refs/tags/v*" }'},
            {"facts": {"ref": "refs/tags/old"}},
            "its ref is refs/tags/old, and not refs/tags/v*",
        ),
        ({"where": '{ ref = "refs/tags/v[0-9].*" }'}, {"facts": {"path": "tag.txt"}}, "it has no ref"),
        ({"where": '{ path = "*.txt" }'}, {"facts": {"path": "tag.exe"}}, "its path is tag.exe, and not *.txt"),
        (
            {"target": '"*"'},
            {"caution": "a web token"},
            "to other programs this is a web token: only people agree to it",
        ),
    ],
)
def test_each_rule_allows_and_denies(rule: dict[str, str], denied: Question | dict[str, object], why: str) -> None:
    rules = policy(**rule)
    assert judge(rules) == ALLOWED
    asked = denied if isinstance(denied, Question) else replace(QUESTION, items=(TAG, replace(TAG, **denied)))  # type: ignore[arg-type]
    assert judge(rules, asked) == ["denied", f'rule "r": {why}']


@pytest.mark.parametrize("name", ["key", "target", "asked-by"])
def test_a_star_stands_for_all_and_nothing_is_implied(name: str) -> None:
    assert judge(policy(**{name: '"*"'}), replace(QUESTION, key="release")) == ALLOWED
    with pytest.raises(ConfigProblem, match=f'rule 1, "r", does not say {name}'):
        policy(**{name: "[]"})


@pytest.mark.parametrize(
    ("hours", "allowed", "denied"),
    [("08:00-18:00", (8, 17), (7, 18)), ("22:00-06:00", (22, 0, 5), (6, 12, 21))],
)
def test_hours_allow_and_deny(hours: str, allowed: tuple[int, ...], denied: tuple[int, ...]) -> None:
    rules = policy(hours=f'"{hours}"')
    for hour in allowed:
        assert judge(rules, now=MONDAY.replace(hour=hour)) == ALLOWED
    for hour in denied:
        why = f"it is {hour:02}:00, and not {hours}"
        assert judge(rules, now=MONDAY.replace(hour=hour)) == ["not allowed yet", f'rule "r": {why}']


def test_days_allow_and_deny_in_the_zone_of_the_policy() -> None:
    rules = policy(days='["mon", "fri"]')
    assert judge(rules) == ALLOWED
    assert judge(rules, now=MONDAY.replace(day=22)) == ["not allowed yet", 'rule "r": it is tue, and not mon or fri']
    late = MONDAY.replace(hour=23)
    assert judge(policy("Asia/Tokyo", days='["mon"]'), now=late)[0] == "not allowed yet"
    assert judge(policy("Asia/Tokyo", hours='"08:00-08:01"'), now=late) == ALLOWED


def test_a_count_a_day_allows_and_denies() -> None:
    rules = policy(per_day="3")
    assert judge(rules, answered=2) == ALLOWED
    why = "3 of 3 signatures a day are used, and it asks for 1"
    assert judge(rules, answered=3) == ["not allowed yet", f'rule "r": {why}']
    four = replace(QUESTION, items=(TAG,) * 4)
    why = "0 of 3 signatures a day are used, and it asks for 4"
    assert judge(rules, four) == ["denied", f'rule "r": {why}'], "no day will allow it"


def test_the_day_that_is_counted_is_that_of_the_zone() -> None:
    asked = []
    policy("Asia/Tokyo", per_day="1").judge(QUESTION, MONDAY.replace(hour=23), lambda *day: asked.append(day) or 0)
    assert asked == [("r", date(2026, 9, 22))]


def test_the_first_rule_that_allows_all_of_it_counts() -> None:
    text = 'schema = "frost-hsm/policy/1"\n'
    for name, target in (("a", "ssh"), ("b", "git"), ("c", "git")):
        text += f'[[rule]]\nname = "{name}"\nkey = "*"\ntarget = "{target}"\nasked-by = "*"\n'
    rules = Policy.parse(text.encode(), "policy.toml")
    assert judge(rules) == ['allowed by rule "b"']
    mixed = replace(QUESTION, items=(TAG, replace(TAG, target="ssh")))
    assert judge(rules, mixed) == [
        "denied",
        'rule "a": the target is git, and not ssh',
        'rule "b": the target is ssh, and not git',
        'rule "c": the target is ssh, and not git',
    ]


def test_without_rules_everything_is_denied() -> None:
    assert judge(Policy.parse(b'schema = "frost-hsm/policy/1"\n', "p")) == ["denied: there are no rules"]


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"name": '""'}, "has no name"),
        ({"taget": '"git"'}, "says taget, which no rule knows"),
        ({"hours": '"8-18"'}, "has hours that are not of the form"),
        ({"hours": '"08:00-08:00"'}, "has hours that are not of the form"),
        ({"hours": "8"}, "has hours that are not of the form"),
        ({"days": '"mon"'}, "has days that are not a list"),
        ({"days": '["monday"]'}, "has days that are not a list"),
        ({"per_day": "0"}, "has a per-day that is not a number from 1"),
        ({"per_day": "true"}, "has a per-day that is not a number from 1"),
        ({"max_size": '"1k"'}, "has a max-size that is not a number from 1"),
        ({"where": '"v*"'}, "has other than patterns in where"),
        ({"where": "{ ref = 1 }"}, "has other than patterns in where"),
        ({"key": "[1]"}, "does not say key"),
    ],
)
def test_what_is_no_rule_is_refused_and_named(rule: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigProblem, match=says) as caught:
        policy(**rule)
    assert "policy.toml: rule 1" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "does not begin with schema"),
        ("schema = 1", "does not begin with schema"),
        ("rule = [", "is not TOML"),
        ('schema = "frost-hsm/policy/1"\nrules = []', "does not hold exactly"),
        ('schema = "frost-hsm/policy/1"\nrule = "x"', "does not hold exactly"),
        ('schema = "frost-hsm/policy/1"\nrule = [1]', "rule 1 is not a table"),
        ('schema = "frost-hsm/policy/1"\nzone = "Mars/Olympus"', "there is no zone"),
        ('schema = "frost-hsm/policy/1"\nzone = "../etc/passwd"', "there is no zone"),
        ("#" * ((1 << 18) + 1), "is larger than"),
        (
            'schema = "frost-hsm/policy/1"\n' + '[[rule]]\nname = "a"\nkey = "*"\ntarget = "*"\nasked-by = "*"\n' * 2,
            "two rules have one name",
        ),
    ],
)
def test_what_is_no_policy_is_refused(text: str, says: str) -> None:
    with pytest.raises(ConfigProblem, match=says):
        Policy.parse(text.encode(), "policy.toml")
