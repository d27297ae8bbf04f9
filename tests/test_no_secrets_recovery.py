"""No secret of a backup, a recovered share or a takeover is seen outside a token; found as in `test_no_secrets`."""

from __future__ import annotations

from pathlib import Path

from ceremony.test_recovery import lose_share, share
from ceremony.test_recovery_second_token import hand_over
from stage import parties, upkeep
from stage.parties import KEY
from stage.recording import Recorder
from test_no_secrets import files, search

from frost_hsm.ceremony.messages import signed
from frost_hsm.frost.packages import Identifier


def _scalar(package: bytes, own: Identifier) -> bytes:
    """Take the share out of a key package, where it follows the identifier."""
    start = package.index(own.serialize()) + len(own.serialize())
    return package[start : start + 32]


def test_no_secret_of_a_recovery_leaves(tmp_path: Path) -> None:
    alice, bob = people = parties.gather(tmp_path / "people", ["alice", "bob"])
    [second] = parties.gather(tmp_path / "second", ["alice"])
    upkeep.name_second(alice, second, [bob])
    parties.generate(people)
    own = Identifier.from_u16(alice.key().suite, 1)
    old = _scalar(share(alice), own)
    upkeep.refresh(people)
    lost = _scalar(lose_share(alice), own)
    hand_over(bob, second)
    recorder, said = Recorder(), []
    with recorder.recording():
        said.append(alice.run("backup", "create"))
        said.append(alice.run("backup", "verify", "alice.backup.pem"))
        said.append(alice.run("recover", KEY))
        said.append(alice.run("recover", KEY))
        alice.home.remove("ceremonies")
        said.append(alice.run("backup", "restore", "alice.backup.pem"))
        said.append(second.run("recover", KEY))
    assert [ran.status for ran in said] == [0] * 6, [ran.stderr for ran in said]

    assert lost in recorder.secrets
    request = signed.read((second.directory / f"{KEY}.repair1.request.pem").read_bytes())
    places = files(tmp_path)
    for number, ran in enumerate(said):
        places |= {f"stdout {number}": ran.stdout.encode(), f"stderr {number}": ran.stderr.encode()}
    places["exceptions and logs"] = "\n".join(recorder.seen).encode()
    searched = {old} | recorder.secrets - {request.message.random, request.content_digest}
    assert len(searched) > 20
    assert any(name.endswith("alice.backup.pem") for name in places)
    assert search(searched, places) == []
