"""Who answers a question: the policy if it allows it, else whoever is asked, else nobody; and what is noted of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime

from frost_hsm.agent.log import Entry, Log
from frost_hsm.agent.policy import Policy
from frost_hsm.agent.question import Question

ALLOWED, DENIED, WAITING = "allowed", "denied", "waiting"


@dataclass(frozen=True, slots=True)
class Answer:
    """Yes or no, and by whom or why, for people. was_asked: whether somebody said so; else it is by the rules."""

    is_yes: bool
    why: str
    was_asked: bool = False


Ask = Callable[[], bool | None]
"""Asks somebody; None while they have not answered."""


class Judge:
    """Answers each request once, and notes that in the log before anybody acts on it.

    A request that a rule may allow later, and nobody is asked about, waits. What was allowed counts for the days on
    which it was, also when the agent begins again.
    """

    def __init__(
        self, log: Log, policy: Policy | None, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._log = log
        self._policy = policy
        self._now = now
        self._answers: dict[str, Answer] = {}
        self._waiting: set[str] = set()
        self._allowed = allowed(log.before, policy) if policy is not None else Counter()

    def decide(self, question: Question, ask: Ask | None, asked: str) -> Answer | None:
        """Answer a question; None if there is no answer yet.

        ask: asks about what no rule allows; None if nobody is to be asked. asked: who that is, for people.
        """
        known = self._answers.get(question.request)
        if known is not None:
            return known
        lines = ["there is no policy"]
        if self._policy is not None:
            now = self._now()
            verdict = self._policy.judge(question, now, lambda rule, day: self._allowed[rule, day])
            lines = verdict.lines
            if verdict.rule is not None:
                self._allowed[verdict.rule, now.astimezone(self._policy.zone).date()] += len(question.items)
                return self._answer(question, True, lines, rule=verdict.rule)
            if ask is None and verdict.will_pass:
                self._wait(question, lines)
                return None
        if ask is None:
            return self._answer(question, False, lines)
        said = ask()
        if said is None:
            self._wait(question, [f"{asked} is asked"])
            return None
        return self._answer(question, said, [f"{asked} said {'yes' if said else 'no'}"], was_asked=True)

    @property
    def numbers(self) -> tuple[int, int]:
        """How many requests were answered with yes, and with no."""
        yes = sum(answer.is_yes for answer in self._answers.values())
        return yes, len(self._answers) - yes

    def _answer(
        self, question: Question, is_yes: bool, lines: list[str], *, was_asked: bool = False, **fields: str
    ) -> Answer:
        number = {"signatures": len(question.items)} if is_yes else {}
        self._log.add(ALLOWED if is_yes else DENIED, **question.document, why=lines, **fields, **number)
        self._waiting.discard(question.request)
        answer = self._answers[question.request] = Answer(is_yes, "; ".join(lines), was_asked)
        return answer

    def _wait(self, question: Question, lines: list[str]) -> None:
        if question.request not in self._waiting:
            self._waiting.add(question.request)
            self._log.add(WAITING, **question.document, why=lines)


def allowed(entries: Iterable[Entry], policy: Policy) -> Counter[tuple[str, date]]:
    """Count the signatures that rules have allowed, by the rule and the day in the zone of the policy."""
    counted: Counter[tuple[str, date]] = Counter()
    for entry in entries:
        rule, number = entry.fields.get("rule"), entry.fields.get("signatures")
        if entry.what == ALLOWED and isinstance(rule, str) and isinstance(number, int):
            counted[rule, entry.time.astimezone(policy.zone).date()] += number
    return counted
