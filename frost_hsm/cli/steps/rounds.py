"""What the commands of the three rounds have alike, whether they make a key or its shares anew."""

from __future__ import annotations

from contextlib import nullcontext

from frost_hsm.ceremony.history.transcript import STEPS
from frost_hsm.ceremony.messages.making import Confirmation, Round1, Round2
from frost_hsm.ceremony.messages.message import Message
from frost_hsm.ceremony.messages.signed import Signed
from frost_hsm.ceremony.sharing.rounds import Finished, Rounds
from frost_hsm.cli.files import door
from frost_hsm.cli.files.incoming import taking_in
from frost_hsm.cli.steps.parting import Parts
from frost_hsm.cli.talk.output import Result
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import Aborted


def to_sign(ceremony: Rounds) -> str:
    """Return the command that asks for a signature, once the key can make one."""
    are_all = ceremony.min_signers == len(ceremony.roster)
    return f"frost-hsm sign request {ceremony.name} FILE{'' if are_all else ' --signers NAMES'}"


def round1(place: Workplace, ceremony: Rounds, plan: list[str], output: str | None, force: bool) -> Result:
    """Show what is proposed and ask, unless that was done before; then send one's own commitment."""
    is_new = not ceremony.has_agreed
    path = _check_output(ceremony, Round1, output, force)
    if is_new:
        if not place.terminal.agree("Take part?", what="the name of the key", shown=ceremony.name, lines=plan):
            raise Aborted("you did not agree to take part; nothing was changed")
        with place.holder() as holder:  # agreed to once the token is open: until then nothing has changed
            ceremony.accept()
            data = ceremony.round1(lambda: nullcontext(holder))
    else:
        data = ceremony.round1(place.holder)
    return _wrote(ceremony, Round1, path, data, force, "round2", [])


def round2(
    place: Workplace,
    ceremony: Rounds,
    paths: tuple[str, ...],
    directory: str | None,
    output: str | None,
    each: str | None,
    force: bool,
) -> Result:
    """Check the commitments of all, and send everybody their share: in one file for all, or in one for ``each``."""
    if each is not None:
        return _round2_to_each(place, ceremony, paths, directory, output, each, force)
    path = _check_output(ceremony, Round2, output, force)
    with taking_in(paths, directory, ceremony.transcript, ceremony.stem) as inbox:
        data = ceremony.round2(place.holder, inbox)
    return _wrote(ceremony, Round2, path, data, force, "finish", [_checked(ceremony)])


def _round2_to_each(
    place: Workplace,
    ceremony: Rounds,
    paths: tuple[str, ...],
    directory: str | None,
    output: str | None,
    folder: str,
    force: bool,
) -> Result:
    parts = Parts(ceremony.transcript, Round2, folder, _file(ceremony, Round2), output, force=force)
    with taking_in(paths, directory, ceremony.transcript, ceremony.stem) as inbox:
        ceremony.round2(place.holder, inbox)
    lines = [_checked(ceremony), parts.write()]
    after = (
        f"send each their own {parts.title}, and put what you are sent into one directory; "
        f"then: frost-hsm {ceremony.command} finish {ceremony.name} --in DIR"
    )
    return Result(f"{ceremony.command}-round2-each", lines, {**fields(ceremony), "files": parts.paths}, after)


def _checked(ceremony: Rounds) -> str:
    return f"Checked the messages of {others(ceremony)}"


def finish(
    place: Workplace,
    ceremony: Rounds,
    paths: tuple[str, ...],
    directory: str | None,
    output: str | None,
    force: bool,
    pending: str,
) -> Result:
    """Check the shares, and seal one's own. pending: what is said of it until all have confirmed."""
    path = _check_output(ceremony, Confirmation, output, force)
    with taking_in(paths, directory, ceremony.transcript, ceremony.stem) as inbox:
        finished = ceremony.finish(place.holder, inbox)
    raw = door.write(path, finished.message, force=force)
    lines = [f"Checked the shares of {others(ceremony)}", pending, *key_lines(finished), door.wrote(path)]
    after = (
        f"compare the check code with {others(ceremony)} by voice and send them {path}; "
        f"with theirs: frost-hsm {ceremony.command} confirm {ceremony.name} --in DIR"
    )
    result = {**fields(ceremony), **key_fields(finished), "file": path}
    return Result(f"{ceremony.command}-finish", lines, result, after, raw)


def have_compared(place: Workplace, ceremony: Rounds, check_code: str) -> bool:
    """Ask whether all have read the same check code to each other."""
    return place.terminal.agree(
        f"Did {others(ceremony)} read the same check code?",
        what="the check code",
        shown=check_code,
        last=4,
        lines=[f"  check code  {check_code}"],
    )


def status(ceremony: Rounds, states: dict[str, str]) -> tuple[str, dict[str, object]]:
    """Say where a ceremony stands, as a line and as fields. states: what each step is called."""
    found = ceremony.status()
    line = f"{ceremony.title}: {states[found.step]}"
    if found.why:
        line += f"; {found.why}"
        line += f"; {', '.join(found.missing)} has not answered" if found.missing else ""
    elif found.missing:
        line += f"; here from {', '.join(found.have)}; not yet from {', '.join(found.missing)}"
    entry = {**fields(ceremony), "state": found.step, "have": list(found.have), "missing": list(found.missing)}
    if found.why:
        entry["why"] = found.why
    return line, entry


def given_up(ceremony: Rounds, is_undone: bool) -> tuple[list[str], str | None]:
    """Say what giving up came to, and what leads on where it is not undone."""
    if is_undone:
        return [f"Gave up {ceremony.title}"], None
    lines = [
        f"{ceremony.title} is given up here, but not undone: your confirmation was sent, others may have all",
        "Your shares and all messages are kept; should everybody confirm it after all, take that in",
    ]
    after = f"ask for all confirmations, then: frost-hsm {ceremony.command} confirm {ceremony.name} --in DIR"
    if ceremony.epoch:
        after += f"; or end it for good, together: frost-hsm history abandon {ceremony.name}"
    return lines, after


def others(ceremony: Rounds) -> str:
    """List everybody but oneself."""
    return ", ".join(each.name for each in ceremony.roster if each != ceremony.me)


def fields(ceremony: Rounds) -> dict[str, object]:
    """Say which ceremony it is, for programs."""
    return {
        "name": ceremony.name,
        "ceremony": ceremony.id.hex(),
        "suite": ceremony.suite.id,
        "min_signers": ceremony.min_signers,
        "participants": [each.name for each in ceremony.roster],
        "epoch": ceremony.epoch,
    }


def key_lines(finished: Finished) -> list[str]:
    """Show what people compare."""
    return [f"  group key   {finished.verifying_key.hex()}", f"  check code  {finished.check_code}"]


def key_fields(finished: Finished) -> dict[str, object]:
    """As `key_lines`, for programs."""
    return {"key": finished.verifying_key.hex(), "check_code": finished.check_code.replace(" ", "")}


def _check_output(ceremony: Rounds, kind: type[Message], output: str | None, force: bool) -> str:
    """Return where one's own message of a kind is written; refuse early what `door.write` would refuse late."""
    path = output or _file(ceremony, kind)
    sent: Signed[Message] | None = ceremony.transcript.sent(kind)
    door.check_output(path, force=force, again=sent.to_pem() if sent is not None else None)
    return path


def _file(ceremony: Rounds, kind: type[Message]) -> str:
    return f"{ceremony.stem}.{ceremony.me.name}.{STEPS[kind]}.pem"


def _wrote(
    ceremony: Rounds, kind: type[Message], path: str, data: bytes, force: bool, step: str, lines: list[str]
) -> Result:
    """Write the message of a step and say which ``step`` is next."""
    raw = door.write(path, data, force=force)
    after = (
        f"send {door.as_typed(path)} to {others(ceremony)}, put theirs into one directory; "
        f"then: frost-hsm {ceremony.command} {step} {ceremony.name} --in DIR"
    )
    result = {**fields(ceremony), "file": path}
    return Result(f"{ceremony.command}-{STEPS[kind]}", [*lines, door.wrote(path)], result, after, raw)
