"""``frost-hsm backup`` and ``recover``: what was lost comes back, and nothing older, foreign or secret is in it."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from ceremony.test_recovery import lose_share, share
from cli.judging import refused, snapshot
from stage import parties, upkeep
from stage.parties import KEY, Party, Ran

from frost_hsm.backends import Capability
from frost_hsm.backends.software.token import SoftwareToken
from frost_hsm.ceremony.history import backup
from frost_hsm.ceremony.history.backup import Backup
from frost_hsm.ceremony.history.keys import KeyStatus
from frost_hsm.ceremony.people.identity import RecordPlace
from frost_hsm.ceremony.store import StateDirectory
from frost_hsm.cli.config import Config, Noted
from frost_hsm.cli.talk.terminal import Terminal
from frost_hsm.errors import InputProblem
from frost_hsm.forms import cms, der, oids, pem

FILE = "alice.backup.pem"


def done(party: Party, *arguments: str) -> Ran:
    ran = party.run(*arguments)
    assert ran.status == 0, ran.stderr
    return ran


def lose_home(party: Party) -> None:
    """Lose the state directory, and begin with a new one, as ``init --take-over`` makes it."""
    config = (party.directory / "home/config.toml").read_bytes()
    shutil.rmtree(party.directory / "home")
    StateDirectory.create(party.directory / "home").replace("config.toml", config)
    done(party, "init", "--take-over", "--yes")


def write(party: Party, content: Backup, content_type: str = oids.BACKUP) -> bytes:
    """Sign a backup that may say anything."""
    with party.holder() as holder:
        return pem.encode(cms.PEM_LABEL, cms.sign(content_type, content.encode(), holder))


def read(party: Party) -> Backup:
    return backup.read((party.directory / FILE).read_bytes()).backup


def test_a_lost_state_directory_comes_back(group: list[Party]) -> None:
    alice, bob, _ = group
    upkeep.refresh(group)
    before = alice.files()
    assert "Backup of alice; keys: 1, peers: 2" in done(alice, "backup", "create").stdout
    lose_home(alice)
    assert "none, the token holds them all" in done(alice, "backup", "restore", FILE).stdout
    own = ("lock", "directory-id", "requests/")
    transcript = {name: data for name, data in before.items() if not name.startswith(own)}
    assert {name: data for name, data in alice.files().items() if not name.startswith(own)} == transcript
    assert len(parties.sign([alice, bob], b"message")) == 65
    after = snapshot(alice)
    done(alice, "backup", "restore", FILE)
    assert snapshot(alice) == after


def test_shares_come_back_too(group: list[Party]) -> None:
    alice, bob, _ = group
    upkeep.refresh(group)
    lost = lose_share(alice)
    done(alice, "backup", "create")
    lose_home(alice)
    assert f"Shares made again: {KEY}" in done(alice, "backup", "restore", FILE).stdout
    assert share(alice) == lost
    assert len(parties.sign([alice, bob], b"message")) == 65


def test_recover_says_what_it_found_and_what_it_made(group: list[Party]) -> None:
    alice = group[0]
    assert "The token holds your share of treasury: it opens" in done(alice, "recover", KEY).stdout
    lose_share(alice)
    assert "made again and sealed in the token; the key is active" in done(alice, "recover", KEY).stdout
    lose_share(alice)
    alice.home.remove(f"{alice.folder()}/round2")
    refused(alice, "recover", KEY, status=75, code="waiting", says="round-2 message of alice, bob, carol is missing")
    folder = str(group[1].directory / f"home/{group[1].folder()}/round2")
    done(alice, "recover", KEY, "--in", folder)
    refused(alice, "recover", "other", status=66, code="not-known", says="other")


def test_verify_needs_nothing_and_says_what_can_be_made(group: list[Party], tmp_path: Path) -> None:
    alice, bob, _ = group
    done(alice, "backup", "create")
    nobody = Party("nobody", tmp_path, "software:none")
    done(bob, "inspect", "../alice/alice.backup.pem")
    assert "alice.backup.pem: backup\n" in done(nobody, "inspect", str(alice.directory / FILE)).stdout
    said = done(nobody, "backup", "verify", str(alice.directory / FILE), "--home", str(tmp_path / "none")).stdout
    assert f"treasury ({alice.key().verifying_key[:17].hex()}), 2 of 3, epoch 0\n" in said
    assert "it takes the token of this identity, and the PIN" in said
    for step in ("round2", "round1/bob.pem"):  # as a recovery leaves them that is cut short
        path = f"{alice.folder()}/{step}"
        kept = {name: alice.home.read(name) or b"" for name in alice.home.files(path) or [path]}
        alice.home.remove(path)
        done(alice, "backup", "create", "-o", "less.pem", "--force")
        said = done(bob, "backup", "verify", "../alice/less.pem").stdout
        assert "the messages that made your share are not in it" in said
        for name, data in kept.items():
            alice.home.put(name, data)


def test_what_was_given_up_or_stopped_does_not_come_back(group: list[Party]) -> None:
    alice = group[0]
    done(alice, "backup", "create", "-o", "before.pem")
    alice.join(abandoned := parties.propose(group, name="other"))
    done(alice, "dkg", "abort", "other", "--confirm-name", "other")
    done(alice, "keys", "delete", KEY, "--confirm-name", KEY)
    said = done(alice, "backup", "restore", "before.pem").stdout
    assert f"passed over  {KEY}: {KEY} was given up here since" in said
    assert "no keys" in done(alice, "keys", "list").stdout
    done(alice, "backup", "create")
    lose_home(alice)
    done(alice, "backup", "restore", FILE)
    (alice.directory / "other.proposal.pem").write_bytes(abandoned)
    refused(alice, "dkg", "round1", "other.proposal.pem", status=76, code="ceremony-stopped", says="given up here")
    assert not any(name.startswith("signing-share") for name in alice.records())


def test_a_ceremony_that_was_stopped_since_stays_so(people: list[Party]) -> None:
    alice = people[0]
    first = parties.round1(people, parties.propose(people))
    confirmed = parties.finish(people, first, parties.round2(people, first))
    done(alice, "backup", "create")
    folder = alice.folder()
    alice.home.put(f"{folder}/evidence.pem", confirmed["bob"])
    assert f"no share     {KEY}: key {KEY} was stopped" in done(alice, "backup", "restore", FILE).stdout
    parties.confirm(people[1:], confirmed)
    done(people[1], "keys", "export", KEY, "--format", "transcript")
    others = "../bob/treasury.public.transcript.pem"
    done(alice, "keys", "import", others)  # all have confirmed it, she too: that counts
    assert alice.key().status is KeyStatus.ACTIVE


# ── Nonces ──


def test_a_backup_holds_nothing_that_was_begun(group: list[Party]) -> None:
    alice, bob, _ = group
    wanted = parties.request([alice, bob], b"message")
    parties.commit([alice], wanted)
    done(alice, "backup", "create")
    lose_home(alice)
    done(alice, "backup", "restore", FILE)
    assert not (alice.directory / "home/requests").exists()
    assert "no requests" in done(alice, "sign", "status").stdout


def test_used_nonces_do_not_come_back(group: list[Party]) -> None:
    alice, bob, _ = group
    wanted = parties.request([alice, bob], b"message")
    commitments = parties.commit([alice, bob], wanted)
    done(alice, "backup", "create")
    parties.respond([alice], wanted, commitments)
    lose_home(alice)
    done(alice, "backup", "restore", FILE)
    for name, data in {"request": wanted, **commitments}.items():
        (alice.directory / f"{name}.pem").write_bytes(data)
    again = ("sign", "respond", "request.pem", "alice.pem", "bob.pem")
    refused(alice, *again, status=76, code="nonce-used", says="nonces")


def test_nonces_that_lay_in_the_state_directory_are_gone(group: list[Party], monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob, _ = group
    monkeypatch.setattr(SoftwareToken, "capabilities", frozenset(Capability) - {Capability.DATA})
    for party in (alice, bob):
        replace(Config.load(party.home), identity=Noted(RecordPlace.DIRECTORY)).save(party.home)
        assert "made again" in done(party, "recover", KEY).stdout
    wanted = parties.request([alice, bob], b"message")
    commitments = parties.commit([alice], wanted)
    assert any("nonces" in name for name in alice.files())
    done(alice, "backup", "create")
    lose_home(alice)
    assert f"Shares made again: {KEY}" in done(alice, "backup", "restore", FILE).stdout
    assert not any("nonces" in name for name in alice.files())
    (alice.directory / "request.pem").write_bytes(wanted)
    (alice.directory / "commit.pem").write_bytes(commitments["alice"])
    (alice.directory / "bob.pem").write_bytes(parties.commit([bob], wanted)["bob"])
    again = ("sign", "respond", "request.pem", "commit.pem", "bob.pem")
    refused(alice, *again, status=76, code="nonce-used", says="nonces")


# ── Older, foreign, contradicting ──


def test_an_older_backup_over_a_newer_token(group: list[Party]) -> None:
    alice, bob, _ = group
    done(alice, "backup", "create")
    upkeep.refresh(group)
    records = alice.records()
    lose_home(alice)
    ran = alice.run("backup", "restore", FILE)
    assert (ran.status, alice.records()) == (76, records)
    assert "have the others send you the key as it is now: frost-hsm keys import FILE" in ran.stderr
    refused(alice, "recover", KEY, status=76, code="state-rolled-back", says="has seen a newer state")
    done(bob, "keys", "export", KEY, "--format", "transcript")
    done(alice, "keys", "import", "../bob/treasury.public.transcript.pem")
    assert "of epoch 1: it opens" in done(alice, "recover", KEY).stdout
    assert len(parties.sign([alice, bob], b"message")) == 65
    assert "none, the token holds them all" in done(alice, "backup", "restore", FILE).stdout  # adds nothing
    assert alice.key().epoch == 1


def test_somebody_elses_backup_and_another_token(group: list[Party], tmp_path: Path) -> None:
    alice, bob, _ = group
    done(alice, "backup", "create")
    path = f"../alice/{FILE}"
    refused(bob, "backup", "restore", path, status=2, code="not-possible", says="backup of alice, and you are bob")
    [other] = parties.gather(tmp_path / "other", ["alice"])
    path = str(alice.directory / FILE)
    refused(other, "backup", "restore", path, status=65, code="package-foreign", says="which is not you")
    lose_home(other)
    refused(other, "backup", "restore", path, status=77, code="token-mismatch", says="is for another token")


def test_what_is_here_and_says_something_else_stays(group: list[Party], tmp_path: Path) -> None:
    alice, bob, _ = group
    done(alice, "backup", "create")
    [stranger] = parties.gather(tmp_path / "stranger", ["bob"])
    alice.home.replace("peers/bob.pem", stranger.public.to_pem())
    refused(alice, "backup", "restore", FILE, status=2, code="not-possible", says="peers/bob.pem is another identity")
    alice.home.replace("peers/bob.pem", bob.public.to_pem())
    alice.home.remove("keys")
    alice.join(parties.propose(group))
    assert f"passed over  {KEY}: " in done(alice, "backup", "restore", FILE).stdout


class _Unchecked(Backup):
    def __post_init__(self) -> None:
        """Let be said what should not."""


def _changed(party: Party, stranger: Party) -> Iterator[Backup]:
    honest = read(party)
    good = _Unchecked(honest.owner, honest.peers, honest.keys, honest.given_up)
    yield replace(good, peers=good.peers[::-1])
    yield replace(good, peers=(good.peers[0], good.peers[0]))
    yield replace(good, peers=(good.owner, *good.peers))
    yield replace(good, keys=good.keys * 2)
    yield replace(good, given_up=(b"short",))
    yield replace(good, given_up=(bytes(32), bytes(32)))
    yield replace(good, owner=stranger.public)


def test_what_its_owner_signed_has_to_be_right(group: list[Party], tmp_path: Path) -> None:
    alice = group[0]
    done(alice, "backup", "create")
    [stranger] = parties.gather(tmp_path / "stranger", ["alice"])
    cases = [write(alice, content) for content in _changed(alice, stranger)]
    cases += [write(stranger, read(alice)), write(alice, read(alice), oids.PROPOSAL)]
    for number, data in enumerate(cases):
        _require_refused(alice, data, f"case {number}")
    damaged = read(alice).keys[0][:-1] + bytes([read(alice).keys[0][-1] ^ 1])
    _require_passed_over(alice, write(alice, replace(read(alice), keys=(damaged,))), "a damaged key")


def test_damage_is_found(group: list[Party]) -> None:
    alice = group[0]
    done(alice, "backup", "create")
    data = (alice.directory / FILE).read_bytes()
    lines = data.splitlines(keepends=True)
    step = max(1, len(lines) // 15)
    for number in range(0, len(lines), step):
        _require_refused(alice, b"".join(lines[:number]), f"cut at line {number}")
        _require_refused(alice, b"".join([*lines[:number], *lines[number + 1 :]]), f"without line {number}")
    whole = pem.decode(cms.PEM_LABEL, data, "it")[0]
    for position in range(0, len(whole), len(whole) // 25):
        changed = bytearray(whole)
        changed[position] ^= 0x01
        _require_refused(alice, pem.encode(cms.PEM_LABEL, bytes(changed)), f"byte {position}")


def _require_refused(party: Party, data: bytes, what: str) -> None:
    before = snapshot(party)
    with pytest.raises(InputProblem):
        backup.restore(party.home, data, party.public)
        pytest.fail(what)
    assert snapshot(party) == before, what


def _require_passed_over(party: Party, data: bytes, what: str) -> None:
    """One key's trouble stops no other, and brings nothing in."""
    before = snapshot(party)
    assert list(backup.restore(party.home, data, party.public).passed_over) != [], what
    assert snapshot(party) == before, what


def test_no_block_of_a_key_can_be_left_out_or_come_from_another(group: list[Party]) -> None:
    alice = group[0]
    upkeep.refresh(group)
    parties.generate(group, name="second")
    done(alice, "backup", "create")
    good = read(alice)
    blocks: list[list[bytes]] = []
    for key in good.keys:
        reader = der.Reader(key, "it").sequence()
        blocks.append([])
        while reader.more():
            blocks[-1].append(reader.whole(der.OCTET_STRING if reader.has(der.OCTET_STRING) else der.SEQUENCE))
    first, second = blocks
    assert (len(first), len(second)) == (11, 22)  # a proposal, three messages of each of three steps, a package
    for place, of_another in enumerate(second[:11]):
        for put in ((of_another,), ()):
            if 0 < place < 10 and not put:
                continue  # it is what somebody has who was not sent it: a pending key, or one without its rounds
            changed = der.sequence(*first[:place], *put, *first[place + 1 :])
            data = write(alice, replace(good, keys=(changed, good.keys[1])))
            _require_passed_over(alice, data, f"block {place}")


def test_a_backup_of_junk_is_refused_whole(group: list[Party], tmp_path: Path) -> None:
    alice = group[0]
    junk = b"".join(base64.encodebytes(bytes(48)).strip() + b"\n" for _ in range(1 << 18))
    hostile = b"-----BEGIN CMS-----\n" + junk[: (16 << 20) - 100] + b"-----END CMS-----\n"
    (alice.directory / FILE).write_bytes(hostile)
    refused(alice, "backup", "verify", FILE, status=65, code="package-malformed", says=FILE)


# ── Secrets ──


def test_no_secret_is_in_it(group: list[Party]) -> None:
    alice = group[0]
    old = share(alice)
    upkeep.refresh(group)
    new = share(alice)
    done(alice, "backup", "create")
    data = (alice.directory / FILE).read_bytes()
    places = (data, pem.decode(cms.PEM_LABEL, data, "it")[0])
    for package in (old, new):
        # A key package is header, identifier, share, and what is public.
        start = package.index(alice.key().identifier("alice").serialize()) + 32
        secret = package[start : start + 32]
        forms = [secret, secret.hex().encode(), *(base64.b64encode(bytes(shift) + secret)[8:-8] for shift in range(3))]
        for place in places:
            assert not any(form in place or form.upper() in place for form in forms)
    assert not any(record in places[1] for record in alice.records().values())


# ── Keys that are not yet, or not one's own ──


def test_a_pending_key_and_a_pending_refresh(people: list[Party], tmp_path: Path) -> None:
    """The first token goes on with both; its second has the epoch before, and nothing of a key that not all have."""
    alice = people[0]
    [second] = parties.gather(tmp_path / "second", ["alice"])
    upkeep.name_second(alice, second, people[1:])
    parties.generate(people)
    refreshed = upkeep.to_confirmations(people)
    first = parties.round1(people, parties.propose(people, name="other"))
    confirmed = parties.finish(people, first, parties.round2(people, first, "other"), "other")
    done(alice, "backup", "create")
    lose_home(alice)
    for name in alice.records():
        if name.startswith("signing-share"):
            with alice.open_token() as token:
                token.delete_record(name)
    said = done(alice, "backup", "restore", FILE).stdout
    assert f"Shares made again: other, {KEY}" in said
    upkeep.confirm(people, refreshed)
    parties.confirm(people, confirmed, "other")
    assert len(parties.sign(people[:2], b"message")) == len(parties.sign(people[:2], b"message", "other")) == 65

    said = done(second, "backup", "restore", str(alice.directory / FILE)).stdout
    assert "passed over  other: not all have confirmed it" in said
    assert second.key().epoch == 0
    done(second, "recover", KEY)


def test_a_key_that_one_has_no_share_of(group: list[Party], tmp_path: Path) -> None:
    [dave] = parties.gather(tmp_path / "later", ["dave"])
    upkeep.hand_over(group[0], dave, group)
    done(dave, "backup", "create")
    assert "your share are not in it" in done(dave, "backup", "verify", "dave.backup.pem").stdout
    lose_home(dave)
    done(dave, "backup", "restore", "dave.backup.pem")
    assert dave.key() == replace(group[0].key(), me=dave.public)


# ── A second token ──


def test_an_identity_that_was_made_again_names_its_second_token_again(people: list[Party], tmp_path: Path) -> None:
    alice = people[0]
    [second] = parties.gather(tmp_path / "second", ["alice"])
    upkeep.name_second(alice, second, people[1:])
    named = alice.public
    parties.generate(people)
    done(alice, "backup", "create")
    lose_home(alice)
    alice.home.put("identity.pem", replace(named, recovery_certificates=()).to_pem())
    done(alice, "backup", "restore", FILE)
    assert alice.public == named
    assert len(parties.sign(people[:2], b"message")) == 65


def test_a_lost_token(people: list[Party], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the identity that names a second token to a signature by that one, by command."""
    alice, bob, carol = people
    [second] = parties.gather(tmp_path / "second", ["alice"])
    done(second, "identity", "export")
    named = ("identity", "create", "--recovery", str(second.directory / "alice.identity.pem"), "--force")
    assert "second token  named" in done(alice, *named).stdout
    after = snapshot(alice)
    done(alice, *named)
    done(alice, "identity", "create")
    assert snapshot(alice) == after
    for party in (bob, carol):
        done(party, "peer", "remove", "alice")
        assert "second token  named" in done(party, "peer", "add", "../alice/alice.identity.pem").stderr
    assert "second token" in done(alice, "doctor").stdout
    assert "second_token" in done(bob, "inspect", "../alice/alice.identity.pem", "--json").stdout
    parties.generate(people)
    late = ("identity", "create", "--recovery", str(carol.directory / "home/identity.pem"))
    refused(alice, *late, status=2, code="not-possible", says="takes part in ceremonies")

    done(alice, "backup", "create")
    lost = share(alice)
    kept = str(alice.directory / FILE)
    for party in (alice, second):
        before = snapshot(party)
        pin = str(party.directory / "pin")
        tried = done(party, "backup", "verify", kept, "--check-token", "--pin-source", f"file:{pin}")
        assert "Your token makes the shares of treasury\n" in tried.stdout
        assert snapshot(party) == before
    not_mine = ("backup", "verify", kept, "--check-token")
    refused(bob, *not_mine, status=77, code="token-mismatch", says="for another token than yours")
    assert "of this identity, or its second token" in done(bob, "backup", "verify", kept).stdout
    shutil.rmtree(alice.directory / "home")
    with monkeypatch.context() as patched:
        patched.setattr(Terminal, "agree", lambda self, question, **_: "with this fingerprint" not in question)
        refused(second, "backup", "restore", kept, status=130, code="aborted", says="nothing was restored")
    ran = done(second, "backup", "restore", kept)
    assert "Next: to take the place of the first token: frost-hsm recover treasury" in ran.stderr
    ran = done(second, "recover", KEY)
    assert "This token becomes participant 1 of treasury once the others have confirmed it" in ran.stdout
    request, end = (str(second.directory / f"{KEY}.repair1.{name}.pem") for name in ("request", "alice.done"))
    assert "send treasury.repair1.request.pem and treasury.repair1.alice.done.pem to everybody" in ran.stderr
    done(second, "recover", KEY)
    for party in (bob, carol):
        done(party, "repair", "confirm", request, end)
    ends = (request, end, *(str(party.directory / f"{KEY}.repair1.{party.name}.confirm.pem") for party in (bob, carol)))
    done(second, "repair", "confirm", *ends)
    assert share(second) == lost
    for party in (bob, carol):
        assert "For new keys with alice: frost-hsm peer remove" in done(party, "repair", "confirm", *ends).stdout
    assert done(bob, "repair", "status", request).stdout.endswith(": done\n")
    refused(second, "repair", "finish", request, status=2, code="not-possible", says="makes the share itself")
    assert len(parties.sign([second, carol], b"message")) == 65
    upkeep.refresh([second, bob, carol])
    assert len(parties.sign([bob, second], b"message")) == 65
