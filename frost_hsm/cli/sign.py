"""``frost-hsm sign``: sign together."""

from __future__ import annotations

import hashlib

import click

from frost_hsm.ceremony import signed, signing
from frost_hsm.ceremony.keys import GroupKey
from frost_hsm.ceremony.messages import Commitment, Message, Response, SigningRequest
from frost_hsm.ceremony.signing import SigningSession
from frost_hsm.ceremony.transcript import STEPS
from frost_hsm.cli import plain
from frost_hsm.cli.options import command, inputs, output
from frost_hsm.cli.output import Result, grouped
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import Aborted, UsageProblem


@click.group()
def sign() -> None:
    """Sign together: request, commit, respond, aggregate.

    Each signer sees the message itself and agrees to it. Nonces wait sealed in the token and serve once.

    With --key the steps speak plain ZcashFoundation JSON instead, for a coordinator that is another program.
    """


@command(sign, "request", token=True)
@click.argument("key")
@click.argument("file")
@click.option("--signers", metavar="NAMES", help="Who signs: alice,carol. Left out only where all must.")
@click.option(
    "--commitments",
    multiple=True,
    metavar="NAME=FILE",
    help="Plain JSON commitments: write a signing package.",
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
    """Ask for a signature with KEY on FILE."""
    if commitments:
        return plain.package(place, key, file, commitments, output or f"{_stem(file)}.package.json", force)
    group_key = GroupKey.load(place.home, key, place.me)
    path = output or f"{_stem(file)}.request.pem"
    place.check_output(path, force=force)
    participants = [each.name for each in group_key.roster]
    if signers is None and group_key.min_signers < len(participants):
        raise UsageProblem(
            f"say who signs with --signers: {group_key.min_signers} or more of {', '.join(participants)}"
        )
    names = [name.strip() for name in signers.split(",")] if signers is not None else participants
    message = place.read(file)
    group_key.require_active()
    with place.holder() as holder:
        data = signing.request(holder, group_key, message, names)
    session = SigningSession(place.home, group_key, signed.read(data, group_key.roster).expect(SigningRequest))
    raw = place.write(path, data, force=force)
    after = f"send {path} to {', '.join(session.signers)}; each runs: frost-hsm sign commit {path}"
    return Result(
        "sign-request",
        [*_request_lines(session), f"Wrote {path}"],
        {**_fields(session), "file": path},
        after,
        raw,
    )


@command(sign, "commit", token=True, asks=True)
@click.argument("request", required=False)
@click.option("--key", metavar="NAME", help="Without a request: write plain JSON commitments for this key.")
@output
def commit(place: Workplace, request: str | None, key: str | None, output: str | None, force: bool) -> Result:
    """Agree to sign what REQUEST asks for."""
    if key is not None and request is None:
        return plain.commit(place, key, output, force)
    if request is None or key is not None:
        raise UsageProblem("give a request file, or --key for plain JSON commitments")
    session = _session(place, request)
    path = _check_output(place, session, Commitment, request, output, force)
    if session.transcript.sent(Commitment) is None:
        _agree(place, session)
    data = session.commit(place.holder)
    raw = place.write(path, data, force=force)
    others = ", ".join(name for name in session.signers if name != place.me.name)
    after = f"send {path} to {others}, put theirs into one directory; then: frost-hsm sign respond {request} --in DIR"
    return Result("sign-commit", [f"Wrote {path}"], {**_fields(session), "file": path}, after, raw)


@command(sign, "respond", token=True, asks=True)
@click.argument("request")
@click.option("--key", metavar="NAME", help="REQUEST is a signing package in plain JSON, for this key.")
@inputs
@output
def respond(
    place: Workplace,
    request: str,
    key: str | None,
    files: tuple[str, ...],
    directory: str | None,
    output: str | None,
    force: bool,
) -> Result:
    """Sign, once the commitments of all signers are here."""
    if key is not None:
        return plain.respond(place, key, request, output, force)
    session = _session(place, request)
    path = _check_output(place, session, Response, request, output, force)
    with place.inbox(files, directory) as inbox:
        data = session.respond(place.holder, inbox)
    raw = place.write(path, data, force=force)
    lines = ["The nonces are used up; your signature share is made", f"Wrote {path}"]
    after = f"send {path} to whoever aggregates: frost-hsm sign aggregate {request} --in DIR -o SIGNATURE"
    return Result("sign-respond", lines, {**_fields(session), "file": path}, after, raw)


@command(sign, "aggregate")
@click.argument("request")
@click.option("--key", metavar="NAME", help="REQUEST is a signing package in plain JSON, for this key.")
@inputs
@output
def aggregate(
    place: Workplace,
    request: str,
    key: str | None,
    files: tuple[str, ...],
    directory: str | None,
    output: str | None,
    force: bool,
) -> Result:
    """Put the responses together to a verified signature. Needs no token."""
    path = output or f"{_stem(request)}.sig"
    place.check_output(path, force=force or key is None)
    if key is not None:
        return plain.aggregate(place, key, request, files, directory, path, force)
    session = _session(place, request)
    with place.inbox(files, directory) as inbox:
        signature = session.aggregate(inbox)
    raw = place.write(path, signature, force=force)
    lines = [
        f"Checked the signature shares of {', '.join(session.signers)}",
        f"Signature verified under {session.key.name}",
        f"Wrote {path} ({len(signature)} bytes)",
    ]
    fields = {**_fields(session), "signature": signature.hex(), "file": path}
    after = f"frost-hsm verify --key {session.key.name} MESSAGE {path}"
    return Result("sign-aggregate", lines, fields, after, raw)


@command(sign, "status")
@click.argument("request", required=False)
def status(place: Workplace, request: str | None) -> Result:
    """Say where a request stands, a file or the first digits of its id; without REQUEST, of all."""
    if request is not None:
        session = _session(place, request)
        return Result("sign-status", *_status(session))
    lines, entries = [], []
    for name in place.home.names("requests"):
        found_lines, fields = _status(SigningSession.load(place.home, name, place.me))
        lines += found_lines
        entries.append(fields)
    return Result("sign-status-list", lines or ["no requests"], {"requests": entries})


def _session(place: Workplace, request: str) -> SigningSession:
    """Take a request by its file, or by the first digits of its id."""
    if request != "-" and len(request) >= 4 and all(digit in "0123456789abcdef" for digit in request):
        return SigningSession.load(place.home, request, place.me)
    return SigningSession.read(place.home, place.read(request), place.me)


def _agree(place: Workplace, session: SigningSession) -> None:
    message = session.request.message.message
    for line in _request_lines(session):
        place.terminal.message(line)
    preview = message[:200].decode("utf-8", "replace").split("\n")[0]
    shown = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in preview)
    place.terminal.message(f"  begins   {shown}")
    place.terminal.message("  (all of it: frost-hsm inspect FILE --message)")
    if not place.terminal.confirm("Agree to sign this message?"):
        raise Aborted("you did not agree to sign; nothing was changed")


def _request_lines(session: SigningSession) -> list[str]:
    key, message = session.key, session.request.message.message
    return [
        f"Request {grouped(session.id[:8])} by {session.request.sender.name} (signature good)",
        f"  key      {key.name} ({key.verifying_key[:8].hex()})" + (f", for: {key.purpose}" if key.purpose else ""),
        f"  message  {len(message)} bytes, sha256 {hashlib.sha256(message).hexdigest()}",
        f"  signers  {', '.join(session.signers)} ({key.min_signers} of {len(key.roster)} needed)",
    ]


def _status(session: SigningSession) -> tuple[list[str], dict[str, object]]:
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
    return [line], fields


_STATES = {
    "commit": "you have not committed",
    "respond": "your commitment is sent",
    "aggregate": "your response is sent",
    "done": "signed",
}


def _fields(session: SigningSession) -> dict[str, object]:
    return {
        "request": session.id.hex(),
        "key": session.key.name,
        "message_sha256": hashlib.sha256(session.request.message.message).hexdigest(),
        "signers": list(session.signers),
    }


def _check_output(
    place: Workplace,
    session: SigningSession,
    kind: type[Message],
    request: str,
    output: str | None,
    force: bool,
) -> str:
    path = output or f"{_stem(request)}.{place.me.name}.{STEPS[kind]}.pem"
    sent = session.transcript.sent(kind)
    place.check_output(path, force=force, again=sent.to_pem() if sent is not None else None)
    return path


def _stem(file: str) -> str:
    """Name outputs after what they belong to: pay.json → pay, pay.request.pem → pay."""
    name = file.rsplit("/", 1)[-1]
    return name.removesuffix(".pem").removesuffix(".request").removesuffix(".json") if name != "-" else "stdin"
