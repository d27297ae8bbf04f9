"""``frost-hsm refresh``: make the shares of a key anew, together."""

from __future__ import annotations

import click

from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.ceremony.sharing import refresh as ceremony_refresh
from frost_hsm.ceremony.sharing.refresh import Refresh
from frost_hsm.cli import completing
from frost_hsm.cli.files import door
from frost_hsm.cli.files.incoming import inputs, taking_in
from frost_hsm.cli.options import command, output
from frost_hsm.cli.parsing import group
from frost_hsm.cli.sittings.posting import posting, to_board
from frost_hsm.cli.steps import proposals, rounds
from frost_hsm.cli.steps.parting import to_each
from frost_hsm.cli.talk.output import Result
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import Aborted, CeremonyStopped, NotKnown


@group
def refresh() -> None:
    """Make the shares of a key anew, together.

    The key, its participants and its threshold stay; every share is replaced. Whoever stole fewer old shares than the
    threshold has nothing: old and new ones do not go together. It takes everybody. The steps are those of dkg:
    propose, round1, round2, finish, confirm; or one participant deals, in place of the rounds: frost-hsm dealer. The
    old shares sign until you confirm, the new ones from then on.
    """


@command(refresh, "propose", token=True)
@click.argument("name", shell_complete=completing.keys)
@to_board
@output
def propose(place: Workplace, name: str, board: str | None, output: str | None, force: bool) -> Result:
    """Propose to refresh the shares of key NAME.

    Any participant may. Writes NAME.refreshN.proposal.pem, which everybody has to agree to with round1, you included;
    N is the epoch that will begin.
    """
    key = GroupKey.load(place.home, name, place.me)
    key.require_active()
    path = output or f"{name}.refresh{key.epoch + 1}.proposal.pem"
    with posting(place, board, name) as there:
        ceremony = _running(place, key)
        if ceremony is not None:
            data = ceremony.proposal.to_pem()
            door.check_output(path, force=force, again=data)
        else:
            door.check_output(path, force=force)
            with place.holder() as holder:
                data = ceremony_refresh.propose(holder, key)
                ceremony = Refresh.read(place.home, data, place.me)
                ceremony.accept()
        raw = door.write(path, data, force=force)
        lines = [*proposals.refreshing(ceremony), door.wrote(path), *there.post(data)]
    file = door.as_typed(path)
    by_file = f"send {file} to {rounds.others(ceremony)}; all, you too, run: frost-hsm refresh round1 {file}"
    fields = {**rounds.fields(ceremony), "file": path, **there.fields}
    return Result("refresh-propose", lines, fields, there.next_step(by_file), raw)


def _running(place: Workplace, key: GroupKey) -> Refresh | None:
    """Return the refresh that would end the present epoch, if one was accepted here."""
    try:
        ceremony = Refresh.load(place.home, key.name, place.me)
    except NotKnown:
        return None
    return None if ceremony.is_active else ceremony


@command(refresh, "round1", token=True, asks=True)
@click.argument("proposal")
@output
def round1(place: Workplace, proposal: str, output: str | None, force: bool) -> Result:
    """Agree to PROPOSAL, a file, and send your commitment.

    Writes NAME.refreshN.YOU.round1.pem. You are shown what is proposed, and asked, before the token is used.
    """
    ceremony = door.parse(proposal, lambda data: Refresh.read(place.home, data, place.me))
    return rounds.round1(place, ceremony, proposals.refreshing(ceremony), output, force)


@command(refresh, "round2", token=True)
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

    Writes NAME.refreshN.YOU.round2.pem, one file for all: each share in it is encrypted to its recipient's token. With
    --each, done again whenever somebody asks for theirs, a file for each.
    """
    return rounds.round2(place, Refresh.load(place.home, name, place.me), paths, directory, output, each, force)


@command(refresh, "finish", token=True)
@click.argument("name", shell_complete=completing.keys)
@inputs
@output
def finish(
    place: Workplace, name: str, paths: tuple[str, ...], directory: str | None, output: str | None, force: bool
) -> Result:
    """Check the shares, and seal your new one beside the old.

    Writes NAME.refreshN.YOU.confirm.pem and shows a check code, to be compared by voice. Until you confirm, the old
    share signs and the new one does not.
    """
    ceremony = Refresh.load(place.home, name, place.me)
    pending = "Your new share is sealed in the token; the old one signs until you confirm"
    return rounds.finish(place, ceremony, paths, directory, output, force, pending)


@command(refresh, "confirm", token=True, asks=True)
@click.argument("name", shell_complete=completing.keys)
@inputs
def confirm(place: Workplace, name: str, paths: tuple[str, ...], directory: str | None) -> Result:
    """Take in the confirmations of all; when they agree, the new shares are active.

    Your old share signs nothing from then on; it is destroyed once as many as sign are seen to have the new ones, with
    the next signature. Before you answer yes, hear from the others, by voice, that their check code is the same.
    """
    ceremony = Refresh.load(place.home, name, place.me)
    with taking_in(paths, directory, ceremony.transcript, ceremony.stem) as inbox:
        agreed = ceremony.compare(inbox)
        if not ceremony.is_active and not rounds.have_compared(place, ceremony, agreed.check_code):
            raise Aborted("the check codes were not compared; the old shares stay active")
        finished = ceremony.confirm(place.holder, inbox)
    lines = [
        f"All {len(ceremony.roster)} confirm the same transcript",
        *rounds.key_lines(finished),
        _counting(ceremony, name),
    ]
    result = {**rounds.fields(ceremony), **rounds.key_fields(finished), "state": "active"}
    return Result("refresh-confirm", lines, result, rounds.to_sign(ceremony))


def _counting(ceremony: Refresh, name: str) -> str:
    if ceremony.is_counting:
        return f'Key "{name}" is in epoch {ceremony.epoch}'
    return f'Key "{name}" stays in epoch {ceremony.epoch - 1} here: you have confirmed what displaces this refresh'


@command(refresh, "status")
@click.argument("name", required=False, shell_complete=completing.keys)
def status(place: Workplace, name: str | None) -> Result:
    """Say where the last refresh of a key stands and what comes next.

    Without NAME, of all keys. Needs no token.
    """
    if name is not None:
        ceremony = Refresh.load(place.home, name, place.me)
        line, entry = rounds.status(ceremony, _STATES)
        return Result("refresh-status", [line], entry, _next(ceremony))
    lines: list[str] = []
    entries: list[dict[str, object]] = []
    for each in GroupKey.names(place.home):
        try:
            ceremony = Refresh.load(place.home, each, place.me)
        except NotKnown:
            continue
        except CeremonyStopped as stopped:
            lines.append(str(stopped))
            entries.append({"name": each, "state": "does-not-count", "why": str(stopped)})
            continue
        line, entry = rounds.status(ceremony, _STATES)
        lines.append(line)
        entries.append(entry)
    return Result("refresh-status-list", lines or ["no refreshes"], {"refreshes": entries})


@command(refresh, "abort", token=True)
@click.argument("name", shell_complete=completing.keys)
@click.option("--confirm-name", metavar="NAME", help="The name again, instead of typing it.")
def abort(place: Workplace, name: str, confirm_name: str | None) -> Result:
    """Give a refresh up, on your side; the present shares go on.

    Before your confirmation was sent, for good. After it, nobody takes it back alone: the refresh is given up here but
    not undone, all shares are kept, and should everybody confirm it after all, it ends well. The name has to be typed
    again; --yes does not answer that.
    """
    ceremony = Refresh.load(place.home, name, place.me)
    ceremony.require_unconfirmed()
    place.terminal.confirm_by_name(f"This gives up {ceremony.title}", name, confirm_name)
    lines, after = rounds.given_up(ceremony, ceremony.abort(place.holder))
    return Result("refresh-abort", [*lines, "The present shares go on"], rounds.fields(ceremony), after)


_STATES = {
    "round1": "proposed; round 1 is not done",
    "round2": "round 1 is sent",
    "finish": "round 2 is sent",
    "confirm": "finished; the old shares are active until you confirm",
    "active": "the new shares are active",
    "stopped": "stopped; the old shares are active",
    "given-up": "given up here, but not undone; the old shares are active",
}


def _next(ceremony: Refresh) -> str:
    step, name = ceremony.status().step, ceremony.name
    if step == "round1":
        return f"frost-hsm refresh round1 {ceremony.stem}.proposal.pem"
    if step == "active":
        return rounds.to_sign(ceremony)
    if step == "stopped":
        return f"frost-hsm refresh abort {name}, then propose a new one"
    if step == "given-up":
        return f"frost-hsm refresh confirm {name} --in DIR, should all confirm it; or: frost-hsm history show {name}"
    return f"frost-hsm refresh {step} {name} --in DIR"
