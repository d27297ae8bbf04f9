"""A signing request as people handle it: taken by its file or the digits of its id, shown, and what comes next."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path, PurePath

from frost_hsm.boards import Board
from frost_hsm.ceremony.history import kept
from frost_hsm.ceremony.history.transcript import STEPS
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.message import Message
from frost_hsm.ceremony.messages.using import RAW, Item
from frost_hsm.ceremony.people.names import NAME
from frost_hsm.ceremony.signing.session import SigningSession
from frost_hsm.cli.files import door, things
from frost_hsm.cli.talk.agreement import NO, Asked, is_agreed_to, message_line
from frost_hsm.cli.talk.output import grouped
from frost_hsm.cli.talk.terminal import Terminal
from frost_hsm.cli.talk.text import quoted
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import Aborted, FileMissing, FrostHsmError, InputProblem, InvalidContents
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.values import VerifyingKey
from frost_hsm.targets.recognising import warnings

OWN_KEY = "  (verifies under a key of its own, which nobody can link to this one)"
"""What signers are told of a re-randomized signature."""


def take(place: Workplace, request: str, board: Board | None = None) -> SigningSession:
    """Take a request by its file, or by the first digits of its id, from the state directory or a board."""
    is_id = len(request) >= 4 and all(digit in "0123456789abcdef" for digit in request)
    if is_id and not Path(request).exists():
        for _, data in board.messages() if board is not None else ():
            with suppress(FrostHsmError):  # something else, or not for a key of mine
                if signed.parse(data).content_digest.hex().startswith(request):
                    return SigningSession.read(place.home, data, place.me, things.derive)
        return SigningSession.load(place.home, request, place.me, things.derive)
    try:
        session = door.parse(request, lambda data: SigningSession.read(place.home, data, place.me, things.derive))
    except FileMissing as error:
        if not NAME.fullmatch(request) or not kept.folders(place.home, request):
            raise
        raise FileMissing(
            f"{request} is a key, and no request", hint="which requests there are: frost-hsm sign status"
        ) from error
    if request != door.STANDARD:
        session.transcript.call(stem(request), f"sign status {quoted(request)}")
    return session


def readable(place: Workplace, names: Iterable[str]) -> Iterator[SigningSession]:
    """Take kept requests, by their ids in hex; those that cannot be read are named and passed over."""
    for name in names:
        try:
            yield SigningSession.load(place.home, name, place.me, things.derive)
        except (InputProblem, InvalidContents) as error:
            place.terminal.message(f"note: request {name[:16]} is passed over: {error}")


def lines(session: SigningSession) -> list[str]:
    """Say what is to be signed, by whom and for whom."""
    key = session.key
    return [
        f"Request {grouped(session.id[:16])} by {session.request.sender.name} (signature good)",
        f"  key      {key.name} ({key.verifying_key[:17].hex()})" + (f", for: {key.purpose}" if key.purpose else ""),
        *([OWN_KEY] if session.is_rerandomized else []),
        *(line for item in session.items for line in item_lines(item, key.suite, len(session.items))),
        f"  signers  {_signers(session)} ({key.min_signers} of {len(key.roster)} needed)",
    ]


def _signers(session: SigningSession) -> str:
    names = ", ".join(session.signers)
    return f"the first {session.needed} of {names}" if session.is_any else names


def item_lines(item: Item, suite: Ciphersuite, of: int) -> list[str]:
    """Say what one item is: of several its name, and all that its target says of it."""
    named = [f"  item     {item.name or 'without a name'}"] if of > 1 else []
    if item.target == RAW:
        return [*named, message_line(item.thing), *warnings(item.thing)]
    digest = hashlib.sha256(item.thing).hexdigest()
    said = [f"  as       {item.target}, {len(item.thing)} bytes, sha256 {digest}"]
    return [*named, *said, *things.read(item, suite).lines()]


def require_agreement(
    place: Workplace, session: SigningSession, files: str | None = None, clone: str | None = None
) -> None:
    """As `is_agreed`, if it is for me to agree; raises `Aborted` for no."""
    session.require_open()
    if not is_agreed(place.terminal, session, files, clone):
        raise Aborted(NO)


def is_agreed(terminal: Terminal, session: SigningSession, files: str | None = None, clone: str | None = None) -> bool:
    """Compare what is to be signed with one's own copies, show the request and ask.

    files: the folder that the copies are in. clone: a repository. Raises what `things.compare` does.
    """
    compared = things.compare(session.items, session.key.suite, files, clone)
    if terminal.assumes_yes:
        compared.require_all()
    asked = [Asked(item.name, item.thing, _to_look_into(item, session.key.suite)) for item in session.items]
    return is_agreed_to(terminal, [*lines(session), *compared.lines()], asked)


def _to_look_into(item: Item, suite: Ciphersuite) -> bytes | None:
    return item.thing if item.target == RAW else things.read(item, suite).contents


def status(session: SigningSession) -> tuple[str, dict[str, object]]:
    """Say where it stands, as a line and as fields."""
    found = session.status()
    line = f"{session.id[:8].hex()}: key {session.key.name}, {_state(session, found.step)}"
    if found.why:
        line += f": {found.why}"
    if found.missing:
        line += f"; here from {', '.join(found.have) or 'nobody'}; not yet from {', '.join(found.missing)}"
    return line, {
        **fields(session),
        "state": found.step,
        "have": list(found.have),
        "missing": list(found.missing),
        **({"why": found.why} if found.why else {}),
    }


_STATES = {
    "commit": "you have not committed",
    "respond": "your commitment is sent",
    "respond-again": "the first of your two answers is sent",
    "aggregate": "waiting to be aggregated",
    "done": "signed",
    "aborted": "ended without a signature",
}


def _state(session: SigningSession, step: str) -> str:
    return "you have not responded" if session.is_prepared and step == "respond" else _STATES[step]


def next_step(session: SigningSession, request: str) -> str | None:
    """Return the command that comes next; None once it is signed, or ended."""
    step = session.status().step
    if step in ("done", "aborted"):
        return None
    needs_files = step != "commit" and not (step == "respond" and session.is_prepared)
    verb = "respond" if step == "respond-again" else step
    return f"frost-hsm sign {verb} {quoted(request)}" + (" --in DIR" if needs_files else "")


def fields(session: SigningSession) -> dict[str, object]:
    """Say which request it is, for programs."""
    return {
        "request": session.id.hex(),
        "key": session.key.name,
        "items": [
            {"target": item.target, "name": item.name, "sha256": hashlib.sha256(item.thing).hexdigest()}
            for item in session.items
        ],
        "signers": list(session.signers),
        "rerandomized": session.is_rerandomized,
    }


def check_output(session: SigningSession, kind: type[Message], request: str, output: str | None, force: bool) -> str:
    """Return where one's own message of a kind is written; refuse early what `door.write` would refuse late."""
    path = output or f"{stem(request)}.{session.key.me.name}.{STEPS[kind]}.pem"
    sent = session.transcript.sent(kind)
    door.check_output(path, force=force, again=sent.to_pem() if sent is not None else None)
    return path


def checked_lines(have: Sequence[str], missing: Sequence[str]) -> list[str]:
    """Say whose signature shares were seen to be good."""
    return [*(f"good share of {name}" for name in have), *(f"no share of {name} yet" for name in missing)]


def signature_paths(session: SigningSession, request: str, output: str | None) -> list[str]:
    """Return where each signature is written: of one item, as was asked; of several, after the items, into a folder."""
    called = [item.name or stem(request) for item in session.items]
    if len(called) == 1 and session.items[0].target == RAW:
        return [output or f"{stem(request)}.sig"]
    names = [
        _file_name(item, name, session.key.suite) for item, name in zip(session.items, map(_last, called), strict=True)
    ]
    if len(names) == 1:
        return [output or names[0]]
    if len(set(names)) != len(names):
        names = [f"{number}.{name}" for number, name in enumerate(names, start=1)]
    return [str(PurePath(output or "") / name) for name in names]


def write_signatures(session: SigningSession) -> list[str]:
    """Write the signatures that were aggregated, named after the items; returns the paths."""
    [item, *more] = session.items
    name = item.name if item.name and not more else f"{session.key.name}.{session.id[:4].hex()}"
    paths = signature_paths(session, name, None)
    key = session.key.public_key_package.verifying_key
    for number, (path, each) in enumerate(zip(paths, session.items, strict=True)):
        door.write(path, things.finish(each, key, session.signature(number) or b""))
    return paths


def _last(name: str) -> str:
    """Leave nothing of a name that leads into another folder."""
    return PurePath(name).name or "unnamed"


def _file_name(item: Item, name: str, suite: Ciphersuite) -> str:
    return f"{name}.sig" if item.target == RAW else things.read(item, suite).file_name(name)


def write_signature_keys(
    keys: Sequence[VerifyingKey], outputs: Sequence[str], stem: str, force: bool
) -> tuple[list[str], dict[str, object]]:
    """Write the keys of re-randomized signatures, in hex, and say so; nothing for signatures of the group's own."""
    lines: list[str] = []
    fields: dict[str, object] = {}
    for key, output in zip(keys, outputs, strict=False):
        path = f"{stem if len(outputs) == 1 else output.removesuffix('.sig')}.public.hex"
        digits = key.serialize().hex()
        door.write(path, f"{digits}\n".encode(), force=force)
        lines.append(f"Wrote {path}, the key that it verifies under")
        fields.setdefault("verifying_key", digits)
        fields.setdefault("key_file", path)
    return lines, fields


def use(session: SigningSession, path: str, key: str) -> str:
    """Return a command by which somebody else takes the first file that was made, with the key by name or file."""
    item = session.items[0]
    if item.target != RAW:
        return things.read(item, session.key.suite).use(quoted(path))
    suite = f" --suite {session.key.suite.name}" if session.is_rerandomized else ""
    return f"frost-hsm verify --key {quoted(key)}{suite} MESSAGE {door.as_typed(path)}"


def stem(file: str) -> str:
    """Name outputs after what they belong to: pay.json → pay, pay.request.pem → pay."""
    name = PurePath(file).name
    for ending in (".pem", ".request", ".json", ".package"):
        name = name.removesuffix(ending)
    return name if file != door.STANDARD else "stdin"
