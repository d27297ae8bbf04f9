"""``frost-hsm recover``: make one's share of a key again."""

from __future__ import annotations

import click

from frost_hsm.ceremony.sharing import recovery
from frost_hsm.ceremony.sharing.repair import Repair
from frost_hsm.cli import completing
from frost_hsm.cli.files import door
from frost_hsm.cli.files.incoming import gather, inputs
from frost_hsm.cli.options import command
from frost_hsm.cli.talk.output import Result
from frost_hsm.cli.talk.text import quoted
from frost_hsm.cli.workplace import Workplace


@command(None, "recover", token=True)
@click.argument("name", shell_complete=completing.keys)
@inputs
@click.option("--force", is_flag=True, help="Overwrite output files that differ.")
def recover(place: Workplace, name: str, paths: tuple[str, ...], directory: str | None, force: bool) -> Result:
    """Make your share of a key again, of the messages that made it.

    For a share that is gone from the token; one that is there is opened and checked. The messages come from the state
    directory; what it lacks, from FILES as they were sent. Besides, it takes the token and its PIN. Every check is made
    as it was the first time, for every refresh since, and nothing older than what the token knows is sealed.

    On the second token that your identity names it is made for that one, which thereby takes the place of the first:
    writes NAME.repairP.request.pem and NAME.repairP.YOU.done.pem, for everybody to take in with repair confirm.
    """
    given, _ = gather(paths, directory, is_any_welcome=True)
    recovered = recovery.recover(place.home, name, place.me, place.holder, given)
    key = recovered.key
    fields = {"name": name, "state": key.status, "epoch": key.epoch, "was_there": recovered.was_there}
    epoch = f" of epoch {key.epoch}" if key.epoch else ""
    if recovered.was_there:
        lines = [f"The token holds your share of {name}{epoch}: it opens, and is the one of this key"]
    else:
        lines = [f"Your share of {name}{epoch} is made again and sealed in the token; the key is {key.status}"]
    if recovered.takeover is None:
        return Result("recover", lines, {**fields, "files": []})
    written = _write(recovered.takeover, force=force)
    lines += [
        f"This token becomes participant {recovered.takeover.position} of {name} once the others have confirmed it",
        *(f"Wrote {each}" for each in written),
    ]
    files = [quoted(each) for each in written]
    after = f"send {' and '.join(files)} to everybody; they run: frost-hsm repair confirm {' '.join(files)}"
    return Result("recover", lines, {**fields, "files": written}, after)


def _write(asked: Repair, *, force: bool) -> list[str]:
    """Write the two messages of a takeover; returns where."""
    done = asked.ending
    messages = {f"{asked.stem}.request.pem": asked.request.to_pem()}
    if done is not None:
        messages[f"{asked.stem}.{asked.receiver.name}.done.pem"] = done.to_pem()
    for path, data in messages.items():
        door.write(path, data, force=force)
    return list(messages)
