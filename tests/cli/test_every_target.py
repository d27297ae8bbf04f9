"""Every target by the command line, with files and over a board: tokens of SoftHSM2 sign, the tool named takes it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest
from backends.conftest import TokenFixture
from cli.test_sign_targets import answer, ask, with_softhsm
from stage import bitcoin, joining, parties
from stage.authority import REQUEST, public_pem
from stage.every_thing import COMMIT, TAG
from stage.judges import JUDGES, OF_FILES, Bench, each_byte, each_byte_of_a_signature
from stage.memory_group import group as memory_group
from stage.parties import KEY, Party

FIRST = {
    "x509-root": ("root", "root.pem"),
    "openpgp-certificate": ("team", "team.pgp"),
    "openpgp-revocation": ("gone", "gone.asc"),
}
"""What the other things are made with: by target, what each is made of and what comes of it."""

REST = {
    "raw": ("note", "note.sig"),
    "ssh": ("app.tar", "app.tar.sig"),
    "git": ("v1.0", "v1.0.tag"),
    "ssh-cert": ("alice.pub", "alice-cert.pub"),
    "openpgp": ("app.tar", "app.tar.asc"),
    "openpgp-cleartext": ("Release", "Release.asc"),
    "minisign": ("app.tar", "app.tar.minisig"),
    "signify": ("other.tar", "other.tar.sig"),
    "x509-intermediate": ("below.pem", "below.pem.pem"),
    "x509-end": ("www.csr", "www.csr.pem"),
    "x509-crl": ("revoked", "revoked.crl"),
    "x509-ocsp": ("root.pem", "root.pem.ocsp"),
    "cms": ("app.tar", "app.tar.p7s"),
    "cms-attached": ("claims", "claims.p7m"),
    "jws": ("claims", "claims.jws"),
}
OPTIONS = ("subject=CN=Below", "issuer=root.pem", "certificate=root.pem", "principals=alice", "comment=2 of 3")
FILES = {
    "note": b"a note\n",
    "app.tar": b"release 1.0\n",
    "other.tar": b"release 1.1\n",
    "v1.0": TAG,
    "head": COMMIT,
    "Release": b"Origin: Team\n",
    "below.pem": public_pem(memory_group("ed25519", 1)),
    "www.csr": REQUEST,
    "revoked": b"5a0b 2025-01-31\n",
    "claims": b'{"iss":"team"}',
}
Sign = Callable[[list[str], str], Path]
"""Has things signed; returns the folder with what was made."""


@pytest.fixture
def people(tmp_path: Path, new_token: Callable[..., TokenFixture], backend_settings: parties.Settings) -> list[Party]:
    return with_softhsm(tmp_path, new_token, backend_settings, "ed25519")


@pytest.fixture(params=["files", "board"])
def sign(request: pytest.FixtureRequest, people: list[Party], tmp_path: Path) -> Sign:
    alice, _, carol = people

    def by_files(arguments: list[str], name: str) -> Path:
        asked, _ = ask(people, *arguments, name=name)
        answer(people, asked)
        return carol.directory

    def by_board(arguments: list[str], name: str) -> Path:
        board = joining.board(tmp_path / f"board-{name}")
        asked = alice.run("sign", "request", KEY, *arguments, "--signers", "alice,carol", "--board", board)
        assert asked.status == 0, asked.stderr
        joining.join([alice, carol], board)
        return alice.directory

    return by_files if request.param == "files" else by_board


def options(*said: str) -> list[str]:
    return [word for each in said for word in ("--with", each)]


def things(rows: dict[str, tuple[str, str]]) -> list[str]:
    return [f"{target}={thing}" for target, (thing, _) in rows.items()]


def test_every_target_is_asked_for() -> None:
    assert {*FIRST, *REST} == {*JUDGES}


def test_tools_take_what_is_signed(sign: Sign, people: list[Party], tmp_path: Path) -> None:
    alice = people[0]
    key = alice.key().public_key_package.verifying_key
    own = options("subject=CN=Team", "user-id=Team <team@example.org>", "reason=superseded")
    made = sign([*things(FIRST), *own], "first")
    first = {name: (made / name).read_bytes() for _, name in FIRST.values()}  # items of one request
    bench = Bench(tmp_path / "bench", key, first["team.pgp"], first["root.pem"], first["root.pem"])
    bench.lay_out()
    given = {**FILES, "alice.pub": (bench.folder / "alice.pub").read_bytes(), "root.pem": first["root.pem"]}
    for name, data in given.items():
        (alice.directory / name).write_bytes(data)
    made = sign([*things(REST), "git=head", *options(*OPTIONS)], "rest")
    given |= dict.fromkeys(("root", "team", "gone"), b"")
    rows = [*FIRST.items(), *REST.items(), ("git", ("head", "head.commit"))]
    for target, (thing, output) in rows:
        data, finished, judge = given[thing], (made / output).read_bytes(), JUDGES[target]
        assert judge(bench, data, finished), target
        changed = [*each_byte_of_a_signature(finished)]
        for other in (changed[-1], changed[-20]):  # of all bytes: targets.test_any_byte
            assert not judge(bench, data, other), target
        for other in islice(each_byte(data), 2) if target in OF_FILES else ():
            assert not judge(bench, other, finished), target


def test_nodes_and_relays_take_theirs(
    tmp_path: Path, new_token: Callable[..., TokenFixture], backend_settings: parties.Settings
) -> None:
    """Over a board, by a key for Bitcoin; by files it is in `cli.test_sign_targets`."""
    nostr_sdk = pytest.importorskip("nostr_sdk")
    people = with_softhsm(tmp_path, new_token, backend_settings, "secp256k1-tr")
    alice, _, carol = people
    spend = bitcoin.spend(alice.key().public_key_package.verifying_key, inputs=1).serialize()
    (alice.directory / "spend").write_bytes(spend)
    (alice.directory / "note").write_bytes(b"Version 1.0 is out")
    board = joining.board(tmp_path / "board")
    asked = alice.run("sign", "request", KEY, "psbt=spend", "nostr=note", "--signers", "alice,carol", "--board", board)
    assert asked.status == 0, asked.stderr
    joining.join([alice, carol], board)
    signed, event = ((alice.directory / name).read_bytes() for name in ("spend.psbt", "note.json"))
    assert bitcoin.takes(signed, 0)
    assert nostr_sdk.Event.from_json(event.decode()).verify()
    assert not nostr_sdk.Event.from_json(event.decode().replace("Version 1.0", "Version 1.1")).verify()
