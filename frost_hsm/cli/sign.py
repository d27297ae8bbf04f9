"""``frost-hsm sign``: sign together."""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePath

import click

from frost_hsm.ceremony import signed, signing
from frost_hsm.ceremony.keys import GroupKey
from frost_hsm.ceremony.messages import Commitment, Message, Response, SigningRequest
from frost_hsm.ceremony.signing import SigningSession
from frost_hsm.ceremony.store import SIGNATURE, request_folder
from frost_hsm.ceremony.transcript import STEPS
from frost_hsm.cli import completing, files, plain
from frost_hsm.cli.agreement import agree, message_line
from frost_hsm.cli.incoming import inputs, taking_in
from frost_hsm.cli.options import Function, command, output, split_names
from frost_hsm.cli.output import Result, grouped
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import UsageProblem


@click.group()
def sign() -> None:
    """Sign together.

    The steps are request, commit, respond, aggregate. Each signer sees the message itself and agrees to it.
    Nonces wait sealed in the token and serve once. To respond, your share is in this machine's memory for an
    instant: the token keeps it, and cannot compute with it.

    With --key the steps speak plain ZcashFoundation JSON instead, for a coordinator that is another program.
    Plain files are not signed: nobody can tell who wrote them.
    """


def _plain_key(function: Function) -> Function:
    return click.option(
        "--key",
        metavar="NAME",
        shell_complete=completing.keys,
        help="Speak plain JSON, for this key; REQUEST is a signing package.",
    )(function)


@command(sign, "request", token=True)
@click.argument("key", shell_complete=completing.keys)
@click.argument("file")
@click.option("--signers", metavar="NAMES", help="Who signs: alice,carol. Needed unless all must.")
@click.option(
    "--commitments",
    multiple=True,
    metavar="NAME=FILE",
    help="The plain JSON commitments of a signer, once for each: write a plain signing package. Needs no token.",
)
@output
def request(
    place: Workplace,
    key: str,
    file: str,
    signers: str | None,
    commitments: tuple[str, ...],
    output: str | None,
    force: bool,
) -> Result:
    """Ask for a signature with KEY on FILE.

    Writes FILE.request.pem, which holds the whole message for every signer to see.
    """
    if commitments:
        if signers is not None:
            raise UsageProblem("--signers and --commitments exclude each other: the commitments name the signers")
        return plain.package(place, key, file, commitments, output or f"{_stem(file)}.package.json", force)
    group_key = GroupKey.load(place.home, key, place.me)
    group_key.require_active()
    path = output or f"{_stem(file)}.request.pem"
    files.check_output(path, force=force)
    participants = [each.name for each in group_key.roster]
    if signers is None and group_key.min_signers < len(participants):
        raise UsageProblem(
            f"it has to be said who signs: {group_key.min_signers} or more of {', '.join(participants)}",
            hint="add --signers NAMES",
        )
    names = split_names(signers) if signers is not None else participants
    for name in names:
        group_key.roster.position(name)
    message = files.read(file)
    with place.holder() as holder:
        data = signing.request(holder, group_key, message, names)
    session = SigningSession(place.home, group_key, signed.read(data, group_key.roster).expect(SigningRequest))
    raw = files.write(path, data, force=force)
    after = f"send {path} to {', '.join(session.signers)}; each runs: frost-hsm sign commit {path}"
    lines = [*_request_lines(session), f"Wrote {path}"]
    return Result("sign-request", lines, {**_fields(session), "file": path}, after, raw)


@command(sign, "commit", token=True, asks=True)
@click.argument("request", required=False, shell_complete=completing.requests)
@_plain_key
@output
def commit(place: Workplace, request: str | None, key: str | None, output: str | None, force: bool) -> Result:
    """Agree to sign what REQUEST asks for.

    You are shown the key, the signers and the message, and asked, before the token is used. With --key and
    without REQUEST: plain JSON commitments, for a message that you will see when you respond.
    """
    if key is not None and request is None:
        return plain.commit(place, key, output, force)
    if request is None or key is not None:
        raise UsageProblem("it takes either REQUEST or --key")
    session = _session(place, request)
    path = _check_output(session, Commitment, request, output, force)
    if session.transcript.sent(Commitment) is None:
        agree(place.terminal, _request_lines(session), session.request.message.message, request)
    data = session.commit(place.holder)
    raw = files.write(path, data, force=force)
    others = ", ".join(name for name in session.signers if name != place.me.name)
    after = f"send {path} to {others}, put theirs into one directory; then: frost-hsm sign respond {request} --in DIR"
    return Result("sign-commit", [f"Wrote {path}"], {**_fields(session), "file": path}, after, raw)


@command(sign, "respond", token=True, asks=True)
@click.argument("request", shell_complete=completing.requests)
@_plain_key
@inputs
@output
def respond(
    place: Workplace,
    request: str,
    key: str | None,
    paths: tuple[str, ...],
    directory: str | None,
    output: str | None,
    force: bool,
) -> Result:
    """Sign, once the commitments of all signers are here.

    Uses up the nonces of your commitment. The same again gives the same answer; with other commitments it is
    refused, because two answers would reveal your share.
    """
    if key is not None:
        if paths or directory is not None:
            raise UsageProblem("a signing package holds the commitments; no other files are read")
        return plain.respond(place, key, request, output, force)
    session = _session(place, request)
    path = _check_output(session, Response, request, output, force)
    with taking_in(paths, directory, session.transcript, _stem(request)) as inbox:
        data = session.respond(place.holder, inbox)
    raw = files.write(path, data, force=force)
    lines = ["The nonces are used up; your signature share is made", f"Wrote {path}"]
    after = f"send {path} to whoever aggregates: frost-hsm sign aggregate {request} --in DIR"
    return Result("sign-respond", lines, {**_fields(session), "file": path}, after, raw)


@command(sign, "aggregate")
@click.argument("request", shell_complete=completing.requests)
@_plain_key
@inputs
@output
def aggregate(
    place: Workplace,
    request: str,
    key: str | None,
    paths: tuple[str, ...],
    directory: str | None,
    output: str | None,
    force: bool,
) -> Result:
    """Put the responses together to a signature.

    Needs no token. Nothing is written unless the signature verifies; otherwise every signer with a bad share is
    named. With --key, FILES are plain signature shares as NAME=FILE.
    """
    path = output or f"{_stem(request)}.sig"
    if key is not None:
        if directory is not None:
            raise UsageProblem("plain shares do not say whose they are; give each as NAME=FILE")
        return plain.aggregate(place, key, request, paths, path, force)
    session = _session(place, request)
    again = session.home.read(f"{request_folder(session.id)}/{SIGNATURE}")
    files.check_output(path, force=force, again=again, is_text=False)
    with taking_in(paths, directory, session.transcript, _stem(request)) as inbox:
        signature = session.aggregate(inbox)
    raw = files.write(path, signature, force=force)
    lines = [
        f"Checked the signature shares of {', '.join(session.signers)}",
        f"Signature verified under {session.key.name}",
        f"Wrote {path} ({len(signature)} bytes)",
    ]
    fields = {**_fields(session), "signature": signature.hex(), "file": path}
    return Result("sign-aggregate", lines, fields, f"frost-hsm verify --key {session.key.name} MESSAGE {path}", raw)


@command(sign, "status")
@click.argument("request", required=False, shell_complete=completing.requests)
def status(place: Workplace, request: str | None) -> Result:
    """Say where a request stands and what comes next.

    REQUEST is a file or the first digits of an id; without it, of all. Needs no token.
    """
    if request is not None:
        session = _session(place, request)
        line, fields = _status(session)
        return Result("sign-status", [line], fields, _next(session, request))
    found = [_status(SigningSession.load(place.home, name, place.me)) for name in SigningSession.names(place.home)]
    lines = [line for line, _ in found] or ["no requests"]
    return Result("sign-status-list", lines, {"requests": [fields for _, fields in found]})


def _session(place: Workplace, request: str) -> SigningSession:
    """Take a request by its file, or by the first digits of its id."""
    is_id = len(request) >= 4 and all(digit in "0123456789abcdef" for digit in request)
    if is_id and not Path(request).exists():
        return SigningSession.load(place.home, request, place.me)
    return files.parse(request, lambda data: SigningSession.read(place.home, data, place.me))


def _request_lines(session: SigningSession) -> list[str]:
    key, message = session.key, session.request.message.message
    return [
        f"Request {grouped(session.id[:8])} by {session.request.sender.name} (signature good)",
        f"  key      {key.name} ({key.verifying_key[:8].hex()})" + (f", for: {key.purpose}" if key.purpose else ""),
        message_line(message),
        f"  signers  {', '.join(session.signers)} ({key.min_signers} of {len(key.roster)} needed)",
    ]


def _status(session: SigningSession) -> tuple[str, dict[str, object]]:
    found = session.status()
    line = f"{session.id[:8].hex()}: key {session.key.name}, {_STATES[found.step]}"
    if found.missing:
        line += f"; here from {', '.join(found.have) or 'nobody'}; not yet from {', '.join(found.missing)}"
    fields = {
        **_fields(session),
        "state": found.step,
        "have": list(found.have),
        "missing": list(found.missing),
    }
    return line, fields


_STATES = {
    "commit": "you have not committed",
    "respond": "your commitment is sent",
    "aggregate": "waiting to be aggregated",
    "done": "signed",
}


def _next(session: SigningSession, request: str) -> str | None:
    step = session.status().step
    if step == "done":
        return None
    return f"frost-hsm sign {step} {request}" + (" --in DIR" if step != "commit" else "")


def _fields(session: SigningSession) -> dict[str, object]:
    return {
        "request": session.id.hex(),
        "key": session.key.name,
        "message_sha256": hashlib.sha256(session.request.message.message).hexdigest(),
        "signers": list(session.signers),
    }


def _check_output(session: SigningSession, kind: type[Message], request: str, output: str | None, force: bool) -> str:
    path = output or f"{_stem(request)}.{session.key.me.name}.{STEPS[kind]}.pem"
    sent = session.transcript.sent(kind)
    files.check_output(path, force=force, again=sent.to_pem() if sent is not None else None)
    return path


def _stem(file: str) -> str:
    """Name outputs after what they belong to: pay.json → pay, pay.request.pem → pay."""
    name = PurePath(file).name
    for ending in (".pem", ".request", ".json", ".package"):
        name = name.removesuffix(ending)
    return name if file != files.STANDARD else "stdin"
