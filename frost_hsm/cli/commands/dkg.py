"""``frost-hsm dkg``: make a key together."""

from __future__ import annotations

from dataclasses import replace

import click

from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.making import Proposal
from frost_hsm.ceremony.messages.message import HASH_LENGTH
from frost_hsm.ceremony.people.identity import PublicIdentity
from frost_hsm.ceremony.people.names import require_name
from frost_hsm.ceremony.people.numbering import Numbering
from frost_hsm.ceremony.people.roster import Roster
from frost_hsm.ceremony.sharing import keygen
from frost_hsm.ceremony.sharing.keygen import KeyGeneration
from frost_hsm.cli import completing
from frost_hsm.cli.files import door
from frost_hsm.cli.files.incoming import inputs, taking_in
from frost_hsm.cli.options import command, output, split_names
from frost_hsm.cli.parsing import group
from frost_hsm.cli.sittings.posting import Posting, meet, posting, to_board
from frost_hsm.cli.steps import proposals, rounds
from frost_hsm.cli.steps.parting import to_each
from frost_hsm.cli.talk.output import Result
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import Aborted, NotKnown, StepConflict, UsageProblem
from frost_hsm.frost import ciphersuites
from frost_hsm.targets import suites


@group
def dkg() -> None:
    """Make a key together.

    The steps are propose, round1, round2, finish, confirm. Every participant sends one file a step, the same to
    everybody, over any channel. A step can be repeated: the same input gives the same output, other input is
    refused, and nothing is lost when a step is cut short.
    """


@command(dkg, "propose", token=True, asks=True)
@click.argument("name")
@click.option("-t", "--threshold", type=int, required=True, help="How many participants it takes to sign.")
@click.option(
    "--with",
    "others",
    metavar="NAMES",
    required=True,
    shell_complete=completing.peers,
    help="The other participants, from your peers: bob,carol.",
)
@click.option(
    "--for", "use", type=click.Choice(list(suites.USES)), help="What the key is for, which chooses the ciphersuite."
)
@click.option("--suite", metavar="NAME", help="The ciphersuite; without it, and without --for, p256.")
@click.option("--purpose", default="", metavar="TEXT", help="What the key is for; every signer sees it.")
@click.option(
    "--identifiers",
    type=click.Choice([each.value for each in Numbering]),
    default=Numbering.POSITIONS.value,
    show_default=True,
    help="FROST identifiers: 1, 2, 3, … in order, or derived from the names, as some programs have them.",
)
@to_board
@output
def propose(
    place: Workplace,
    name: str,
    threshold: int,
    others: str,
    use: str | None,
    suite: str | None,
    purpose: str,
    identifiers: str,
    board: str | None,
    output: str | None,
    force: bool,
) -> Result:
    """Propose a key: its name, its threshold, its participants.

    Writes NAME.proposal.pem, which everybody has to see and agree to with round1, you included.
    """
    path = output or f"{require_name(name)}.proposal.pem"
    before = _of_this_name(place, name)
    door.check_output(path, force=force, again=before.proposal.to_pem() if before is not None else None)
    with posting(place, board, name) as there:
        roster = Roster((place.me, *_peers(place, others, there)))
        suite_id = ciphersuites.by_name(_suite(use, suite)).id
        plan = Proposal(bytes(HASH_LENGTH), name, purpose, suite_id, threshold, 1, roster, Numbering(identifiers))
        ceremony = _proposed(place, plan, before)
        data = ceremony.proposal.to_pem()
        raw = door.write(path, data, force=force)
        lines = [*proposals.making(ceremony), door.wrote(path), *there.post(data)]
    file = door.as_typed(path)
    by_file = f"send {file} to {rounds.others(ceremony)}; all, you too, run: frost-hsm dkg round1 {file}"
    fields = {**rounds.fields(ceremony), "file": path, **there.fields}
    return Result("dkg-propose", lines, fields, there.next_step(by_file), raw)


def _proposed(place: Workplace, plan: Proposal, before: KeyGeneration | None) -> KeyGeneration:
    """Return the ceremony that was proposed before, if it was by this plan; propose it if there is none."""
    if before is not None:
        if replace(before.proposal.message, random=plan.random) != plan:
            raise StepConflict(f'another ceremony or key has the name "{plan.name}" here', hint="propose another name")
        return before
    with place.holder() as holder:
        data = keygen.propose(
            holder,
            plan.name,
            list(plan.roster)[1:],
            min_signers=plan.min_signers,
            suite=ciphersuites.by_id(plan.suite).name,
            purpose=plan.purpose,
            numbering=plan.numbering,
        )
    ceremony = KeyGeneration(place.home, signed.read(data).expect(Proposal), place.me)
    ceremony.accept()
    return ceremony


def _suite(use: str | None, suite: str | None) -> str:
    if use is None:
        return suite or ciphersuites.P256.name
    suits = suites.suite_for(use)
    if suite not in (None, suits):
        raise UsageProblem(f"for {use} a key is of {suits}, not of {suite}", hint="leave out --suite, or --for")
    return suits


def _of_this_name(place: Workplace, name: str) -> KeyGeneration | None:
    """Return the ceremony or key that has this name here, unless it was given up."""
    try:
        ceremony = KeyGeneration.load(place.home, name, place.me)
    except NotKnown:
        return None
    return None if ceremony.transcript.is_given_up else ceremony


def _peers(place: Workplace, names: str, there: Posting) -> list[PublicIdentity]:
    """Return the identities of the others; of who is no peer yet, the one handed out on the board, once compared."""
    known, found, named = place.peers(), [], split_names(names)
    if place.me.name in named:
        rest = [name for name in named if name != place.me.name] or ["NAMES"]
        raise UsageProblem(
            f"{place.me.name} is your own name, and who proposes takes part anyway",
            hint=f"name the others: --with {','.join(rest)}",
        )
    for name in named:
        public = known.get(name)
        if public is None:
            public = there.identity_of(name)
            meet(place, public)
        found.append(public)
    return found


@command(dkg, "round1", token=True, asks=True)
@click.argument("proposal")
@output
def round1(place: Workplace, proposal: str, output: str | None, force: bool) -> Result:
    """Agree to PROPOSAL, a file, and send your commitment.

    Seals your part of the key in the token and writes NAME.YOU.round1.pem. You are shown what is proposed, and
    asked, before the token is used. Everybody in it has to be among your peers.
    """
    ceremony = door.parse(
        proposal, lambda data: KeyGeneration(place.home, signed.read(data).expect(Proposal), place.me)
    )
    if not ceremony.has_agreed:
        ceremony.check_roster(place.peers())
    return rounds.round1(place, ceremony, proposals.making(ceremony), output, force)


@command(dkg, "round2", token=True)
@click.argument("name", shell_complete=completing.keys)
@inputs
@to_each
@output
def round2(
    place: Workplace,
    name: str,
    paths: tuple[str, ...],
    directory: str | None,
    each: str | None,
    output: str | None,
    force: bool,
) -> Result:
    """Check the commitments of all, and send everybody their share.

    Writes NAME.YOU.round2.pem, one file for all: each share in it is encrypted to its recipient's token. With --each,
    done again whenever somebody asks for theirs, a file for each.
    """
    ceremony = KeyGeneration.load(place.home, name, place.me)
    return rounds.round2(place, ceremony, paths, directory, output, each, force)


@command(dkg, "finish", token=True)
@click.argument("name", shell_complete=completing.keys)
@inputs
@output
def finish(
    place: Workplace,
    name: str,
    paths: tuple[str, ...],
    directory: str | None,
    output: str | None,
    force: bool,
) -> Result:
    """Check the shares, and seal your own in the token.

    Writes NAME.YOU.confirm.pem and shows a check code, to be compared by voice. Until everybody has confirmed,
    the key is pending and does not sign.
    """
    ceremony = KeyGeneration.load(place.home, name, place.me)
    pending = "Your share is sealed in the token; the key is pending"
    return rounds.finish(place, ceremony, paths, directory, output, force, pending)


@command(dkg, "confirm", asks=True)
@click.argument("name", shell_complete=completing.keys)
@inputs
def confirm(place: Workplace, name: str, paths: tuple[str, ...], directory: str | None) -> Result:
    """Take in the confirmations of all; when they agree, the key is active.

    Needs no token. Before you answer yes, hear from the others, by voice, that their check code is the same.
    """
    ceremony = KeyGeneration.load(place.home, name, place.me)
    with taking_in(paths, directory, ceremony.transcript, name) as inbox:
        agreed = ceremony.compare(inbox)
        if ceremony.status().step != "active" and not rounds.have_compared(place, ceremony, agreed.check_code):
            raise Aborted("the check codes were not compared; the key stays pending")
        finished = ceremony.confirm(inbox)
    lines = [
        f"All {len(ceremony.roster)} confirm the same transcript",
        *rounds.key_lines(finished),
        f'Key "{name}" is active',
    ]
    after = rounds.to_sign(ceremony)
    fields = {**rounds.fields(ceremony), **rounds.key_fields(finished), "state": "active"}
    return Result("dkg-confirm", lines, fields, after)


@command(dkg, "status")
@click.argument("name", required=False, shell_complete=completing.keys)
def status(place: Workplace, name: str | None) -> Result:
    """Say where a ceremony stands and what comes next.

    Without NAME, of all ceremonies. Needs no token.
    """
    one = [KeyGeneration.load(place.home, name, place.me)] if name is not None else None
    lines, entries, after = [], [], None
    for ceremony in one or KeyGeneration.all(place.home, place.me):
        line, entry = rounds.status(ceremony, _STATES)
        after = _next(ceremony, ceremony.status().step)
        lines.append(line)
        entries.append(entry)
    if name is not None:
        return Result("dkg-status", lines, entries[0], after)
    return Result("dkg-status-list", lines or ["no ceremonies"], {"ceremonies": entries})


@command(dkg, "abort", token=True)
@click.argument("name", shell_complete=completing.keys)
@click.option("--confirm-name", metavar="NAME", help="The name again, instead of typing it.")
def abort(place: Workplace, name: str, confirm_name: str | None) -> Result:
    """Give a ceremony up, on your side.

    Before your confirmation was sent, for good: what was sealed for it in the token is destroyed, and nobody can take
    part again with the same proposal. After it, nobody takes it back alone: the ceremony is given up here but not
    undone, your share is kept, its name is free for another key, and should everybody confirm it after all, it ends
    well. A key that is active is not touched. The name has to be typed again; --yes does not answer that.
    """
    ceremony = KeyGeneration.load(place.home, name, place.me)
    ceremony.require_unconfirmed()
    place.terminal.confirm_by_name(f"This gives up ceremony {name}", name, confirm_name)
    lines, after = rounds.given_up(ceremony, ceremony.abort(place.holder))
    return Result("dkg-abort", lines, rounds.fields(ceremony), after)


_STATES = {
    "round1": "proposed; round 1 is not done",
    "round2": "round 1 is sent",
    "finish": "round 2 is sent",
    "confirm": "finished; the key is pending",
    "active": "the key is active",
    "stopped": "stopped",
    "given-up": "given up here, but not undone",
}


def _next(ceremony: KeyGeneration, step: str) -> str | None:
    name = ceremony.name
    return {
        "round1": f"frost-hsm dkg round1 {name}.proposal.pem",
        "round2": f"frost-hsm dkg round2 {name} --in DIR",
        "finish": f"frost-hsm dkg finish {name} --in DIR",
        "confirm": f"frost-hsm dkg confirm {name} --in DIR",
        "active": rounds.to_sign(ceremony),
        "stopped": f"frost-hsm dkg abort {name}, then propose a new one",
    }[step]
