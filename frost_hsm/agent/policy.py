"""Which requests an agent may sign without asking: rules that its owner wrote, of which one has to allow all of it.

Whatever no rule allows is denied. A rule has to say which keys, which targets and whose requests it is for; ``*``
stands for all, and is never meant by leaving something out. Every rule says what a request misses, so that nobody has
to guess why it was denied. Pure: the clock and what was signed before are handed in.

    schema = "frost-hsm/policy/1"
    zone = "Europe/Zurich"                     # of hours, days and per-day; else UTC

    [[rule]]
    name = "release tags"
    key = "release"                            # or a list, here and in the next two
    target = "git"
    asked-by = ["alice", "carol"]
    hours = "08:00-18:00"                      # the end is not in it; 22:00-06:00 goes over midnight
    days = ["mon", "tue", "wed", "thu", "fri"]
    per-day = 20                               # signatures that this rule allows
    max-size = 65536                           # bytes of what is signed
    where.ref = "refs/tags/v*"                 # patterns as file names have them, of what is signed
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, tzinfo
from fnmatch import fnmatchcase
from zoneinfo import ZoneInfo

from frost_hsm.agent.question import AskedItem, Question
from frost_hsm.errors import ConfigProblem

SCHEMA = "frost-hsm/policy/1"
MAX_SIZE = 1 << 18
ALL = "*"
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

Answered = Callable[[str, date], int]
"""Says how many signatures a rule, by its name, has allowed on a day."""


@dataclass(frozen=True, slots=True)
class Hours:
    """A part of the day: from ``begin`` until before ``end``, over midnight if that comes first."""

    begin: time
    end: time

    def __contains__(self, now: time) -> bool:
        if self.begin < self.end:
            return self.begin <= now < self.end
        return now >= self.begin or now < self.end

    def __str__(self) -> str:
        return f"{self.begin:%H:%M}-{self.end:%H:%M}"


@dataclass(frozen=True, slots=True)
class Miss:
    """Something that a request misses for a rule. will_pass: time alone mends it."""

    text: str
    will_pass: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. keys, targets, asked_by: names, or `ALL`. days: 0 is Monday. where: patterns, by the name of a fact."""

    name: str
    keys: tuple[str, ...]
    targets: tuple[str, ...]
    asked_by: tuple[str, ...]
    hours: Hours | None = None
    days: tuple[int, ...] | None = None
    per_day: int | None = None
    max_size: int | None = None
    where: Mapping[str, str] = field(default_factory=dict)

    def misses(self, question: Question, now: datetime, answered: int) -> list[Miss]:
        """Say all that a request misses, nothing if it is allowed.

        now: in the zone of the policy. answered: how many signatures this rule has allowed today.
        """
        said = [
            _not_among("the key is", question.key, self.keys),
            _not_among("it is asked by", question.asked_by, self.asked_by),
            *(miss for item in question.items for miss in self._misses_of(item)),
            self._misses_hours(now),
            self._misses_day(now),
            self._misses_number(len(question.items), answered),
        ]
        return list(dict.fromkeys(miss for miss in said if miss is not None))  # of many items one says it

    def _misses_of(self, item: AskedItem) -> list[Miss | None]:
        return [
            _not_among("the target is", item.target, self.targets),
            None
            if item.caution is None
            else Miss(f"to other programs this is {item.caution}: only people agree to it"),
            self._misses_size(item.size),
            *(_does_not_match(name, item.facts.get(name), pattern) for name, pattern in self.where.items()),
        ]

    def _misses_size(self, size: int | None) -> Miss | None:
        if self.max_size is None or (size is not None and size <= self.max_size):
            return None
        said = f"it has {size} bytes" if size is not None else "nobody can see how large it is"
        return Miss(f"{said}, and may have {self.max_size}")

    def _misses_hours(self, now: datetime) -> Miss | None:
        if self.hours is None or now.time() in self.hours:
            return None
        return Miss(f"it is {now:%H:%M}, and not {self.hours}", will_pass=True)

    def _misses_day(self, now: datetime) -> Miss | None:
        if self.days is None or now.weekday() in self.days:
            return None
        return Miss(f"it is {DAYS[now.weekday()]}, and not {_or(DAYS[day] for day in self.days)}", will_pass=True)

    def _misses_number(self, wanted: int, answered: int) -> Miss | None:
        if self.per_day is None or answered + wanted <= self.per_day:
            return None
        said = f"{answered} of {self.per_day} signatures a day are used, and it asks for {wanted}"
        return Miss(said, will_pass=wanted <= self.per_day)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a policy says of a request. rule: the one that allows it. missed: else, by rule, what it misses."""

    rule: str | None
    missed: Mapping[str, Sequence[Miss]]

    @property
    def will_pass(self) -> bool:
        """Whether a rule may allow it later: it misses nothing that time alone does not mend."""
        return any(all(miss.will_pass for miss in misses) for misses in self.missed.values())

    @property
    def lines(self) -> list[str]:
        """Say which rule allows it, or what each misses."""
        if self.rule is not None:
            return [f'allowed by rule "{self.rule}"']
        if not self.missed:
            return ["denied: there are no rules"]
        missed = [f'rule "{name}": {"; ".join(miss.text for miss in misses)}' for name, misses in self.missed.items()]
        return ["not allowed yet" if self.will_pass else "denied", *missed]


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules, in order, and the zone that their hours and days are in."""

    rules: tuple[Rule, ...]
    zone: tzinfo = UTC

    def judge(self, question: Question, now: datetime, answered: Answered) -> Verdict:
        """Find the first rule that allows all of a request. now: with a zone."""
        local = now.astimezone(self.zone)
        missed = {}
        for rule in self.rules:
            misses = rule.misses(question, local, answered(rule.name, local.date()))
            if not misses:
                return Verdict(rule.name, {})
            missed[rule.name] = misses
        return Verdict(None, missed)

    @classmethod
    def parse(cls, data: bytes, path: str) -> Policy:
        """Read a policy. path: what it is called in sentences. Raises `ConfigProblem` for whatever is no rule."""
        if len(data) > MAX_SIZE:
            raise ConfigProblem(f"{path} is larger than {MAX_SIZE} bytes", hint=_HINT)
        try:
            document = tomllib.loads(data.decode())
        except (ValueError, RecursionError) as error:
            raise ConfigProblem(f"{path} is not TOML: {error}", hint=_HINT) from error
        if document.pop("schema", None) != SCHEMA:
            raise ConfigProblem(f'{path} does not begin with schema = "{SCHEMA}"', hint=_HINT)
        zone, rules = _zone(document.pop("zone", "UTC"), path), document.pop("rule", [])
        if document or not isinstance(rules, list):
            raise ConfigProblem(f"{path} does not hold exactly schema, zone and tables [[rule]]", hint=_HINT)
        read = tuple(_Reading(table, f"{path}: rule {number}").rule() for number, table in enumerate(rules, start=1))
        if len({rule.name for rule in read}) != len(read):
            raise ConfigProblem(f"{path}: two rules have one name", hint=_HINT)
        return cls(read, zone)


_HINT = "frost-hsm help agent shows a policy"


def _or(names: Iterable[str]) -> str:
    return " or ".join(names)


def _not_among(what: str, name: str, allowed: Sequence[str]) -> Miss | None:
    return None if name in allowed or ALL in allowed else Miss(f"{what} {name}, and not {_or(allowed)}")


def _does_not_match(name: str, fact: str | None, pattern: str) -> Miss | None:
    if fact is None:
        return Miss(f"it has no {name}")
    return None if fnmatchcase(fact, pattern) else Miss(f"its {name} is {fact}, and not {pattern}")


def _zone(name: object, path: str) -> tzinfo:
    try:
        return UTC if name == "UTC" else ZoneInfo(str(name))
    except (KeyError, ValueError, OSError):
        raise ConfigProblem(f'{path}: there is no zone "{name}" here', hint="such as Europe/Zurich, or UTC") from None


class _Reading:
    """Reads the table of one rule; what is left of it at the end is a mistake."""

    def __init__(self, table: object, where: str) -> None:
        if not isinstance(table, dict):
            raise ConfigProblem(f"{where} is not a table", hint=_HINT)
        self._left: dict[str, object] = dict(table)
        self._where = where

    def rule(self) -> Rule:
        name = self._left.pop("name", None)
        if not (isinstance(name, str) and name.isprintable() and 1 <= len(name) <= 100):
            raise self._wrong("has no name of 1 to 100 printable characters")
        self._where = f'{self._where}, "{name}",'
        rule = Rule(
            name,
            self._names("key"),
            self._names("target"),
            self._names("asked-by"),
            self._hours(self._left.pop("hours", None)),
            self._days(self._left.pop("days", None)),
            self._number("per-day"),
            self._number("max-size"),
            self._patterns(self._left.pop("where", {})),
        )
        if self._left:
            raise self._wrong(f"says {_or(sorted(self._left))}, which no rule knows")
        return rule

    def _names(self, name: str) -> tuple[str, ...]:
        said = self._left.pop(name, None)
        names = [said] if isinstance(said, str) else said
        if not (isinstance(names, list) and names and all(isinstance(each, str) and each for each in names)):
            raise self._wrong(f'does not say {name}, as a name or a list of names; "{ALL}" stands for all')
        return tuple(names)

    def _hours(self, said: object) -> Hours | None:
        if said is None:
            return None
        try:
            begin, end = (datetime.strptime(each, "%H:%M").time() for each in str(said).split("-"))
        except ValueError:
            begin = end = time()
        if begin == end:
            raise self._wrong('has hours that are not of the form "08:00-18:00"')
        return Hours(begin, end)

    def _days(self, said: object) -> tuple[int, ...] | None:
        if said is None:
            return None
        if not (isinstance(said, list) and said and all(each in DAYS for each in said)):
            raise self._wrong(f"has days that are not a list of {_or(DAYS)}")
        return tuple(sorted({DAYS.index(each) for each in said}))

    def _number(self, name: str) -> int | None:
        said = self._left.pop(name, None)
        if said is None:
            return None
        if isinstance(said, bool) or not isinstance(said, int) or said < 1:
            raise self._wrong(f"has a {name} that is not a number from 1")
        return said

    def _patterns(self, said: object) -> Mapping[str, str]:
        if not (isinstance(said, dict) and all(isinstance(each, str) for each in said.values())):
            raise self._wrong('has other than patterns in where: where.ref = "refs/tags/v*"')
        return said

    def _wrong(self, what: str) -> ConfigProblem:
        return ConfigProblem(f"{self._where} {what}", hint=_HINT)
