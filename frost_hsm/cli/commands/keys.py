"""``frost-hsm keys``: the keys one has a share of."""

from __future__ import annotations

import click

from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.ceremony.people.numbering import Numbering
from frost_hsm.cli import completing
from frost_hsm.cli.files import door
from frost_hsm.cli.files.public_keys import to_pem
from frost_hsm.cli.options import command, output
from frost_hsm.cli.parsing import group
from frost_hsm.cli.talk.output import Result, grouped, table
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import NotKnown, StorageProblem
from frost_hsm.targets import exporting
from frost_hsm.targets.exporting import FORMATS


@group
def keys() -> None:
    """See, hand out and destroy the keys you have a share of."""


@command(keys, "list")
def list_(place: Workplace) -> Result:
    """List the keys.

    Needs no token. A key whose files are damaged is told of, and hides no other.
    """
    found = []
    for name in GroupKey.names(place.home):
        try:
            found.append(GroupKey.load(place.home, name, place.me))
        except NotKnown:  # deleted at this instant
            continue
        except StorageProblem as error:
            place.terminal.message(f"note: key {name} is passed over: {error}")
    rows = [
        [
            key.name,
            key.verifying_key[:17].hex(),
            key.suite.name,
            f"{key.min_signers} of {len(key.roster)}",
            key.status,
        ]
        for key in found
    ]
    lines = table(["NAME", "KEY", "SUITE", "THRESHOLD", "STATUS"], rows) if rows else ["no keys"]
    return Result("keys-list", lines, {"keys": [_fields(key) for key in found]})


@command(keys, "show", token=True)
@click.argument("name", shell_complete=completing.keys)
@click.option("--check-token", is_flag=True, help="Open the sealed share and check it; needs the PIN.")
def show(place: Workplace, name: str, check_token: bool) -> Result:
    """Show everything public about a key.

    Needs no token, unless --check-token asks whether your sealed share is there and is the right one.
    """
    key = GroupKey.load(place.home, name, place.me)
    lines = [
        f'Key "{key.name}", {key.status}',
        *([f"  purpose       {key.purpose}"] if key.purpose else []),
        f"  group key     {key.verifying_key.hex()}",
        f"  suite         {key.suite.id}",
        f"  threshold     {key.min_signers} of {len(key.roster)}",
        f"  participants  {', '.join(each.name for each in key.roster)} (you: {key.me.name})",
        *(["  identifiers   derived from the names"] if key.numbering is Numbering.NAMES else []),
        f"  epoch         {key.epoch}",
        f"  state         {grouped(key.state.digest[:16])}",
        *([f"  why           {key.why}"] if key.why else []),
        f"  ceremony      {key.ceremony.hex()}",
        *(["  origin        a dealer made it, and knew it"] if key.is_dealt else []),
        f"  token         {place.config.token}",
    ]
    fields = {**_fields(key), "checked": check_token}
    if check_token:
        from frost_hsm.ceremony.sealing.records import SealedRecords
        from frost_hsm.ceremony.signing.sealed_signer import SealedSigner

        with place.holder() as holder:
            key.unseal(SealedRecords(holder, place.home)).wipe()
            fields["prepared"] = len(SealedSigner(key, holder, place.home).prepared())
        lines.append("  the sealed share opens and is the one of this key")
        lines.append(f"  nonces        {fields['prepared']} pairs made ahead wait in the token")
    return Result("keys-show", lines, fields)


@command(keys, "export")
@click.argument("name", shell_complete=completing.keys)
@click.option(
    "--format",
    "form",
    type=click.Choice(["json", "json-v2", "postcard", "hex", "pem", *FORMATS, "bundle", "transcript", "confirmations"]),
    default="json",
    show_default=True,
    help="json-v2 is for programs on version 2 of ZcashFoundation's crates; hex and pem are the key alone, pem for "
    "whatever verifies Ed25519 or Ed448; ssh to jwk are for the tools of these names; bundle and transcript are for "
    "keys import; confirmations are for inspect.",
)
@output
def export(place: Workplace, name: str, form: str, output: str | None, force: bool) -> Result:
    """Write the public key package.

    For those who verify or aggregate. A bundle is for participants: all that was signed about the key. A transcript is
    a bundle with the messages that made the shares, too: with it, each participant can make theirs again.
    Confirmations show anybody that all participants agreed, with frost-hsm inspect or with OpenSSL. Needs no token.
    """
    key = GroupKey.load(place.home, name, place.me)
    package = key.public_key_package
    if form == "postcard":
        written = package.serialize()
    elif form in ("bundle", "transcript"):
        from frost_hsm.ceremony.history import bundle

        written = bundle.write(place.home, key, with_rounds=form == "transcript")
    elif form == "confirmations":
        from frost_hsm.ceremony.history import agreement

        written = agreement.write(key)
    elif form == "hex":
        written = package.verifying_key.serialize().hex().encode() + b"\n"
    elif form == "pem":
        written = to_pem(package.verifying_key)
    elif form in FORMATS:
        written = exporting.export(form, package.verifying_key, name)
    else:
        written = (package.as_v2() if form == "json-v2" else package).to_json().encode() + b"\n"
    ending = FORMATS[form].ending if form in FORMATS else f"public.{_ENDINGS.get(form, form)}"
    path = output or f"{name}.{ending}"
    door.check_output(path, force=force, again=written, is_text=form != "postcard")
    raw = door.write(path, written, force=force)
    return Result("keys-export", [door.wrote(path)], {**_fields(key), "format": form, "file": path}, raw=raw)


_ENDINGS = {
    "json-v2": "v2.json",
    "bundle": "bundle.pem",
    "transcript": "transcript.pem",
    "confirmations": "confirmations.pem",
}


@command(keys, "import")
@click.argument("bundle")
def import_(place: Workplace, bundle: str) -> Result:
    """Take in what is public about a key, from another participant.

    BUNDLE is a file of theirs: keys export --format bundle, or transcript. For somebody who is to receive a share by
    repair, or whose state directory was lost. Everything in it is verified, and everybody in it has to be among your
    peers. Of a key that is here already it adds what is missing. Needs no token.
    """
    from frost_hsm.ceremony.history import bundle as ceremony_bundle

    key = door.parse(bundle, lambda data: ceremony_bundle.read(place.home, data, place.me, place.peers()))
    lines = [f'Took in key "{key.name}", confirmed by all of {", ".join(each.name for each in key.roster)}']
    if place.me in key.roster:
        after = f"see whether your share is in the token, or make it again: frost-hsm recover {key.name}"
    elif any(member.is_recovered_by(place.me) for member in key.roster):
        after = f"take the place of the first token: frost-hsm recover {key.name}"
    else:
        after = f"ask for a share: frost-hsm repair request {key.name} --helpers NAMES"
    return Result("keys-import", lines, _fields(key), after)


@command(keys, "delete", token=True)
@click.argument("name", shell_complete=completing.keys)
@click.option("--confirm-name", metavar="NAME", help="The name again, instead of typing it.")
def delete(place: Workplace, name: str, confirm_name: str | None) -> Result:
    """Destroy your share of a key, for good.

    The share leaves the token, and this program does not bring it back; the others keep theirs. What is public is put
    away in the state directory. Who has the messages that made the share still needs this token and its PIN to make it
    again; to rule that out, erase the token, too. The name has to be typed again; --yes does not answer that.
    """
    key = GroupKey.load(place.home, name, place.me)
    place.terminal.confirm_by_name(f"This destroys your share of key {name} for good", name, confirm_name)
    with place.holder() as holder:
        key.delete(holder, place.home)
    return Result("keys-delete", [f"Your share of {name} is destroyed"], _fields(key))


def _fields(key: GroupKey) -> dict[str, object]:
    return {
        "name": key.name,
        "state": key.status,
        "state_digest": key.state.digest.hex(),
        "key": key.verifying_key.hex(),
        "suite": key.suite.id,
        "min_signers": key.min_signers,
        "participants": [each.name for each in key.roster],
        "purpose": key.purpose,
        "epoch": key.epoch,
        "ceremony": key.ceremony.hex(),
    }
