"""A record: what all participants of a ceremony state, once they state the same."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final

from frost_hsm.ceremony.people.names import NAME
from frost_hsm.errors import ForeignMessage, MalformedMessage
from frost_hsm.plans.plan import Plan
from frost_hsm.plans.statement import Agreed, Statement

MAX_SIZE: Final = 4 << 20
PARTICIPANT: Final = "frost-hsm-participant"
"""The name of the ``meta`` elements of a record on paper that say who takes part: name and fingerprint, a line each."""

_PARTICIPANT: Final = re.compile(rb'(?m)^<meta name="%b" content="([^"\n]*)">$' % PARTICIPANT.encode())


@dataclass(frozen=True, slots=True)
class Record:
    """A plan, and what came of it: statements in the order of the people."""

    plan: Plan
    statements: tuple[Statement, ...]

    @property
    def agreed(self) -> Agreed:
        """What all state alike."""
        return self.statements[0].agreed


def make(plan: Plan, found: Mapping[str, Statement], mine: Statement, fingerprints: Mapping[str, str]) -> Record:
    """Put the statements of all together.

    found: by name. mine: what one's own machine says now, by which all are judged. fingerprints: by name, as one knows
    them. Raises `ForeignMessage` where a statement says something else; who wrote that there, nobody can tell.
    """
    for name in plan.people:
        theirs = found[name]
        for each in fields(Agreed):
            said, known = getattr(theirs.agreed, each.name), getattr(mine.agreed, each.name)
            if said != known:
                raise ForeignMessage(
                    f"the statement of {name} has another {_called(each.name)} than this machine sees",
                    hint="compare what each of you has; if a statement is old: frost-hsm ceremony record with --force",
                    details=[f"{name}: {_shown(said)}", f"here: {_shown(known)}"],
                )
        if theirs.fingerprint != fingerprints[name]:
            raise ForeignMessage(f"the statement of {name} is of another identity than theirs")
    own = found[mine.name]
    if own.machine != mine.machine:
        raise ForeignMessage(
            "your own statement is of another program or token than this machine has",
            hint="state it again: frost-hsm ceremony record with --force",
        )
    return Record(plan, tuple(found[name] for name in plan.people))


def record_name(key: str) -> str:
    """Return what the file of a record is called."""
    return f"{key}.record.html"


def signature_name(key: str, name: str) -> str:
    """Return what the file of somebody's signature on a record is called."""
    return f"{key}.record.{name}.p7s"


def participants(paper: bytes) -> dict[str, str]:
    """Read who takes part, and their fingerprints, out of a record on paper. Raises `MalformedMessage`."""
    if len(paper) > MAX_SIZE:
        raise MalformedMessage(f"a record is larger than {MAX_SIZE} bytes")
    found: dict[str, str] = {}
    for each in _PARTICIPANT.finditer(paper):
        name, _, fingerprint = each[1].decode(errors="replace").partition(" ")
        if not NAME.fullmatch(name) or name in found:
            raise MalformedMessage("this is not the record of a ceremony: it names a participant twice, or wrongly")
        found[name] = fingerprint
    if not found:
        raise MalformedMessage("this is not the record of a ceremony: it names no participants")
    return found


def _called(field: str) -> str:
    return {"package": "public key package", "signed": "set of signed files"}.get(field, field.replace("_", " "))


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
