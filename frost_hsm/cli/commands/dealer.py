"""``frost-hsm dealer``: one participant deals what all others receive, in place of the rounds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.making import Confirmation, Dealing, Proposal, RefreshProposal
from frost_hsm.ceremony.people.identity import Holder
from frost_hsm.ceremony.people.numbering import Numbering
from frost_hsm.ceremony.sharing import dealing as ceremony_dealing
from frost_hsm.ceremony.sharing.keygen import KeyGeneration
from frost_hsm.ceremony.sharing.refresh import Refresh
from frost_hsm.cli import completing
from frost_hsm.cli.files import door
from frost_hsm.cli.options import command, output
from frost_hsm.cli.parsing import group
from frost_hsm.cli.steps import proposals, rounds
from frost_hsm.cli.talk.output import Result
from frost_hsm.cli.talk.text import quoted
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import Aborted, NoTerminal
from frost_hsm.frost.ciphersuites import Ciphersuite
from frost_hsm.frost.values import SigningKey


@group
def dealer() -> None:
    """Share out a key that somebody has, or refresh its shares alone.

    For a key that exists already: the dealer knows all of it, and whoever gets hold of a copy signs alone, whatever the
    threshold. For a new key use dkg, where nobody ever knows it. The steps are dkg propose, dealer split (by the author
    of the proposal), dealer accept (by everybody, the dealer included) and dkg confirm.

    To refresh a key: refresh propose, dealer refresh (by the author of the proposal), dealer accept, refresh confirm.
    The dealer learns no share, but could bring stolen old shares up to date; for a refresh that trusts nobody use
    refresh, where all take part.

    There is no way back on the command line: shares do not leave their tokens, so nobody can put the key together.
    """


@command(dealer, "split", token=True)
@click.argument("name", shell_complete=completing.keys)
@click.option(
    "--key-file",
    required=True,
    metavar="FILE",
    help="The key: a private key in PEM or DER (PKCS#8, SEC1), or its scalar in hex, as the suite encodes it.",
)
@output
def split(place: Workplace, name: str, key_file: str, output: str | None, force: bool) -> Result:
    """Share a key out to the participants of your proposal NAME.

    Writes NAME.dealing.pem, one file for all: each share in it is encrypted to its recipient's token. Destroy every
    copy of the key afterwards; frost-hsm keeps none. The public key stays what it was: a key of EC P-256, secp256k1,
    Ed25519 or Ed448 becomes one of the suite of that curve. A passphrase is asked for.
    """
    ceremony = KeyGeneration.load(place.home, name, place.me)
    path = _check_output(ceremony, output or f"{name}.dealing.pem", force)
    signing_key = _read_key(place, key_file, ceremony.suite)
    try:
        data = ceremony_dealing.deal(ceremony, place.holder, signing_key)
        verifying_key = signing_key.verifying_key().serialize()
    finally:
        signing_key.wipe()
    raw = door.write(path, data, force=force)
    lines = [f"  group key   {verifying_key.hex()}", door.wrote(path)]
    proposal = f"{name}.proposal.pem"
    file, proposed = door.as_typed(path), quoted(proposal)
    after = (
        f"send {file} and {proposed} to {rounds.others(ceremony)}; everyone, you too, runs: "
        f"frost-hsm dealer accept {proposed} {file}; destroy the key file once all have confirmed"
    )
    return Result(
        "dealer-split", lines, {**rounds.fields(ceremony), "key": verifying_key.hex(), "file": path}, after, raw
    )


def _check_output(ceremony: ceremony_dealing.Ceremony, path: str, force: bool) -> str:
    sent = ceremony.transcript.sent(Dealing)
    door.check_output(path, force=force, again=sent.to_pem() if sent is not None else None)
    return path


def _read_key(place: Workplace, path: str, suite: Ciphersuite) -> SigningKey:
    from frost_hsm.ceremony.sharing import private_key

    data = door.read(path)
    with door.naming(path, data):
        data = door.inside(data)
        if door.is_hex(data):
            with door.from_hex(data) as encoded:
                return SigningKey.deserialize(suite, encoded)
        passphrase = _ask_passphrase(place, path) if private_key.is_encrypted(data) else None
        return private_key.read(data, suite, passphrase)


def _ask_passphrase(place: Workplace, path: str) -> str:
    try:
        return place.terminal.request_secret(f"Passphrase of {path}")
    except NoTerminal as error:
        raise NoTerminal(str(error), hint="decrypt the file first: openssl pkey") from error


@command(dealer, "refresh", token=True)
@click.argument("name", shell_complete=completing.keys)
@output
def refresh(place: Workplace, name: str, output: str | None, force: bool) -> Result:
    """Deal new shares of key NAME, by your own proposal to refresh it.

    Writes NAME.refreshN.dealing.pem, one file for all: what is added to each share, encrypted to its recipient's token.
    """
    ceremony = Refresh.load(place.home, name, place.me)
    path = _check_output(ceremony, output or f"{ceremony.stem}.dealing.pem", force)
    data = ceremony_dealing.deal_refresh(ceremony, place.holder)
    raw = door.write(path, data, force=force)
    proposal = f"{ceremony.stem}.proposal.pem"
    file, proposed = door.as_typed(path), quoted(proposal)
    after = (
        f"send {file} and {proposed} to {rounds.others(ceremony)}; everyone, you too, runs: "
        f"frost-hsm dealer accept {proposed} {file}"
    )
    result = {**rounds.fields(ceremony), "file": path}
    return Result("dealer-refresh", [door.wrote(path)], result, after, raw)


@command(dealer, "accept", token=True, asks=True)
@click.argument("proposal")
@click.argument("dealing")
@output
def accept(place: Workplace, proposal: str, dealing: str, output: str | None, force: bool) -> Result:
    """Check and seal your share that a dealer made.

    PROPOSAL and DEALING are files of the dealer's, of a key or of a refresh. Writes NAME.YOU.confirm.pem and shows a
    check code, to be compared by voice. You are shown what is proposed, and asked, before the token is used.
    """
    ceremony = door.parse(proposal, lambda data: _proposed(place, data))
    data = door.parse(dealing, _of_dealer)
    path = output or f"{ceremony.stem}.{ceremony.me.name}.confirm.pem"
    sent = ceremony.transcript.sent(Confirmation) if ceremony.is_accepted else None
    door.check_output(path, force=force, again=sent.to_pem() if sent is not None else None)
    if sent is None:
        _agree(place, ceremony)

    @contextmanager
    def agreed() -> Iterator[Holder]:
        with place.holder() as holder:  # agreed to once the token is open: until then nothing has changed
            ceremony.accept()
            yield holder

    with door.naming(dealing):
        finished = ceremony_dealing.accept(ceremony, agreed, data)
    raw = door.write(path, finished.message, force=force)
    pending = "the old one signs until you confirm" if ceremony.epoch else "the key is pending"
    lines = [f"Checked and sealed your share; {pending}", *rounds.key_lines(finished), door.wrote(path)]
    after = (
        f"compare the check code with {rounds.others(ceremony)} by voice and send them {path}; "
        f"with theirs: frost-hsm {ceremony.command} confirm {ceremony.name} --in DIR"
    )
    result = {**rounds.fields(ceremony), **rounds.key_fields(finished), "file": path}
    return Result("dealer-accept", lines, result, after, raw)


def _of_dealer(data: bytes) -> bytes:
    """See that a file is a dealing, before anything is asked about it."""
    signed.peek(data, Dealing)
    return data


def _proposed(place: Workplace, data: bytes) -> ceremony_dealing.Ceremony:
    if isinstance(signed.decode(signed.parse(data)), RefreshProposal):
        return Refresh.read(place.home, data, place.me)
    return KeyGeneration(place.home, signed.read(data).expect(Proposal), place.me)


def _agree(place: Workplace, ceremony: ceremony_dealing.Ceremony) -> None:
    author = ceremony.proposal.sender.name
    if isinstance(ceremony, KeyGeneration):
        plan = ceremony.proposal.message
        ceremony.check_roster(place.peers())
        lines = [
            f'Key "{plan.name}", dealt by {author} (signature good), who knows all of it and can sign alone',
            *([f"  purpose       {plan.purpose}"] if plan.purpose else []),
            f"  suite         {plan.suite}",
            f"  threshold     {plan.min_signers} of {len(ceremony.roster)}",
            f"  participants  {', '.join(each.name for each in ceremony.roster)}",
            *(["  identifiers   derived from the names"] if plan.numbering is Numbering.NAMES else []),
        ]
        question = f"Take part, and trust {author} with the key?"
    else:
        lines = [
            *proposals.refreshing(ceremony),
            f"  dealer        {author}, who could bring stolen old shares up to date",
        ]
        question = f"Take part, and trust {author} with that?"
    if not place.terminal.agree(question, what="the dealer's name", shown=author, lines=lines):
        raise Aborted("you did not agree to take part; nothing was changed")
