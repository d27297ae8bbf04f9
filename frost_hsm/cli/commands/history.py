"""``frost-hsm history``: what became of a key, and what leads on where something hangs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from frost_hsm.ceremony.history import kept
from frost_hsm.ceremony.history.chapter import Chapter
from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.ceremony.history.transcript import GIVEN_UP
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.changing import GivenUp, Standing
from frost_hsm.ceremony.messages.making import Confirmation
from frost_hsm.ceremony.messages.signed import Signed
from frost_hsm.ceremony.sharing import abandonment
from frost_hsm.ceremony.sharing.abandonment import Abandonment
from frost_hsm.cli import completing
from frost_hsm.cli.files import door
from frost_hsm.cli.files.incoming import inputs, taking_in
from frost_hsm.cli.options import command, output
from frost_hsm.cli.parsing import group
from frost_hsm.cli.steps import proposals
from frost_hsm.cli.talk.output import Result, grouped
from frost_hsm.cli.talk.text import quoted
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import Aborted, NotKnown, NotPossible


@group
def history() -> None:
    """See what became of a key, and go on where something hangs.

    A key is a chain of what all have signed: its making, refreshes, repairs, new participants, abandonments. What not
    all have confirmed hangs: it neither counts nor is undone. Either everybody confirms it after all; or everybody
    abandons it; or the place of whoever blocks it is given to somebody else (repair request --displace).
    """


@command(history, "show")
@click.argument("name", shell_complete=completing.keys)
def show(place: Workplace, name: str) -> Result:
    """Show the chapters of a key: what counts, who confirmed what, and what hangs.

    Needs no token.
    """
    key = GroupKey.load(place.home, name, place.me)
    given_up = kept.given_up(place.home, key.folder, place.me)
    counting = {chapter.id for chapter in key.history.path(key.state)}
    lines, entries = [], []
    for chapter in key.history.chapters.values():
        confirmed = [each.name for each in chapter.by_sender(Confirmation)]
        word = "counts" if chapter.id in counting else "complete, does not count" if chapter.is_complete else "hangs"
        if chapter.id in given_up:
            word += ", given up here"
        missing = [each.name for each in chapter.voters if each.name not in confirmed]
        lines.append(f"{chapter.title}: {word}")
        lines.append(f"  id            {grouped(chapter.id[:16])}")
        lines.append(f"  begun by      {chapter.beginning.sender.name}")
        lines.append(f"  confirmed by  {', '.join(confirmed) or 'nobody'}")
        if missing:
            lines.append(f"  not by        {', '.join(missing)}")
        entries.append(
            {
                "id": chapter.id.hex(),
                "title": chapter.title,
                "counts": chapter.id in counting,
                "complete": chapter.is_complete,
                "given_up": chapter.id in given_up,
                "confirmed_by": confirmed,
                "not_by": missing,
            }
        )
    lines.append(f"{key.name} is {key.status}, in state {grouped(key.state.digest[:16])}")
    lines += [f"  why           {key.why}"] if key.why else []
    fields = {"name": name, "status": key.status, "state": key.state.digest.hex(), "chapters": entries}
    return Result("history-show", lines, fields)


@command(history, "standing", token=True)
@click.argument("name", shell_complete=completing.keys)
@output
def standing(place: Workplace, name: str, output: str | None, force: bool) -> Result:
    """Say, signed, in which state of a key you are.

    For somebody who waits to know that a step has ended well. Writes NAME.YOU.standing.pem.
    """
    key = GroupKey.load(place.home, name, place.me)
    key.require_active()
    path = output or f"{name}.{place.me.name}.standing.pem"
    door.check_output(path, force=force)
    with place.holder() as holder:
        data = signed.write(Standing(key.ceremony, key.state.digest, _shown(key)), holder)
    raw = door.write(path, data, force=force)
    after = f"send {door.as_typed(path)} to whoever waits; they run: frost-hsm history take {door.as_typed(path)}"
    return Result("history-standing", [door.wrote(path)], {"name": name, "file": path}, after, raw)


def _shown(key: GroupKey) -> bytes:
    """Return the standing of somebody else that led here, if one's own vote displaced how it came about."""
    before = key.history.made_by(key.state).before
    if before is None:
        return b""
    return key.history.view(before, key.me).citable(key.history.made_by(key.state).successor) or b""


@command(history, "take")
@click.argument("paths", nargs=-1, required=True, metavar="FILES...")
def take(place: Workplace, paths: tuple[str, ...]) -> Result:
    """Take in what others say of where they stand: files of history standing.

    Needs no token.
    """
    lines = []
    for path in paths:
        wanted = door.parse(path, lambda data: signed.peek(data, Standing))
        key = GroupKey.find(place.home, wanted.ceremony, place.me, at=wanted.state)
        said = _read_standing(path, key)
        with place.home.lock():
            kept.keep(place.home, f"{key.folder}/{kept.STANDING}/{said.content_digest.hex()}.pem", said)
        lines.append(f"{said.sender.name} stands in {key.name}, state {grouped(wanted.state[:16])}")
    return Result("history-take", lines, {"files": list(paths)})


def _read_standing(path: str, key: GroupKey) -> Signed[Standing]:
    return door.parse(path, lambda data: signed.read(data, key.roster).expect(Standing))


@command(history, "abandon", token=True, asks=True)
@click.argument("what", metavar="NAME|FILE")
@click.option("--id", "ids", multiple=True, metavar="ID", help="What to abandon; without it all of NAME that hangs.")
@inputs
@output
def abandon(
    place: Workplace,
    what: str,
    ids: tuple[str, ...],
    paths: tuple[str, ...],
    directory: str | None,
    output: str | None,
    force: bool,
) -> Result:
    """Give up for good, together with all others, what not all have confirmed.

    With NAME, a key: ask everybody; writes NAME.abandonment.pem. With that FILE, everybody, you too: agree, which
    writes NAME.abandonment.YOU.confirm.pem; run it again with the others' files. The key goes on as it was.
    """
    if not Path(what).exists():
        return _ask_to_abandon(place, what, ids, output, force)
    asked = door.parse(what, lambda data: Abandonment.read(place.home, data, place.me))
    sent = asked.transcript.sent(Confirmation)
    path = output or f"{asked.stem}.{place.me.name}.confirm.pem"
    door.check_output(path, force=force, again=sent.to_pem() if sent is not None else None)
    if sent is None and not asked.is_done:
        wanted = proposals.abandoning(asked)
        if not place.terminal.agree("Abandon it?", what="the name of the key", shown=asked.key.name, lines=wanted):
            raise Aborted("you did not agree; nothing was changed")
    with taking_in(paths, directory, asked.transcript, asked.stem) as inbox:
        data = asked.confirm(place.holder, inbox)
    raw = door.write(path, data, force=force)
    lines, after = [door.wrote(path)], None
    if asked.is_done:
        lines.append(f"All have abandoned {asked.titles}; {asked.key.name} goes on as it was")
    else:
        lines.append(f"Not yet agreed to by {', '.join(asked.missing)}")
        after = (
            f"send {door.as_typed(path)} to everybody; with theirs: frost-hsm history abandon {quoted(what)} --in DIR"
        )
    return Result("history-abandon", lines, {"name": asked.key.name, "done": asked.is_done, "file": path}, after, raw)


def _ask_to_abandon(place: Workplace, name: str, ids: Sequence[str], output: str | None, force: bool) -> Result:
    key = GroupKey.load(place.home, name, place.me)
    wanted = unfinished(key, ids) if ids else [chapter.id for chapter in key.unfinished()]
    if not wanted:
        raise NotPossible(f"nothing of {name} hangs: there is nothing to abandon")
    path = output or f"{name}.abandonment.pem"
    door.check_output(path, force=force)
    with place.holder() as holder:
        data = abandonment.propose(holder, key, wanted)
    asked = Abandonment.read(place.home, data, place.me)
    raw = door.write(path, data, force=force)
    lines = [f"Asks to abandon for good: {asked.titles}", door.wrote(path)]
    after = (
        f"send {door.as_typed(path)} to everybody; all, you too, run: frost-hsm history abandon {door.as_typed(path)}"
    )
    return Result("history-abandon", lines, {"name": name, "done": False, "file": path}, after, raw)


@command(history, "leave", token=True)
@click.argument("name", shell_complete=completing.keys)
@click.argument("id_", metavar="ID")
@click.option("--confirm-name", metavar="NAME", help="The name again, instead of typing it.")
def leave(place: Workplace, name: str, id_: str, confirm_name: str | None) -> Result:
    """Decide between what excludes each other: do not follow the chapter ID of a key.

    For the day when somebody has confirmed two things, and people were parted: agree with the others which one goes
    on, and leave the other. The name has to be typed again; --yes does not answer that.
    """
    key = GroupKey.load(place.home, name, place.me)
    chapter = _chapter(key, id_, list(key.history.successors(key.state)))
    if not chapter.is_complete:
        raise NotPossible(
            f"{chapter.title} does not count: not all have confirmed it", hint=f"frost-hsm history show {name}"
        )
    place.terminal.confirm_by_name(f"This leaves {chapter.title} of key {name}", name, confirm_name)
    with place.holder() as holder, place.home.lock():
        path = f"{kept.chapter_folder(key.folder, chapter.id)}/{GIVEN_UP}"
        place.home.put(path, signed.write(GivenUp(chapter.id), holder))
    key = GroupKey.load(place.home, name, place.me)
    return Result("history-leave", [f"Left {chapter.title}; {name} is {key.status}"], {"name": name})


def unfinished(key: GroupKey, ids: Sequence[str]) -> list[bytes]:
    """Return the ids of what hangs, given by their first digits. Raises `NotKnown`."""
    return [_chapter(key, each, key.unfinished()).id for each in ids]


def _chapter(key: GroupKey, digits: str, chapters: Sequence[Chapter]) -> Chapter:
    wanted = digits.replace(" ", "")
    found = [chapter for chapter in chapters if len(wanted) >= 8 and chapter.id.hex().startswith(wanted)]
    if len(found) != 1:
        raise NotKnown(f'no one chapter of {key.name} has an id that begins with "{digits}"', hint=_SHOW + key.name)
    return found[0]


_SHOW = "8 digits or more, as shown by: frost-hsm history show "
