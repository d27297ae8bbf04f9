"""What a machine knows of a ceremony that was planned: what lies in its folder, and what it saw itself."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from frost_hsm import __version__, backends
from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.ceremony.messages.making import Confirmation
from frost_hsm.cli.files import door, finished
from frost_hsm.cli.paper import printing
from frost_hsm.cli.talk.text import quoted, visible
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import FileMissing, ForeignMessage, InvalidSignature, NotPossible
from frost_hsm.plans import plan as plans
from frost_hsm.plans import record as records
from frost_hsm.plans import script, statement
from frost_hsm.plans.plan import RAW, Plan, Signing
from frost_hsm.plans.statement import Agreed, Machine, SignedFile, Statement, statement_name


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan and the folder that it lies in. file: its path. digests: SHA-256 of it and of what it needs, by name."""

    plan: Plan
    file: str
    digests: Mapping[str, str]

    @classmethod
    def read(cls, file: str) -> Planned:
        """Read a plan; what it needs has to lie beside it. Raises `InputProblem` and `NotPossible`."""
        name, data = Path(file).name, door.read(file)
        with door.naming(file, data, is_text=True):
            plan = plans.read(door.inside(data))
        if not plans.FILE.fullmatch(name) or name in plan.files:
            raise NotPossible(f"a plan cannot be called {name}", hint="call it plan.toml")
        for each in plan.clones:
            if not (Path(file).parent / each).is_dir():
                raise FileMissing(
                    f"there is no folder {each} beside {name}", hint=f"git clone the repository to {each}"
                )
        needed = {each: door.read(str(Path(file).parent / each)) for each in plan.files}
        return cls(plan, file, {each: _sha256(of) for each, of in {name: data, **needed}.items()})

    @property
    def name(self) -> str:
        """What the plan's file is called."""
        return Path(self.file).name

    def path(self, name: str) -> str:
        """Return the path of a file beside the plan."""
        return str(Path(self.file).parent / name)

    def statements(self) -> dict[str, Statement]:
        """Read the statements that are there, by the names of who made them, in the order of the people."""
        found = {}
        for name in self.plan.people:
            path = self.path(statement_name(self.plan.key, name))
            if Path(path).exists():
                data = door.read(path)
                with door.naming(path, data):
                    found[name] = statement.read(data)
                if found[name].name != name:
                    raise ForeignMessage(f"{path} is the statement of {found[name].name}")
        return found


def state(place: Workplace, planned: Planned, began: str, ended: str) -> Statement:
    """State what this machine sees now. Its token has to be there; no PIN is needed.

    Raises `InvalidSignature` if what was signed does not verify, `NotPossible` if the key is not the planned one.
    """
    key, me = _key(place, planned.plan), place.me
    confirmed = key.history.chapters[key.ceremony].by_sender(Confirmation)
    agreed = Agreed(
        planned.digests[planned.name],
        key.suite.id,
        key.verifying_key.hex(),
        key.ceremony.hex(),
        confirmed[me].message.check_code,
        key.transcript.hex(),
        key.state.package_hash.hex(),
        tuple(each.name for each in key.roster if each in confirmed),
        tuple(_signed(planned, key, each) for each in planned.plan.signings),
    )
    return Statement(me.name, me.fingerprint, agreed, _machine(place), began, ended)


def paper(place: Workplace, planned: Planned, found: Mapping[str, Statement], mine: Statement) -> bytes:
    """Print the record of the statements of all. Raises `ForeignMessage` if they do not say what this machine sees."""
    roster = GroupKey.load(place.home, planned.plan.key, place.me).roster
    fingerprints = {each.name: each.fingerprint for each in roster}
    return printing.record(records.make(planned.plan, found, mine, fingerprints))


def _key(place: Workplace, plan: Plan) -> GroupKey:
    if place.me.name not in plan.people:
        raise NotPossible(f"{place.me.name} is not among the people of the plan")
    key = GroupKey.load(place.home, plan.key, place.me)
    key.require_active()
    made = (key.suite.name, key.min_signers, tuple(each.name for each in key.roster), key.purpose)
    if made != (plan.suite, plan.threshold, plan.people, plan.purpose):
        raise NotPossible(
            f"key {plan.key} is not the one of the plan: its suite, threshold, participants or purpose is another",
            hint=f"see: frost-hsm keys show {plan.key}",
        )
    if key.state.height:
        raise NotPossible(f"more has happened to {plan.key} than its making", hint="a record is made before that")
    return key


def _signed(planned: Planned, key: GroupKey, signing: Signing) -> SignedFile:
    """Verify what was signed, and say which file it is."""
    path, verifying_key = planned.path(signing.output), key.public_key_package.verifying_key
    data = door.read(path)
    file = planned.path(signing.file)
    try:
        if signing.target == RAW:
            from frost_hsm import targets

            targets.require_signature(verifying_key, door.read(file), data)
        else:
            kind = finished.load(signing.target, key.suite)
            finished.verify(kind, verifying_key, path, data, None if kind.stands_alone else file)
    except InvalidSignature as error:
        again = script.verifying(planned.plan, signing)
        raise InvalidSignature(f"{path} does not verify: {error}", hint=f"see: {again}") from None
    return SignedFile(signing.output, len(data), _sha256(data))


def _machine(place: Workplace) -> Machine:
    with place.public_token() as token:
        info = token.info
    settings = place.config.backends.get(backends.scheme(info.uri), {})
    return Machine(
        f"frost-hsm {__version__}",
        platform.python_version(),
        visible(f"{platform.system()} {platform.release()} {platform.machine()}"),
        visible(" ".join(dict.fromkeys((backends.scheme(info.uri), info.source, *settings.values())))),
        visible(info.label),
        visible(info.serial),
        visible(info.manufacturer),
        visible(info.model),
        info.is_software,
    )


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def command(verb: str, planned: Planned) -> str:
    """Write one of the commands that take the plan, for people to type."""
    return f"frost-hsm ceremony {verb} {quoted(planned.file)}"
