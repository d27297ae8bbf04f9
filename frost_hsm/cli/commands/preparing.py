"""``frost-hsm sign preprocess`` and ``discard``: nonces that are made ahead, to sign in one round later."""

from __future__ import annotations

import click

from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.using import Prepared
from frost_hsm.ceremony.signing.sealed_signer import SealedSigner
from frost_hsm.cli import completing
from frost_hsm.cli.files import door, packages
from frost_hsm.cli.options import command, output
from frost_hsm.cli.sittings.posting import posting, to_board
from frost_hsm.cli.talk.output import Result
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import Aborted, NotPossible, UsageProblem
from frost_hsm.frost.packages import SigningCommitments

_MOST = 255  # ZcashFoundation's count is one byte


@command(None, "preprocess", token=True)
@click.argument("key", shell_complete=completing.keys)
@click.option("--count", type=click.IntRange(1, _MOST), required=True, help="How many pairs of nonces.")
@to_board
@output
def preprocess(place: Workplace, key: str, count: int, board: str | None, output: str | None, force: bool) -> Result:
    """Make nonces ahead, so that signing takes one round.

    Each pair waits sealed in the token and serves one signature. Writes KEY.YOU.prepared.json, the commitments, a line
    of JSON each: whoever asks for a signature takes one line of every signer, with sign request --prepared. With
    --board they are put there instead, signed, and sign request takes those that nobody has taken. Killed
    before they are written, it leaves pairs that nobody will ask for; sign discard destroys them.
    """
    group_key = GroupKey.load(place.home, key, place.me)
    group_key.require_active()
    with posting(place, board, key) as there:
        if there.board is not None:
            with place.holder() as holder:
                made = SealedSigner(group_key, holder, place.home).preprocess(count)
                encoded = tuple(each.serialize() for each in made)
                said = signed.write(Prepared(group_key.ceremony, group_key.state.digest, encoded), holder)
            lines = [f"Sealed {_pairs(count)} in the token", *there.post(said)]
            return Result("sign-preprocess", lines, {"key": key, "count": count, **there.fields})
    path = output or f"{key}.{place.me.name}.prepared.json"
    door.check_output(path, force=force)
    with place.holder() as holder:
        made = SealedSigner(group_key, holder, place.home).preprocess(count)
    written = "".join(f"{commitments.to_json()}\n" for commitments in made).encode()
    raw = door.write(path, written, force=force)
    lines = [f"Sealed {_pairs(count)} in the token", door.wrote(path)]
    after = (
        f"send {door.as_typed(path)} to whoever asks for signatures, who uses each line once: "
        f"frost-hsm sign request {key} FILE --prepared {place.me.name}:LINE={door.as_typed(path)} --prepared …"
    )
    return Result("sign-preprocess", lines, {"key": key, "count": count, "file": path}, after, raw)


@command(None, "discard", token=True, asks=True)
@click.argument("key", shell_complete=completing.keys)
def discard(place: Workplace, key: str) -> Result:
    """Destroy the nonces that were made ahead.

    Those of sign preprocess, and of sign commit --key. Nonces that wait for a request stay. keys show --check-token
    says how many there are.
    """
    group_key = GroupKey.load(place.home, key, place.me)
    question = f"Destroy the nonces for {key} that were made ahead? Their commitments serve no more."
    if not place.terminal.agree(question, what="the name of the key", shown=key):
        raise Aborted("nothing was destroyed")
    with place.holder() as holder:
        count = SealedSigner(group_key, holder, place.home).discard_prepared()
    return Result("sign-discard", [f"Destroyed {_pairs(count)}"], {"key": key, "count": count})


def _pairs(count: int) -> str:
    return "1 pair of nonces" if count == 1 else f"{count} pairs of nonces"


def read(key: GroupKey, given: tuple[str, ...]) -> dict[str, list[SigningCommitments]]:
    """Read the commitments of each signer, given as NAME=FILE, or NAME:LINE=FILE where there are several.

    For several items, a signer is named several times, in the order of the items.
    """
    found: dict[str, list[SigningCommitments]] = {}
    for each in given:
        who, equals, path = each.partition("=")
        name, colon, line = who.partition(":")
        key.roster.position(name)
        if not equals or (colon and not (line.isascii() and line.isdecimal())):
            raise UsageProblem(f'"{each}" is not NAME=FILE or NAME:LINE=FILE')
        data = door.read(path)
        one = _line(path, door.inside(data), int(line) if colon else None)
        with door.naming(path, data):
            found.setdefault(name, []).append(packages.read(SigningCommitments, key.suite, one))
    return found


def _line(path: str, data: bytes, number: int | None) -> bytes:
    """Return one package of a file with a line each; all of the file if it holds one, on however many lines."""
    lines = [line for line in data.splitlines() if line.lstrip().startswith(b"{")]
    if number is None:
        if len(lines) > 1:
            raise NotPossible(f"{path} holds {len(lines)} commitments", hint=f"say which line: NAME:1={path}")
        return data
    if not 1 <= number <= len(lines):
        raise NotPossible(f"{path} has no line {number}: it holds {len(lines)} commitments")
    return lines[number - 1]
