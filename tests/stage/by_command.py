"""Parties who do everything by command; whatever one writes lies in a folder that all read from.

That folder is ``inbox`` beside the folders that parties were gathered in: ``gather(tmp_path / "people")``.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from stage.parties import KEY, Party, Ran

from frost_hsm.ceremony.sharing.keygen import KeyGeneration
from frost_hsm.ceremony.sharing.refresh import Refresh


def inbox(party: Party) -> Path:
    return party.directory.parent.parent / "inbox"


def step(party: Party, *arguments: str) -> Ran:
    """Run a command, which has to succeed, and send what it wrote to all."""
    return send(inbox(party), party, *arguments)


def send(folder: Path, party: Party, *arguments: str) -> Ran:
    """Run a command, which has to succeed, and copy what it wrote into a folder."""
    ran = party.run(*arguments)
    assert ran.status == 0, ran.stderr
    folder.mkdir(exist_ok=True)
    for written in (*party.directory.glob("*.pem"), *party.directory.glob("*.json")):
        shutil.copy(written, folder)
    return ran


def begin(party: Party, *options: str, identity: Sequence[str] = ()) -> None:
    """Say who a party is and which token is theirs, and make their identity."""
    step(party, "init", "--me", party.name, "--token", party.uri, *options)
    step(party, "identity", "create", *identity)


def rounds(people: Sequence[Party], ceremony: str, proposal: str, verbs: Sequence[str]) -> None:
    """Let everybody run the rounds of a key generation or a refresh, each after all have run the one before."""
    folder = inbox(people[0])
    for verb in verbs:
        arguments = [str(folder / proposal)] if verb == "round1" else [KEY, "--in", str(folder)]
        for party in people:
            step(party, ceremony, verb, *arguments)


def generate(people: Sequence[Party], min_signers: int, *options: str) -> None:
    """Make a key, from the proposal to the last confirmation."""
    first, *others = people
    names = ",".join(party.name for party in others)
    step(first, "dkg", "propose", KEY, "-t", str(min_signers), "--with", names, *options)
    rounds(people, "dkg", f"{KEY}.proposal.pem", ["round1", "round2", "finish", "confirm"])


def deal(people: Sequence[Party], key: str, *options: str) -> None:
    """Share out a key, a scalar in hex that the first has, among all; two of them sign."""
    first, *others = people
    folder = inbox(first)
    (first.directory / "key").write_text(key + "\n")
    step(first, "dkg", "propose", KEY, "-t", "2", "--with", ",".join(party.name for party in others), *options)
    step(first, "dealer", "split", KEY, "--key-file", "key")
    for party in people:
        step(party, "dealer", "accept", *(str(folder / f"{KEY}.{name}.pem") for name in ("proposal", "dealing")))
    for party in people:
        step(party, "dkg", "confirm", KEY, "--in", str(folder))


def forget_dealing(dealer: Party, ceremony: KeyGeneration | Refresh) -> None:
    """Take what keeps an honest dealer from dealing twice out of the state directory and the token."""
    dealer.home.remove(f"{ceremony.folder}/dealing")
    with dealer.open_token() as token:
        for name in token.record_names("dealt."):
            token.delete_record(name)


def refresh(people: Sequence[Party], *, until: str = "confirm") -> None:
    """Refresh the shares; ``until`` is the last round that is run."""
    verbs = ["round1", "round2", "finish", "confirm"]
    step(people[0], "refresh", "propose", KEY)
    epoch = people[0].key().epoch + 1
    rounds(people, "refresh", f"{KEY}.refresh{epoch}.proposal.pem", verbs[: verbs.index(until) + 1])


def sign(
    signers: Sequence[Party], message: bytes, aggregator: Party, *, verifiers: Sequence[Party] | None = None
) -> bytes:
    """Sign; returns the signature, which ``aggregator`` puts together and ``verifiers``, or the signers, verify."""
    folder = inbox(aggregator)
    stem = f"message{len(list(folder.glob('message*.request.pem')))}"
    path, signature = folder / stem, folder / f"{stem}.sig"
    path.write_bytes(message)
    step(signers[0], "sign", "request", KEY, str(path), "--signers", ",".join(party.name for party in signers))
    request, given = str(folder / f"{stem}.request.pem"), ["--in", str(folder)]
    for party in signers:
        step(party, "sign", "commit", request)
    for party in signers:
        step(party, "sign", "respond", request, *given)
    step(aggregator, "sign", "aggregate", request, *given, "-o", str(signature))
    for party in signers if verifiers is None else verifiers:
        step(party, "verify", "--key", KEY, str(path), str(signature))
    return signature.read_bytes()


def sign_prepared(signers: Sequence[Party], message: bytes) -> None:
    """Sign with nonces that were made ahead, so that each signer runs one command; the first verifies."""
    first, folder = signers[0], inbox(signers[0])
    path = folder / "prepared-message"
    path.write_bytes(message)
    for party in signers:
        step(party, "sign", "preprocess", KEY, "--count", "2")
    made = {party.name: folder / f"{KEY}.{party.name}.prepared.json" for party in signers}
    prepared = [word for name, file in made.items() for word in ("--prepared", f"{name}:1={file}")]
    step(first, "sign", "request", KEY, str(path), *prepared)
    request = str(folder / f"{path.name}.request.pem")
    for party in signers:
        step(party, "sign", "respond", request)
    step(first, "sign", "aggregate", request, "--in", str(folder), "-o", f"{path}.sig")
    step(first, "verify", "--key", KEY, str(path), f"{path}.sig")
    for party in signers:
        step(party, "sign", "discard", KEY)


def back_up(party: Party) -> None:
    """Write a backup beside the home, and verify it."""
    step(party, "backup", "create", "--force")
    step(party, "backup", "verify", f"{party.name}.backup.pem")


def start_over(party: Party, *init: str) -> None:
    """Lose the state directory, bring it back from the backup, and make the share again if the token lost it."""
    shutil.rmtree(party.directory / "home")
    step(party, "init", "--me", party.name, "--token", party.uri, "--take-over", "--yes", *init)
    step(party, "backup", "restore", f"{party.name}.backup.pem")
    step(party, "recover", KEY)


def give_up(party: Party) -> None:
    """Delete a party's share, and what they hold of the key."""
    step(party, "keys", "delete", KEY, "--confirm-name", KEY)


def meet(new: Party, group: Sequence[Party]) -> None:
    """Exchange identities, fingerprints compared; who had the newcomer's name is forgotten."""
    folder = inbox(new)
    step(new, "identity", "export")
    for party in group:
        if party.name == new.name:
            continue
        step(party, "identity", "export", "--force")
        step(new, "peer", "add", str(folder / f"{party.name}.identity.pem"))
        party.run("peer", "remove", new.name)
        step(party, "peer", "add", str(folder / f"{new.name}.identity.pem"))


def repair(new: Party, position: int, helpers: Sequence[Party], others: Sequence[Party], *options: str) -> str:
    """Run a repair from the bundle to the last confirmation; returns the path of the request."""
    folder = inbox(new)
    request, given = str(folder / f"{KEY}.repair{position}.request.pem"), ["--in", str(folder)]
    step(helpers[0], "keys", "export", KEY, "--format", "bundle", "--force")
    step(new, "keys", "import", str(folder / f"{KEY}.public.bundle.pem"))
    step(new, "repair", "request", KEY, "--helpers", ",".join(each.name for each in helpers), *options)
    for helper in helpers:
        step(helper, "repair", "delta", request)
    for helper in helpers:
        step(helper, "repair", "sigma", request, *given)
    step(new, "repair", "finish", request, *given)
    confirm_repair((*helpers, *others), new, request, *given)
    return request


def confirm_repair(voters: Sequence[Party], new: Party, *request: str) -> None:
    """Let everybody confirm a repair, and then take in who else has."""
    for party in voters:
        step(party, "repair", "confirm", *request)
    for party in (*voters, new):
        step(party, "repair", "confirm", *request)
