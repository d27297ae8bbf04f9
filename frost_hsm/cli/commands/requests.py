"""A signing request as people handle it: taken by its file or the digits of its id, shown, and what comes next."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path, PurePath

from frost_hsm.ceremony.history.transcript import STEPS
from frost_hsm.ceremony.messages.message import Message
from frost_hsm.ceremony.messages.using import Item
from frost_hsm.ceremony.signing.session import SigningSession
from frost_hsm.cli.files import door
from frost_hsm.cli.talk.agreement import agree, message_line
from frost_hsm.cli.talk.output import grouped
from frost_hsm.cli.talk.text import quoted
from frost_hsm.cli.workplace import Workplace
from frost_hsm.frost.values import VerifyingKey

OWN_KEY = "  (verifies under a key of its own, which nobody can link to this one)"
"""What signers are told of a re-randomized signature."""


def take(place: Workplace, request: str) -> SigningSession:
    """Take a request by its file, or by the first digits of its id."""
    is_id = len(request) >= 4 and all(digit in "0123456789abcdef" for digit in request)
    if is_id and not Path(request).exists():
        return SigningSession.load(place.home, request, place.me)
    return door.parse(request, lambda data: SigningSession.read(place.home, data, place.me))


def lines(session: SigningSession) -> list[str]:
    """Say what is to be signed, by whom and for whom."""
    key = session.key
    return [
        f"Request {grouped(session.id[:16])} by {session.request.sender.name} (signature good)",
        f"  key      {key.name} ({key.verifying_key[:17].hex()})" + (f", for: {key.purpose}" if key.purpose else ""),
        *([OWN_KEY] if session.is_rerandomized else []),
        *(line for item in session.items for line in item_lines(item, len(session.items))),
        f"  signers  {', '.join(session.signers)} ({key.min_signers} of {len(key.roster)} needed)",
    ]


def item_lines(item: Item, of: int) -> list[str]:
    """Say what one item is; of several, with its name."""
    return [*([f"  item     {item.name or 'without a name'}"] if of > 1 else []), message_line(item.thing)]


def require_agreement(place: Workplace, session: SigningSession) -> None:
    """Show the request and ask. Raises `Aborted`."""
    agree(place.terminal, lines(session), [(item.name, item.thing) for item in session.items])


def status(session: SigningSession) -> tuple[str, dict[str, object]]:
    """Say where it stands, as a line and as fields."""
    found = session.status()
    line = f"{session.id[:8].hex()}: key {session.key.name}, {_state(session, found.step)}"
    if found.missing:
        line += f"; here from {', '.join(found.have) or 'nobody'}; not yet from {', '.join(found.missing)}"
    return line, {
        **fields(session),
        "state": found.step,
        "have": list(found.have),
        "missing": list(found.missing),
    }


_STATES = {
    "commit": "you have not committed",
    "respond": "your commitment is sent",
    "aggregate": "waiting to be aggregated",
    "done": "signed",
}


def _state(session: SigningSession, step: str) -> str:
    return "you have not responded" if session.is_prepared and step == "respond" else _STATES[step]


def next_step(session: SigningSession, request: str) -> str | None:
    """Return the command that comes next; None once it is signed."""
    step = session.status().step
    if step == "done":
        return None
    needs_files = step == "aggregate" or (step == "respond" and not session.is_prepared)
    return f"frost-hsm sign {step} {quoted(request)}" + (" --in DIR" if needs_files else "")


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
    if len(session.items) == 1:
        return [output or f"{stem(request)}.sig"]
    names = [item.name or f"{stem(request)}.{number}" for number, item in enumerate(session.items, start=1)]
    if len(set(names)) != len(names):
        names = [f"{stem(request)}.{number}.{name}" for number, name in enumerate(names, start=1)]
    return [str(PurePath(output or "") / f"{PurePath(name).name}.sig") for name in names]


def item_name(file: str) -> str:
    """Return what people call a file, as an item is named; nothing for standard input."""
    return PurePath(file).name if file != door.STANDARD else ""


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


def stem(file: str) -> str:
    """Name outputs after what they belong to: pay.json → pay, pay.request.pem → pay."""
    name = PurePath(file).name
    for ending in (".pem", ".request", ".json", ".package"):
        name = name.removesuffix(ending)
    return name if file != door.STANDARD else "stdin"
