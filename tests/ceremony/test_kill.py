"""SIGKILL before and after every write and token call: the same command again, and everything goes on."""

from __future__ import annotations

import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import killing
import parties
import pytest
from conftest import TokenFixture
from parties import KEY, Party, inbox

from frost_hsm.ceremony.messages import Commitment
from frost_hsm.ceremony.sealed_signer import SealedSigner
from frost_hsm.errors import CeremonyStopped, NonceUsed, NotKnown
from frost_hsm.frost.packages import SignatureShare, SigningCommitments, SigningPackage
from frost_hsm.frost.signing import verify_signature_share

Commands = dict[str, tuple[str, ...]]

PROPOSAL = "../inbox/treasury.proposal.pem"
REQUEST = "../inbox/message.request.pem"
STEPS: Commands = {
    "round1": ("dkg", "round1", PROPOSAL),
    "round2": ("dkg", "round2", KEY, "--in", "../inbox"),
    "finish": ("dkg", "finish", KEY, "--in", "../inbox"),
    "confirm": ("dkg", "confirm", KEY, "--in", "../inbox"),
    "commit": ("sign", "commit", REQUEST),
    "respond": ("sign", "respond", REQUEST, "--in", "../inbox"),
}
SUFFIXES = {step: f".{step}.pem" for step in STEPS} | {"finish": ".confirm.pem", "respond": ".response.pem"}


class Stage:
    """Two parties and an inbox, before Alice takes one step; put back as often as needed."""

    def __init__(self, directory: Path, alice: Party, bob: Party) -> None:
        self.directory = directory
        self.alice = alice
        self.bob = bob
        self.before: dict[str, Path] = {}

    def play(self, party: Party, step: str) -> None:
        """Take a step and put what it wrote into the inbox."""
        if step == "commit" and not (self.directory / REQUEST.removeprefix("../")).exists():
            self._request()
        ran = party.run(*STEPS[step])
        assert ran.status == 0, ran.stderr
        for written in party.directory.glob(f"*{party.name}{SUFFIXES[step]}"):
            shutil.copy(written, self.directory / "inbox")

    def _request(self) -> None:
        (self.directory / "message").write_bytes(b"pay 5 to dave")
        ran = self.bob.run("sign", "request", KEY, "../message", "--signers", "alice,bob")
        assert ran.status == 0, ran.stderr
        shutil.copy(self.bob.directory / "message.request.pem", self.directory / "inbox")

    def keep(self, step: str) -> None:
        self.before[step] = self.directory.with_name(f"before-{step}")
        shutil.copytree(self.directory, self.before[step])

    def put_back(self, step: str) -> None:
        shutil.rmtree(self.directory)
        shutil.copytree(self.before[step], self.directory)

    def play_on(self, step: str) -> None:
        """Take ``step`` and every later one, and verify the signature."""
        names = list(STEPS)
        for each in names[names.index(step) :]:
            self.play(self.alice, each)
            if each != step:  # Bob has taken the first of them already
                self.play(self.bob, each)
        self.verify()

    def verify(self) -> None:
        ran = self.bob.run("sign", "aggregate", REQUEST, "--in", "../inbox", "-o", "../signature")
        assert ran.status == 0, ran.stderr
        assert self.alice.run("verify", "--key", KEY, "../message", "../signature").status == 0


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """A ceremony kept before each of Alice's steps, which Bob has taken."""
    directory = tmp_path_factory.mktemp("kill") / "stage"
    (directory / "inbox").mkdir(parents=True)
    stage = Stage(directory, *parties.gather(directory, ["alice", "bob"]))
    proposal = parties.propose([stage.bob, stage.alice])
    (directory / "inbox/treasury.proposal.pem").write_bytes(proposal)
    for step in STEPS:
        stage.play(stage.bob, step)
        stage.keep(step)
        stage.play(stage.alice, step)
    stage.verify()
    return stage


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_every_instant_the_ceremony_goes_on(stage: Stage, step: str) -> None:
    stage.put_back(step)
    count = killing.fork_and_kill(stage.alice, STEPS[step], None)
    assert count is not None
    assert count > 10
    for instant in range(1, count + 1):
        stage.put_back(step)
        assert killing.fork_and_kill(stage.alice, STEPS[step], instant) is None, "it was not killed"
        stage.play_on(step)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "command"),
    [
        ("finish", ("dkg", "abort", KEY, "--confirm-name", KEY)),
        ("respond", ("keys", "delete", KEY, "--confirm-name", KEY)),
    ],
)
def test_killed_while_giving_up_everything_secret_goes_in_the_end(
    stage: Stage, before: str, command: tuple[str, ...]
) -> None:
    stage.put_back(before)
    count = killing.fork_and_kill(stage.alice, command, None)
    assert count is not None
    for instant in range(1, count + 1):
        stage.put_back(before)
        assert killing.fork_and_kill(stage.alice, command, instant) is None, "it was not killed"
        again = stage.alice.run(*command)
        assert again.status in (0, NotKnown.exit), again.stderr  # it may have been done already
        assert stage.alice.records() == {}
        assert stage.alice.run(*command).status == NotKnown.exit
        assert stage.alice.run("dkg", "round1", PROPOSAL).status == CeremonyStopped.exit


@pytest.mark.slow
def test_a_killed_answer_serves_one_message_alone(stage: Stage) -> None:
    """After each kill somebody asks for another message first: exactly one of the two is ever signed."""
    stage.put_back("respond")
    count = killing.fork_and_kill(stage.alice, STEPS["respond"], None)
    assert count is not None
    first = {True: 0, False: 0}
    for instant in range(1, count + 1):
        stage.put_back("respond")
        assert killing.fork_and_kill(stage.alice, STEPS["respond"], instant) is None, "it was not killed"
        signed_other = _sign_other(stage)
        if not signed_other:
            stage.play_on("respond")
        elif not (stage.alice.directory / "message.alice.response.pem").exists():
            assert "error: these nonces have been used" in stage.alice.run(*STEPS["respond"]).stderr
        answered = bool(list((stage.alice.directory / "home/requests").glob("*/response/alice.pem")))
        assert answered is not signed_other
        first[signed_other] += 1
    assert min(first.values()) > 5, "the kills fell on one side of the decision only"


def _sign_other(stage: Stage) -> bool:
    """Try to sign another message with the nonces of the request; True if it gave a good share."""
    alice = stage.alice
    session = alice.session((stage.directory / REQUEST.removeprefix("../")).read_bytes())
    key = session.key
    said = session.transcript.gather(Commitment, inbox(_inbox(stage, "commit")))
    commitments = {
        key.identifier(name): SigningCommitments.deserialize(key.suite, each.message.commitments)
        for name, each in said.items()
    }
    package = SigningPackage(key.suite, commitments, b"pay 5000 to mallory")
    kept: list[SignatureShare] = []
    try:
        with alice.holder() as holder:
            share = SealedSigner(key, holder, alice.home).sign(package, session.id, keep=kept.append)
    except NonceUsed:
        assert not kept
        return False
    public = key.public_key_package
    mine = key.identifier("alice")
    verify_signature_share(mine, public.verifying_shares[mine], share, package, public.verifying_key)
    return True


def _inbox(stage: Stage, step: str) -> list[bytes]:
    return [path.read_bytes() for path in (stage.directory / "inbox").glob(f"*{SUFFIXES[step]}")]


@pytest.mark.slow
def test_killed_again_and_again_with_softhsm(
    tmp_path: Path, new_token: Callable[..., TokenFixture], backend_settings: parties.Settings
) -> None:
    """Alice's commands run in processes of their own and die at later and later instants until one gets through."""

    def token(name: str, folder: Path) -> str:
        uri: str = new_token("kill").uri if name == "alice" else parties.software_token(folder / "bob.token")
        return uri

    stage = Stage(tmp_path, *parties.gather(tmp_path, ["alice", "bob"], new_token=token, settings=backend_settings))
    (tmp_path / "inbox").mkdir()
    (tmp_path / PROPOSAL.removeprefix("../")).write_bytes(parties.propose([stage.bob, stage.alice]))
    kills = 0
    for step, command in STEPS.items():
        stage.play(stage.bob, step)
        for instant in (4, 9, 13, 18, 24, 31, 39, 48, 1000):
            ran = stage.alice.launch(*command, program=(sys.executable, killing.__file__, str(instant)))
            if ran.status == 0:
                break
            assert ran.status == -signal.SIGKILL, ran.stderr
            kills += 1
        assert ran.status == 0
        for written in stage.alice.directory.glob(f"*alice{SUFFIXES[step]}"):
            shutil.copy(written, tmp_path / "inbox")
    assert kills > 12
    stage.verify()
    with stage.alice.open_token() as opened:
        assert [name.split(".")[0] for name in opened.record_names()] == ["signing-share"]
