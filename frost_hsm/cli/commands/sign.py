"""``frost-hsm sign``: sign together."""

from __future__ import annotations

from pathlib import Path

import click

from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.using import (
    RAW,
    Abort,
    Commitment,
    Response,
    SecondResponse,
    SigningRequest,
    number_of_signatures,
)
from frost_hsm.ceremony.signing import attempts
from frost_hsm.ceremony.signing import session as signing
from frost_hsm.ceremony.signing.session import SigningSession
from frost_hsm.cli import completing
from frost_hsm.cli.commands import archiving, plain, preparing
from frost_hsm.cli.files import door, things
from frost_hsm.cli.files.incoming import inputs, taking_in
from frost_hsm.cli.options import Function, command, output, own_copies, split_names
from frost_hsm.cli.parsing import group
from frost_hsm.cli.sittings.posting import posting, to_board
from frost_hsm.cli.steps import requests
from frost_hsm.cli.talk.output import Result
from frost_hsm.cli.talk.text import quoted
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import NotKnown, UsageProblem
from frost_hsm.frost.signing import CheaterDetection


@group
def sign() -> None:
    """Sign together.

    The steps are request, commit, respond, aggregate. Each signer sees the message itself and agrees to it. With
    nonces that were made ahead, by preprocess, nobody has to commit. Nonces wait sealed in the token and serve once.
    To respond, your share is in this machine's memory for an instant: the token keeps it, and cannot compute with it.

    With --key the steps speak plain ZcashFoundation JSON instead, for a coordinator that is another program.
    Plain files are not signed: nobody can tell who wrote them.
    """


def _plain(function: Function) -> Function:
    function = click.option(
        "--randomizer-seed",
        "seed",
        metavar="FILE",
        help="With --key: the coordinator's seed, in hex, for a re-randomized signature.",
    )(function)
    return _plain_key(function)


def _plain_key(function: Function) -> Function:
    return click.option(
        "--key",
        metavar="NAME",
        shell_complete=completing.keys,
        help="Speak plain JSON, for this key; REQUEST is a signing package.",
    )(function)


@command(sign, "request", token=True)
@click.argument("key", shell_complete=completing.keys)
@click.argument("paths", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--as",
    "target",
    metavar="TARGET",
    default=RAW,
    show_default=True,
    shell_complete=completing.targets,
    help="What the signature is for: ssh, git, openpgp, minisign, x509-end, …; TARGET=FILE says it for one of several.",
)
@click.option(
    "--with",
    "options",
    multiple=True,
    metavar="NAME=VALUE",
    help="What the target has to be told: namespace=file, subject=CN=Root, …; a wrong NAME lists what there is.",
)
@click.option("--signers", metavar="NAMES", help="Who signs, all of them: alice,carol.")
@click.option(
    "--any-of",
    metavar="NAMES",
    help="Who may sign, on a board: those do who are there first. There it is anybody, where nobody is named.",
)
@click.option(
    "--prepared",
    multiple=True,
    metavar="NAME[:LINE]=FILE",
    help="What a signer wrote with preprocess, and which line of it, once for each: nobody has to commit then.",
)
@click.option(
    "--commitments",
    multiple=True,
    metavar="NAME[:LINE]=FILE",
    help="The plain JSON commitments of a signer, once for each: write a plain signing package. Needs no token.",
)
@click.option(
    "--rerandomized",
    "is_rerandomized",
    is_flag=True,
    help="Sign under a key of its own, which nobody can link to KEY who has not seen the request and commitments.",
)
@to_board
@output
def request(
    place: Workplace,
    key: str,
    paths: tuple[str, ...],
    target: str,
    options: tuple[str, ...],
    signers: str | None,
    any_of: str | None,
    prepared: tuple[str, ...],
    commitments: tuple[str, ...],
    is_rerandomized: bool,
    board: str | None,
    output: str | None,
    force: bool,
) -> Result:
    """Ask for a signature with KEY on each FILE, all in one request.

    Writes FILE.request.pem, after the first of them, which holds the whole messages for every signer to see. On a
    board, the first who are there sign, as many as are needed, unless --signers names all who are to. Of a
    large file some targets sign a digest: each signer has a copy of it then.
    """
    if sum(map(bool, (signers, any_of, prepared, commitments))) > 1:
        exclusive = "--signers, --any-of, --prepared and --commitments"
        raise UsageProblem(f"{exclusive} exclude each other: each names the signers")
    file = paths[0]
    if commitments:
        if len(paths) > 1:
            raise UsageProblem("a plain signing package is of one message")
        if target != RAW:
            raise UsageProblem("a plain signing package is of a raw message", hint="leave out --as, or --commitments")
        path = output or f"{requests.stem(file)}.package.json"
        return plain.package(place, key, file, commitments, path, is_rerandomized, force)
    group_key = _load(place, key)
    group_key.require_active()
    path = output or f"{requests.stem(file)}.request.pem"
    door.check_output(path, force=force)
    ahead = preparing.read(group_key, prepared) if prepared else None
    has_board = board is not None or place.config.board_of(key) is not None
    if any_of is not None and not has_board:
        raise UsageProblem("who is there first shows on a board", hint="add --board URI; or name who signs: --signers")
    is_any = ahead is None and signers is None and has_board
    names = list(ahead) if ahead is not None else _signers(group_key, any_of or signers, is_any)
    group_key.require_signers(names)
    items = things.make(paths, target, options, group_key.public_key_package.verifying_key)
    if is_rerandomized and any(item.target != RAW for item in items):
        raise UsageProblem("a re-randomized signature is by a key that no tool knows", hint="leave out --as")
    with posting(place, board, key, sum(len(item.thing) for item in items)) as there:
        with place.holder() as holder:
            if there.board is None:
                data = signing.request(
                    holder, group_key, items, names, commitments=ahead, is_rerandomized=is_rerandomized
                )
                asked = signed.read(data, group_key.roster).expect(SigningRequest)
                session, messages = SigningSession(place.home, group_key, asked, things.derive), [data]
            else:
                found = ahead or there.prepared(group_key, names, number_of_signatures(items))
                session, messages = attempts.ask(
                    *(holder, place.home, group_key, items, names, found, things.derive),
                    is_any=is_any,
                    is_rerandomized=is_rerandomized,
                )
        raw = door.write(path, messages[0], force=force)
        posted = [line for message in messages for line in there.post(message)][:1]
    step = "respond" if session.is_prepared else "commit"
    file = door.as_typed(path)
    by_file = f"send {file} to {', '.join(session.signers)}; each runs: frost-hsm sign {step} {file}"
    lines = [*requests.lines(session), door.wrote(path), *posted]
    fields = {**requests.fields(session), "file": path, **there.fields}
    return Result("sign-request", lines, fields, there.next_step(by_file), raw)


def _load(place: Workplace, key: str) -> GroupKey:
    try:
        return GroupKey.load(place.home, key, place.me)
    except NotKnown as error:
        if not Path(key).is_file():
            raise
        raise UsageProblem(
            f"{key} is a file, and no key", hint="first the key: frost-hsm sign request KEY FILE"
        ) from error


def _signers(key: GroupKey, given: str | None, is_any: bool) -> list[str]:
    participants = [each.name for each in key.roster]
    if given is None and key.min_signers < len(participants) and not is_any:
        raise UsageProblem(
            f"it has to be said who signs: {key.min_signers} or more of {', '.join(participants)}",
            hint="add --signers NAMES",
        )
    names = split_names(given) if given is not None else participants
    for name in names:
        key.roster.position(name)
    return names


@command(sign, "commit", token=True, asks=True)
@click.argument("request", required=False, shell_complete=completing.requests)
@_plain_key
@own_copies
@output
def commit(
    place: Workplace,
    request: str | None,
    key: str | None,
    files: str | None,
    clone: str | None,
    output: str | None,
    force: bool,
) -> Result:
    """Agree to sign what REQUEST asks for.

    You are shown the key, the signers and the message, and asked, before the token is used. With --key and
    without REQUEST: plain JSON commitments, for a message that you will see when you respond.
    """
    if key is not None and request is None:
        return plain.commit(place, key, output, force)
    if request is None or key is not None:
        raise UsageProblem("it takes either REQUEST or --key")
    session = requests.take(place, request)
    path = requests.check_output(session, Commitment, request, output, force)
    if session.transcript.sent(Commitment) is None:
        requests.require_agreement(place, session, files, clone)
    data = session.commit(place.holder)
    raw = door.write(path, data, force=force)
    others = ", ".join(name for name in session.signers if name != place.me.name)
    then = f"frost-hsm sign respond {quoted(request)} --in DIR"
    after = f"send {door.as_typed(path)} to {others}, put theirs into one directory; then: {then}"
    return Result("sign-commit", [door.wrote(path)], {**requests.fields(session), "file": path}, after, raw)


@command(sign, "respond", token=True, asks=True)
@click.argument("request", shell_complete=completing.requests)
@_plain
@own_copies
@inputs
@output
def respond(
    place: Workplace,
    request: str,
    key: str | None,
    seed: str | None,
    files: str | None,
    clone: str | None,
    paths: tuple[str, ...],
    directory: str | None,
    output: str | None,
    force: bool,
) -> Result:
    """Sign, once the commitments of all signers are here.

    Uses up the nonces of your commitment. The same again gives the same answer; with other commitments it is
    refused, because two answers would reveal your share. For minisign, which wants two signatures of which the second
    is on the first, type it again once the first answers of all signers are here.
    """
    if key is not None:
        if paths or directory is not None:
            raise UsageProblem("a signing package holds the commitments; no other files are read")
        return plain.respond(place, key, request, seed, output, force)
    _refuse_seed(seed)
    session = requests.take(place, request)
    with taking_in(paths, directory, session.transcript, requests.stem(request)) as inbox:
        again = session.is_twice and session.transcript.sent(Response) is not None and session.all_responded(inbox)
        path = requests.check_output(session, SecondResponse if again else Response, request, output, force)
        if session.is_prepared and session.transcript.sent(Response) is None:
            requests.require_agreement(place, session, files, clone)
        data = session.respond_again(place.holder, inbox) if again else session.respond(place.holder, inbox)
    raw = door.write(path, data, force=force)
    if session.is_twice and not again:
        lines = ["The first of your two answers is made", door.wrote(path)]
        others = ", ".join(name for name in session.signers if name != place.me.name)
        after = (
            f"send {door.as_typed(path)} to {others}, put theirs into DIR; "
            f"then: frost-hsm sign respond {quoted(request)} --in DIR"
        )
    else:
        lines = ["The nonces are used up; your signature share is made", door.wrote(path)]
        after = f"send {door.as_typed(path)} to whoever aggregates: frost-hsm sign aggregate {quoted(request)} --in DIR"
    return Result("sign-respond", lines, {**requests.fields(session), "file": path}, after, raw)


@command(sign, "check")
@click.argument("request", shell_complete=completing.requests)
@_plain
@inputs
def check(
    place: Workplace,
    request: str,
    key: str | None,
    seed: str | None,
    paths: tuple[str, ...],
    directory: str | None,
) -> Result:
    """Check each signature share that is here, before the others have come in.

    It takes the commitments of all signers. Needs no token. With --key, FILES are plain signature shares as NAME=FILE.
    """
    if key is not None:
        return plain.check(place, key, request, _plain_shares(paths, directory), seed)
    _refuse_seed(seed)
    session = requests.take(place, request)
    with taking_in(paths, directory, session.transcript, requests.stem(request)) as inbox:
        found = session.check(inbox)
    fields = {**requests.fields(session), "have": list(found.have), "missing": list(found.missing)}
    return Result("sign-check", requests.checked_lines(found.have, found.missing), fields)


@command(sign, "aggregate")
@click.argument("request", shell_complete=completing.requests)
@_plain
@click.option(
    "--cheater-detection",
    "mode",
    type=click.Choice([mode.value for mode in CheaterDetection]),
    default=CheaterDetection.ALL.value,
    show_default=True,
    help="If the shares do not add up: name nobody, the first signer with a bad share, or all of them.",
)
@inputs
@output
def aggregate(
    place: Workplace,
    request: str,
    key: str | None,
    seed: str | None,
    mode: str,
    paths: tuple[str, ...],
    directory: str | None,
    output: str | None,
    force: bool,
) -> Result:
    """Put the responses together to a signature.

    Needs no token. Nothing is written unless the signature verifies; otherwise every signer with a bad share is
    named. Looking for them costs one more verification a share, and nothing while all are good. With --key, FILES
    are plain signature shares as NAME=FILE. For a re-randomized signature the key that verifies it is written too,
    as REQUEST.public.hex.
    """
    detection = CheaterDetection(mode)
    if key is not None:
        path = output or f"{requests.stem(request)}.sig"
        shares = _plain_shares(paths, directory)
        return plain.aggregate(place, key, request, shares, seed, detection, path, force)
    _refuse_seed(seed)
    session = requests.take(place, request)
    outputs = requests.signature_paths(session, request, output)
    verifying_key = session.key.public_key_package.verifying_key
    for number, (item, path) in enumerate(zip(session.items, outputs, strict=True)):
        before = session.signature(number)
        again = things.finish(item, verifying_key, before) if before is not None else None
        door.check_output(path, force=force, again=again, is_text=False)
    with taking_in(paths, directory, session.transcript, requests.stem(request)) as inbox:
        signatures = session.aggregate(inbox, cheater_detection=detection)
    own_keys = session.verifying_keys if session.is_rerandomized else []
    of_key, fields = requests.write_signature_keys(own_keys, outputs, requests.stem(request), force)
    pairs = zip(session.items, signatures, strict=True)
    finished = [things.finish(item, verifying_key, signature) for item, signature in pairs]
    raws = [door.write(path, each, force=force) for path, each in zip(outputs, finished, strict=True)]
    lines = [
        f"Checked the signature shares of {', '.join(session.signers)}",
        f"Signature verified under {'a key of its own' if session.is_rerandomized else session.key.name}",
        *of_key,
        *(f"Wrote {path} ({len(each)} bytes)" for path, each in zip(outputs, finished, strict=True)),
    ]
    made = [{"file": path, "signature": each.hex()} for path, each in zip(outputs, signatures, strict=True)]
    fields = {**requests.fields(session), **fields, "signatures": made}
    after = requests.use(session, outputs[0], str(fields.get("key_file", session.key.name)))
    return Result("sign-aggregate", lines, fields, after, raws[0] if len(raws) == 1 else None)


def _plain_shares(paths: tuple[str, ...], directory: str | None) -> tuple[str, ...]:
    if directory is not None:
        raise UsageProblem("plain shares do not say whose they are; give each as NAME=FILE")
    return paths


def _refuse_seed(seed: str | None) -> None:
    if seed is not None:
        raise UsageProblem("a request holds its randomizer seed; --randomizer-seed goes with --key")


@command(sign, "abort", token=True)
@click.argument("request", shell_complete=completing.requests)
@to_board
@output
def abort(place: Workplace, request: str, board: str | None, output: str | None, force: bool) -> Result:
    """End REQUEST before there is a signature.

    For all, if you asked for it; else for yourself: you will not sign. Either way the others have to hear of it: send
    them the file that is written, or name the board. Nonces that waited for it are destroyed. REQUEST is a file or the
    first digits of an id, with --board also of a request that lies there.
    """
    with posting(place, board, "") as there:
        session = requests.take(place, request, there.board)
        path = requests.check_output(session, Abort, request, output, force)
        data = session.aborting.abort(place.holder)
        raw = door.write(path, data, force=force)
        posted = there.post(data)
    asker = session.request.sender.name
    who = f"you have ended it, for {', '.join(session.signers)}" if asker == place.me.name else "you will not sign"
    lines = [f"Request {session.id[:8].hex()}: {who}", door.wrote(path), *posted]
    others = [name for name in dict.fromkeys((asker, *session.signers)) if name != place.me.name]
    file = door.as_typed(path)
    after = None if there.board is not None else f"send {file} to {', '.join(others)}, who put it with the others"
    return Result("sign-abort", lines, {**requests.fields(session), "file": path, **there.fields}, after, raw)


@command(sign, "status")
@click.argument("request", required=False, shell_complete=completing.requests)
@click.option("--archived", is_flag=True, help="List those that sign archive has put away, instead of the others.")
def status(place: Workplace, request: str | None, archived: bool) -> Result:
    """Say where a request stands and what comes next.

    REQUEST is a file or the first digits of an id; without it, of all but those that were put away. Needs no token.
    """
    if request is not None:
        session = requests.take(place, request)
        line, fields = requests.status(session)
        return Result("sign-status", [line], fields, requests.next_step(session, request))
    every = requests.readable(place, SigningSession.names(place.home, archived=archived))
    found = [requests.status(session) for session in every]
    lines = [line for line, _ in found] or ["no requests"]
    return Result("sign-status-list", lines, {"requests": [fields for _, fields in found]})


sign.add_command(preparing.preprocess)
sign.add_command(preparing.discard)
sign.add_command(archiving.archive)
