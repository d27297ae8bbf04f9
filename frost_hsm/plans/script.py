"""A script: what each of the people types, in order, and what they tick off. The rehearsal runs these very commands.

Everybody types in one folder that all machines see: a shared one, or a memory stick that goes round.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from frost_hsm.plans.plan import RAW, Plan, Signing
from frost_hsm.plans.record import record_name


@dataclass(frozen=True, slots=True)
class Typed:
    """A command that somebody types, as it is typed into a shell. writes: what they note on paper of what it says."""

    who: str
    line: str
    writes: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the script. says: what it is for. ticks: what people see to themselves, a box each, after typing."""

    title: str
    says: str
    typed: tuple[Typed, ...] = ()
    ticks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """Steps that belong together."""

    title: str
    steps: tuple[Step, ...]


PROGRAM: Final = "frost-hsm"


def parts(plan: Plan, file: str) -> tuple[Part, ...]:
    """Write the script of a plan. file: what the plan's own file is called in the folder."""
    return (
        Part("Before", tuple(_before(plan, file))),
        Part("Identities", tuple(_identities(plan))),
        Part(f"The key {plan.key}", tuple(_key(plan))),
        *(Part(f"Signing {each.output}", tuple(_signing(plan, each))) for each in plan.signings),
        Part("The end", tuple(_end(plan, file))),
    )


def commands(plan: Plan, file: str) -> list[Typed]:
    """List all that is typed, in order."""
    return [typed for part in parts(plan, file) for step in part.steps for typed in step.typed]


def _line(*words: str) -> str:
    """Write a command for a shell."""
    return shlex.join((PROGRAM, *words))


def _all(plan: Plan, *words: str, glob: str = "", writes: str = "") -> tuple[Typed, ...]:
    line = _line(*words) + (f" {glob}" if glob else "")
    return tuple(Typed(name, line, writes) for name in plan.people)


def _before(plan: Plan, file: str) -> Iterator[Step]:
    yield Step(
        "The room",
        "Whoever leads the ceremony reads each step aloud. A step is done when everybody has ticked it off.",
        ticks=(
            f"Everybody is here: {', '.join(plan.people)}. Nobody else touches their machines.",
            "Each has a machine of their own with their token in it, and knows its PIN; nobody says a PIN aloud.",
            f"All work in one folder that every machine sees, or on one memory stick. In it: "
            f"{', '.join((file, *plan.files, *(f'the clone {each}' for each in plan.clones)))}.",
            "Everybody has begun the ceremony with the same plan: its sha256 is the one on the first page.",
        ),
    )
    yield Step(
        "The program",
        "Everybody sees that their program is of the version that is named at the top of this script.",
        _all(plan, "--version"),
    )


def _identities(plan: Plan) -> Iterator[Step]:
    yield Step(
        "An identity each",
        "Finds the token and makes two keys in it. Asks which token, if there are several, and for its PIN.",
        tuple(Typed(name, _line("setup", "--me", name), "fingerprint") for name in plan.people),
    )
    yield Step(
        "Compare the fingerprints",
        "Everything rests on this. One after the other reads their fingerprint aloud, from their own screen; all "
        "others compare it with what their screen shows, and type its last digits only if it is the same.",
        tuple(
            Typed(name, _line("peer", "add", *(f"{other}.identity.pem" for other in plan.people if other != name)))
            for name in plan.people
        ),
        tuple(f"{name} has read their fingerprint aloud, and everybody found it the same." for name in plan.people),
    )


def _key(plan: Plan) -> Iterator[Step]:
    first, *others = plan.people
    key, of = plan.key, ["--for", plan.use] if plan.use else ["--suite", plan.suite]
    of += ["--purpose", plan.purpose] if plan.purpose else []
    yield Step(
        "The proposal",
        f"{first} proposes the key, of which any {plan.threshold} of these {len(plan.people)} can sign.",
        (
            Typed(
                first,
                _line("dkg", "propose", key, "--threshold", str(plan.threshold), "--with", ",".join(others), *of),
            ),
        ),
    )
    yield Step(
        "Take part",
        f"Each reads what is proposed, and compares name, threshold and participants with this script before agreeing: "
        f"{plan.threshold} of {len(plan.people)}, {', '.join(plan.people)}.",
        _all(plan, "dkg", "round1", f"{key}.proposal.pem"),
    )
    yield Step(
        "Send the shares",
        "Checks what the others sent. Each share is encrypted to the token of who it is for.",
        _all(plan, "dkg", "round2", key, glob=f"{key}.*.round1.pem"),
    )
    yield Step(
        "Take the share",
        "Checks the shares, and seals one's own in the token.",
        _all(plan, "dkg", "finish", key, glob=f"{key}.*.round2.pem", writes="check code"),
    )
    yield Step(
        "Compare the check code",
        f"{first} reads the check code aloud. All compare it with their own screen and agree only if it is the same: "
        "then all have seen the same, and the key is active.",
        _all(plan, "dkg", "confirm", key, glob=f"{key}.*.confirm.pem"),
        ("Everybody had the same check code.",),
    )
    yield Step(
        "Back it up",
        "Writes what is needed when a machine is lost. It holds no share, and is kept apart from the token.",
        _all(plan, "backup", "create"),
    )


def _signing(plan: Plan, each: Signing) -> Iterator[Step]:
    first, request = each.signers[0], f"{each.output}.request.pem"
    copies = {"file": ["--files", "."], "clone": ["--clone", each.clone]}  # of large files the digest travels
    own = copies.get(each.kind.own_copy or "", []) if each.target != RAW else []
    told = [word for name, value in each.options.items() for word in ("--with", f"{name}={value}")]
    yield Step(
        f"Ask for {each.output}",
        f"{first} asks {', '.join(each.signers)} to sign{'' if each.target == RAW else f', as {each.target}'}.",
        (
            Typed(
                first,
                _line(
                    *("sign", "request", plan.key, each.file),
                    *(["--as", each.target] if each.target != RAW else []),
                    *told,
                    *("--signers", ",".join(each.signers), "-o", request),
                ),
            ),
        ),
    )
    yield Step(
        "Read and agree",
        "Each signer is shown what is to be signed and compares it with the first page, then agrees.",
        tuple(Typed(name, _line("sign", "commit", request, *own)) for name in each.signers),
    )
    yield Step(
        "Sign",
        "Uses the share, for an instant, in the memory of the machine.",
        tuple(Typed(name, f"{_line('sign', 'respond', request)} {each.output}.*.commit.pem") for name in each.signers),
    )
    shares = f"{each.output}.*.response.pem"
    if each.kind.is_twice:
        yield Step(
            "Sign once more",
            f"{each.target} takes two signatures, of which the second is on the first. Nobody is asked again.",
            tuple(
                Typed(name, f"{_line('sign', 'respond', request)} {each.output}.*.commit.pem {shares}")
                for name in each.signers
            ),
        )
        shares += f" {each.output}.*.second.pem"
    yield Step(
        f"Put {each.output} together, and verify it",
        "Nothing is written unless the signature verifies. Then somebody else verifies it again.",
        (
            Typed(
                first,
                f"{_line('sign', 'aggregate', request)} {each.output}.*.commit.pem {shares} -o {each.output}",
            ),
            Typed(_somebody_else(plan, each), verifying(plan, each)),
        ),
    )


def _somebody_else(plan: Plan, each: Signing) -> str:
    """Return somebody who did not sign; where all did, who did not put it together."""
    return next((name for name in plan.people if name not in each.signers), each.signers[-1])


def verifying(plan: Plan, each: Signing) -> str:
    """Return the command that verifies what was signed."""
    words = ["verify", "--key", plan.key]
    if each.target == RAW:
        return _line(*words, each.file, each.output)
    signed = [] if each.kind.stands_alone else [each.file]
    return _line(*words, "--as", each.target, *signed, each.output)


def verifying_record(key: str) -> str:
    """Return the command that verifies the record."""
    record = record_name(key)
    return f"{_line('ceremony', 'verify', record)} {record.removesuffix('.html')}.*.p7s"


def _end(plan: Plan, file: str) -> Iterator[Step]:
    record = record_name(plan.key)
    yield Step(
        "State what happened",
        "Each machine states what it saw: versions, token, fingerprint, check code, hashes. It asks when you began and "
        "ended, by the clock on the wall. The last to type it has the record written.",
        _all(plan, "ceremony", "record", file),
    )
    yield Step(
        "Sign the record",
        f"Everybody opens {record} in a browser and reads it. Each machine makes it again, and signs it with its token "
        "only if it comes out the same.",
        _all(plan, "ceremony", "sign", file, writes="last 4 digits of its sha256"),
    )
    yield Step(
        "Verify the record",
        "Anybody can, later and elsewhere.",
        (Typed(plan.people[0], verifying_record(plan.key)),),
        (
            "The record and this script, signed by hand, go where they will be kept.",
            "Everybody takes their token and their backup with them; the folder is copied to where it is kept.",
        ),
    )
