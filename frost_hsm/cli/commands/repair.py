"""``frost-hsm repair``: rebuild a lost share on a new token, or make one for a new participant."""

from __future__ import annotations

import click

from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.ceremony.history.transcript import STEPS
from frost_hsm.ceremony.messages.changing import RepairDelta, RepairDone, RepairSigma
from frost_hsm.ceremony.messages.making import Confirmation
from frost_hsm.ceremony.messages.message import Message
from frost_hsm.ceremony.messages.signed import Signed
from frost_hsm.ceremony.sharing import repair as ceremony_repair
from frost_hsm.ceremony.sharing.repair import Repair
from frost_hsm.cli import completing
from frost_hsm.cli.commands.history import unfinished
from frost_hsm.cli.files import door
from frost_hsm.cli.files.incoming import inputs, taking_in
from frost_hsm.cli.options import command, output, split_names
from frost_hsm.cli.parsing import group
from frost_hsm.cli.sittings.posting import posting, to_board
from frost_hsm.cli.steps import proposals
from frost_hsm.cli.steps.parting import Parts, to_each
from frost_hsm.cli.talk.output import Result
from frost_hsm.cli.talk.text import quoted
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import Aborted, NotPossible, UsageProblem


@group
def repair() -> None:
    """Rebuild a lost share, or make one for a new participant.

    It is made for the token of whoever asks: a new one in place of the lost, a newcomer's, or that of somebody who
    takes the place of a participant who blocks a step of all.

    As many of the others as the threshold help; nobody learns anything, and the key and all other shares stay. The
    steps are request (by the one who receives), delta and sigma (by each helper), finish (by the one who receives) and
    confirm (by everybody else, to everybody). The one who receives first takes in what is public: keys export --format
    bundle by another, keys import.

    Whoever receives a share signs once all others have confirmed it. After the repair of a lost token, refresh: until
    then the lost token still holds the share.
    """


@command(repair, "request", token=True)
@click.argument("name", shell_complete=completing.keys)
@click.option("--helpers", metavar="NAMES", required=True, help="Who helps: alice,bob; as many as sign, or more.")
@click.option("--replace", metavar="NAME", help="Whose share was lost; else whoever has your name.")
@click.option("--absent", metavar="NAMES", help="Whose confirmation is not waited for: they, too, cannot be reached.")
@click.option(
    "--displace",
    metavar="ID",
    multiple=True,
    help="What is begun and hangs, and that this takes the place of, by the first digits of its id, as history show "
    "has it; once for each.",
)
@click.option("--new", "is_new", is_flag=True, help="Ask for a share of your own, as a new participant.")
@to_board
@output
def request(
    place: Workplace,
    name: str,
    helpers: str,
    replace: str | None,
    absent: str | None,
    displace: tuple[str, ...],
    is_new: bool,
    board: str | None,
    output: str | None,
    force: bool,
) -> Result:
    """Ask for a share of key NAME, for your own identity.

    Writes NAME.repairP.request.pem, for everybody; P is the position. Each has to have your identity among their peers.
    """
    if is_new and replace is not None:
        raise UsageProblem("--new and --replace exclude each other")
    key = GroupKey.load(place.home, name, place.me)
    position = len(key.roster) + 1 if is_new else key.roster.position(replace or place.me.name)
    path = output or f"{name}.repair{position}.request.pem"
    door.check_output(path, force=force)
    names = split_names(helpers)
    if not key.min_signers <= len(set(names)) == len(names):
        raise NotPossible(f"a share of {name} takes {key.min_signers} or more different helpers, not {len(set(names))}")
    with posting(place, board, name) as there:
        with place.holder() as holder:
            data = ceremony_repair.request(
                holder, key, position, names, absent=split_names(absent or ""), displaces=unfinished(key, displace)
            )
        asked = Repair.read(place.home, data, place.me)
        raw = door.write(path, data, force=force)
        lines = [*proposals.repairing(asked), door.wrote(path), *there.post(data)]
    file = door.as_typed(path)
    by_file = f"send {file} and your identity to everybody; {', '.join(names)} run: frost-hsm repair delta {file}"
    fields = {**_fields(asked), "file": path, **there.fields}
    return Result("repair-request", lines, fields, there.next_step(by_file), raw)


@command(repair, "delta", token=True, asks=True)
@click.argument("request")
@to_each
@output
def delta(place: Workplace, request: str, each: str | None, output: str | None, force: bool) -> Result:
    """Agree to help with REQUEST, a file, and send the other helpers their pieces.

    You are shown who would receive which share, and asked, before the token is used: whoever receives it signs in that
    place. Their identity has to be among your peers.
    """
    asked = _read(place, request)
    then = f"frost-hsm repair sigma {quoted(request)} --in DIR"
    if each is not None:
        parts = Parts(asked.transcript, RepairDelta, each, _file(asked, RepairDelta), output, force=force)
        _help(place, asked)
        after = f"send each their own {parts.title}, put what you are sent into one directory; then: {then}"
        fields = {**_fields(asked), "files": parts.paths}
        return Result("repair-delta-each", [parts.write()], fields, after)
    path = _check_output(asked, RepairDelta, output, force)
    data = _help(place, asked)
    raw = door.write(path, data, force=force)
    helpers = ", ".join(helper.name for helper in asked.helpers if helper != asked.me)
    after = f"send {door.as_typed(path)} to {helpers}, put theirs into one directory; then: {then}"
    return Result("repair-delta", [door.wrote(path)], {**_fields(asked), "file": path}, after, raw)


def _help(place: Workplace, asked: Repair) -> bytes:
    """Agree, unless that was done before, and make one's pieces."""
    if asked.status().step == "delta":
        _agree(place, asked, "Help?")
    return asked.delta(place.holder)


@command(repair, "sigma", token=True)
@click.argument("request")
@inputs
@output
def sigma(
    place: Workplace, request: str, paths: tuple[str, ...], directory: str | None, output: str | None, force: bool
) -> Result:
    """Add up the pieces of all helpers, for the one who receives.

    It makes nobody a participant yet: that takes everybody's confirmation.
    """
    asked = _read(place, request)
    path = _check_output(asked, RepairSigma, output, force)
    with taking_in(paths, directory, asked.transcript, asked.stem) as inbox:
        data = asked.sigma(place.holder, inbox)
    raw = door.write(path, data, force=force)
    file = door.as_typed(path)
    after = f"send {file} to everybody; {asked.receiver.name} runs: frost-hsm repair finish {quoted(request)} --in DIR"
    return Result("repair-sigma", [door.wrote(path)], {**_fields(asked), "file": path}, after, raw)


@command(repair, "finish", token=True)
@click.argument("request")
@inputs
@output
def finish(
    place: Workplace, request: str, paths: tuple[str, ...], directory: str | None, output: str | None, force: bool
) -> Result:
    """Add up what the helpers sent to your share, check it and seal it in the token.

    Writes NAME.repairP.YOU.done.pem, for everybody. You can sign once all others have confirmed it.
    """
    asked = _read(place, request)
    path = _check_output(asked, RepairDone, output, force)
    with taking_in(paths, directory, asked.transcript, asked.stem) as inbox:
        data = asked.finish(place.holder, inbox)
    raw = door.write(path, data, force=force)
    lines = ["Checked the share against the group", "Your share is sealed in the token", door.wrote(path)]
    after = f"send {door.as_typed(path)} to everybody; they run: frost-hsm repair confirm {quoted(request)} --in DIR"
    return Result("repair-finish", lines, {**_fields(asked), "file": path}, after, raw)


@command(repair, "confirm", token=True, asks=True)
@click.argument("request")
@inputs
@output
def confirm(
    place: Workplace, request: str, paths: tuple[str, ...], directory: str | None, output: str | None, force: bool
) -> Result:
    """Confirm a repair, and take in who else has.

    With all confirmations the new identity is a participant. Writes NAME.repairP.YOU.confirm.pem, for everybody; run it
    again with theirs. It takes the sigmas of all helpers and the file of finish. If REQUEST is for a second token, as
    its owner's identity names it, it takes the file of recover alone: hear from the owner, by voice, that the first is
    lost. Whoever receives the share only takes in the others'.
    """
    asked = _read(place, request)
    path = _check_output(asked, Confirmation, output, force)
    if asked.status().step == "confirm" and asked.transcript.sent(Confirmation) is None and asked.me != asked.receiver:
        _agree(place, asked, "Confirm it?")
    with taking_in(paths, directory, asked.transcript, asked.stem) as inbox:
        data = asked.confirm(place.holder, inbox)
    who, raw, lines = asked.receiver.name, None, []
    if data is not None:
        raw = door.write(path, data, force=force)
        lines.append(door.wrote(path))
    if not asked.is_done:
        lines.append(f"Not yet confirmed by {', '.join(asked.missing)}")
        file = door.as_typed(path)
        after = f"send {file} to everybody; with theirs: frost-hsm repair confirm {quoted(request)} --in DIR"
        return Result("repair-confirm", lines, {**_fields(asked), "state": "confirm", "file": path}, after, raw)
    lines.append(f"{who} is participant {asked.position} of {asked.key.name}")
    if asked.is_takeover and asked.me != asked.receiver:
        lines.append(f"For new keys with {who}: frost-hsm peer remove {who}, then peer add, with the new identity")
    again = None
    if asked.replaced is not None:
        again = f"the lost token still holds the share; make it worthless: frost-hsm refresh propose {asked.key.name}"
    return Result("repair-confirm", lines, {**_fields(asked), "state": "done", "file": path}, again, raw)


@command(repair, "status")
@click.argument("request")
def status(place: Workplace, request: str) -> Result:
    """Say where the repair of REQUEST stands here and what comes next.

    REQUEST is a file. Needs no token.
    """
    asked = _read(place, request)
    found = asked.status()
    line = f"{asked.key.name} for {asked.receiver.name}: {_STATES[found.step]}"
    if found.missing:
        line += f"; here from {', '.join(found.have) or 'nobody'}; not yet from {', '.join(found.missing)}"
    fields = {**_fields(asked), "state": found.step, "have": list(found.have), "missing": list(found.missing)}
    after = None
    if found.step != "done":
        after = f"frost-hsm repair {found.step} {quoted(request)}" + (" --in DIR" if found.step != "delta" else "")
    return Result("repair-status", [line], fields, after)


_STATES = {
    "delta": "you have not helped",
    "sigma": "your delta is sent",
    "finish": "waiting for the sigmas of all helpers",
    "confirm": "waiting for everybody's confirmation",
    "done": "done",
}


def _read(place: Workplace, request: str) -> Repair:
    return door.parse(request, lambda data: Repair.read(place.home, data, place.me))


def _agree(place: Workplace, asked: Repair, question: str) -> None:
    asked.check_receiver(place.peers())
    is_agreed = place.terminal.agree(
        question,
        what="the fingerprint",
        shown=asked.receiver.fingerprint,
        last=4,
        lines=proposals.repairing(asked),
    )
    if not is_agreed:
        raise Aborted("you did not agree; nothing was changed")


def _check_output(asked: Repair, kind: type[Message], output: str | None, force: bool) -> str:
    path = output or _file(asked, kind)
    sent: Signed[Message] | None = asked.transcript.sent(kind)
    door.check_output(path, force=force, again=sent.to_pem() if sent is not None else None)
    return path


def _file(asked: Repair, kind: type[Message]) -> str:
    return f"{asked.stem}.{asked.me.name}.{STEPS[kind]}.pem"


def _fields(asked: Repair) -> dict[str, object]:
    return {
        "name": asked.key.name,
        "repair": asked.id.hex(),
        "receiver": asked.receiver.name,
        "position": asked.position,
        "replaces": asked.replaced.name if asked.replaced is not None else None,
        "helpers": [helper.name for helper in asked.helpers],
        "displaces": [each.hex() for each in asked.request.message.displaces],
    }
