"""``join``: people in processes of their own do everything over a board, and carry no file."""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest
from cli.at_terminal import Session
from stage import hostile_board, joining, nats_server, parties, walkthrough
from stage.mallory import Mallory, plus_one_for
from stage.parties import KEY, Party

from frost_hsm import boards
from frost_hsm.boards.reading import Reading
from frost_hsm.ceremony.history import transcript
from frost_hsm.ceremony.history.keys import KeyStatus
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.inbox import FIRST_LINE
from frost_hsm.ceremony.messages.making import Round1, Round2
from frost_hsm.ceremony.messages.using import Abort, Prepared
from frost_hsm.ceremony.people.roster import Roster
from frost_hsm.ceremony.sealing import envelope
from frost_hsm.ceremony.sealing.context import Kind
from frost_hsm.ceremony.sealing.envelope import Envelope
from frost_hsm.ceremony.sealing.records import own_context
from frost_hsm.ceremony.sharing import keygen
from frost_hsm.ceremony.signing import session
from frost_hsm.ceremony.signing.sealed_signer import SealedSigner
from frost_hsm.cli.sittings import heard as hearing
from frost_hsm.cli.sittings.heard import Heard
from frost_hsm.cli.talk.terminal import Terminal
from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import FrostHsmError, InputProblem
from frost_hsm.forms import cms, pem
from frost_hsm.secret import Secret


@pytest.fixture
def people(tmp_path: Path) -> list[Party]:
    return parties.gather(tmp_path / "people")


@pytest.fixture
def board(tmp_path: Path) -> str:
    return joining.board(tmp_path / "board")


def test_strangers_make_a_key_and_sign(people: list[Party], board: str) -> None:
    """Each PIN is asked once a sitting."""
    alice, _, carol = people
    joining.forget_each_other(people)
    for party in people:
        assert party.run("join", board, "--once", "--yes").status == 0  # hands out the identity
    proposed = alice.run("dkg", "propose", KEY, "-t", "2", "--with", "bob,carol", "--board", board, "--yes")
    assert proposed.status == 0, proposed.stderr
    joining.join(people, board)
    assert len({key_of(party) for party in people}) == 1
    sign(alice, carol, board)
    for party in people:
        log = joining.said(party)
        assert "nothing is left for you to do" in log


def propose(people: list[Party], board: str) -> None:
    first, *others = people
    names = ",".join(party.name for party in others)
    proposed = first.run("dkg", "propose", KEY, "-t", "2", "--with", names, "--board", board)
    assert proposed.status == 0, proposed.stderr


def is_active(party: Party) -> bool:
    try:
        return party.key().status is KeyStatus.ACTIVE
    except FrostHsmError:
        return False


def key_of(party: Party) -> str:
    return party.run("keys", "export", KEY, "--format", "hex", "-o", "-").stdout


# ── In a large group ──


def enclosed(party: Party) -> dict[str, int]:
    """How many envelopes of each sender somebody keeps."""
    return {name: len(said.enclosed) for name, said in party.ceremony().transcript.known(Round2).items()}


def label_of(party: Party) -> str:
    return party.public.sign_key.key_id.hex()


def begun(people: Sequence[Party]) -> tuple[bytes, list[bytes]]:
    """Have everybody come to the second round of a key; returns the proposal and the first round."""
    proposal = parties.propose(people)
    first = parties.round1(people, proposal)
    parties.round2(people, first)
    return proposal, [*first.values()]


def test_in_a_large_group_each_reads_what_is_for_them(people: list[Party], board: str) -> None:
    """What others are sent is on the board under their labels, and nobody else takes it in."""
    propose(people, board)
    joining.join(people, board, program=joining.AS_MANY)
    assert len({key_of(party) for party in people}) == 1
    assert not any("passed over" in joining.said(party) for party in people)
    for party in people:
        assert enclosed(party) == {each.name: 3 if each is party else 2 for each in people}
    folder = Path(board.removeprefix("dir:"))
    for party in people:
        names = [path.name for path in folder.glob(f"*.for-{label_of(party)}.pem")]
        assert len(names) == len(people) - 1
        for name in names:
            assert Envelope.decode(pem.decode("CMS", (folder / name).read_bytes(), name)[0]).recipients
    sign(people[0], people[2], board)


def test_what_has_another_s_label_is_passed_over_and_listed(people: list[Party], board: str, tmp_path: Path) -> None:
    """A board puts what is for Bob, and noise, where Carol reads, before it gives her what is hers."""
    alice, bob, carol = people
    propose(people, board)
    folder = Path(board.removeprefix("dir:"))
    running = [joining.start(party, board, program=joining.AS_MANY) for party in (alice, bob)]
    try:
        assert carol.run("join", board, "--once", "--yes", "--pin-source", f"file:{carol.directory / 'pin'}").status
        while not list(folder.glob(f"*.for-{label_of(bob)}.pem")):
            time.sleep(0.05)
        [of_alice] = folder.glob(f"*.for-{label_of(bob)}.pem")
        with boards.connect(board, tmp_path) as there:
            for data in (of_alice.read_bytes(), b"-----BEGIN CMS-----\nMAA=\n-----END CMS-----\n"):
                there.post(b"beside nothing", {label_of(carol): data})
        running.append(joining.start(carol, board, program=joining.AS_MANY))
        assert [process.wait(joining.PATIENCE) for process in running] == [0, 0, 0], joining.said(carol)
    finally:
        for process in running:
            process.kill()
            process.wait()
    passed_over = re.findall("passed over on the board: ([0-9a-f]{64}): (.*)", joining.said(carol))
    assert of_alice.name[:64] in dict(passed_over)
    assert {why for _, why in passed_over} == {"from nobody known here, or for somebody else"}
    assert len(passed_over) == 3
    assert len({key_of(party) for party in people}) == 1
    assert enclosed(carol) == {"alice": 2, "bob": 2, "carol": 3}


def test_what_is_heard_in_any_order_is_put_together(people: list[Party], monkeypatch: pytest.MonkeyPatch) -> None:
    """The envelope before the message that names it, or after; without it a message counts as missing."""
    monkeypatch.setattr(transcript, "MOST_KEPT_WHOLE", 2)
    alice, bob, _ = people
    proposal, first = begun(people)
    posted = {party.name: party.ceremony().transcript.as_posted(Round2) for party in people}
    rest = [proposal, *first, *(said for said, _ in filter(None, posted.values()))]
    envelopes = [beside[label_of(bob)] for _, beside in filter(None, posted.values()) if label_of(bob) in beside]
    of_carol = posted["carol"]
    assert of_carol is not None
    place = Workplace(bob.home.path, terminal=Terminal())
    for order in ([*envelopes, *rest], [*rest, *envelopes], [*rest, envelopes[0], of_carol[1][label_of(alice)]]):
        heard = Heard(place, Given(order))
        heard.read()
        [matter] = heard.matters.values()
        missing = matter.standing(heard.inbox(matter)).missing
        assert missing == (("carol",) if order[-1] not in envelopes + rest else ())
        if not missing:
            assert bob.ceremony().finish(bob.holder, heard.inbox(matter)).message
            for kept in ("confirm/bob", "round2/alice", "round2/carol"):
                bob.home.remove(f"{bob.folder()}/{kept}.pem")
        assert len(heard.passed_over) == len(missing)
        heard.let_go(matter)
        assert heard._envelopes == {}


def test_nobody_fills_the_memory_of_who_listens(people: list[Party], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what somebody posts beyond measure nothing is kept, nor of what anybody can post."""
    monkeypatch.setattr(hearing, "Reading", partial(Reading, max_messages=3))
    _, bob, carol = people
    with carol.holder() as holder:
        said = [signed.write(Abort(bytes([number]) * 32), holder) for number in range(5)]
    evidence = [FIRST_LINE * 2 + bytes([number]) for number in range(5)]
    context = own_context(bob.public, bytes(32), Kind.ROUND2_SHARE, "suite")
    envelopes = [envelope.encrypt(context, Secret(bytes(32)), [bob.public]) for _ in range(5)]
    posted = [pem.encode(cms.PEM_LABEL, each) for each in envelopes]
    heard = Heard(Workplace(bob.home.path, terminal=Terminal()), Given([*said, *evidence, *posted]))
    heard.read()
    assert sum(map(len, heard._messages.values())) == 3
    assert (len(heard.evidence), len(heard._envelopes), len(heard.passed_over)) == (3, 3, 6)


def test_who_takes_somebody_s_name_takes_none_of_their_room(
    people: list[Party], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stranger proposes a key to Bob with another stranger who is called as Carol is, and who posts too much."""
    monkeypatch.setattr(hearing, "Reading", partial(Reading, max_messages=3))
    _, bob, carol = people
    mallory, other = parties.gather(tmp_path / "strangers", ["mallory", "carol"])
    with mallory.holder() as holder:
        proposal = keygen.propose(holder, "theirs", [bob.public, other.public], min_signers=2, suite="p256")
    said = []
    for party in (other, carol):
        with party.holder() as holder:
            said += [signed.write(Abort(bytes([number]) * 32), holder) for number in range(3)]
    heard = Heard(Workplace(bob.home.path, terminal=Terminal()), Given([proposal, *said]))
    heard.read()
    assert sum(map(len, heard._messages.values())) == 6
    assert heard.passed_over == []


def test_what_others_are_asked_takes_up_what_is_offered(people: list[Party]) -> None:
    """Alice, who is to answer nothing, asks for nobody's pair that Bob has asked for."""
    parties.generate(people)
    alice, bob, carol = people
    with carol.holder() as holder:
        [made] = SealedSigner(carol.key(), holder, carol.home).preprocess(1)
        key = carol.key()
        handed_out = signed.write(Prepared(key.ceremony, key.state.digest, (made.serialize(),)), holder)
    with bob.holder() as holder:
        [own] = SealedSigner(bob.key(), holder, bob.home).preprocess(1)
        ahead = {"bob": [own], "carol": [made]}
        request = session.request(holder, bob.key(), b"message", ["bob", "carol"], commitments=ahead)
    place = Workplace(alice.home.path, terminal=Terminal())
    for posted, left in (([handed_out], {"carol"}), ([handed_out, request], set()), ([request, handed_out], set())):
        heard = Heard(place, Given(posted))
        heard.read()
        assert heard.offered.left(alice.key(), ["carol"], 1).keys() == left


def test_strangers_envelopes_keep_nobody_from_theirs(people: list[Party], monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody can seal something for Bob, and so much of it that of what no message names no more is taken in.

    Carol, who has posted too much herself, names what Alice sends.
    """
    monkeypatch.setattr(transcript, "MOST_KEPT_WHOLE", 2)
    _, bob, carol = people
    proposal, first = begun(people)
    posted = {party.name: party.ceremony().transcript.as_posted(Round2) for party in people}
    rest = [proposal, *first, *(said for said, _ in filter(None, posted.values()))]
    envelopes = [beside[label_of(bob)] for _, beside in filter(None, posted.values()) if label_of(bob) in beside]
    context = own_context(bob.public, bytes(32), Kind.ROUND2_SHARE, "suite")
    sealed = [envelope.encrypt(context, Secret(bytes(32)), [bob.public]) for _ in range(8)]
    flood = [pem.encode(cms.PEM_LABEL, each) for each in sealed]
    of_alice, proposed = posted["alice"], signed.read(proposal)
    assert of_alice is not None
    names_the_same = signed.read(of_alice[0], proposed.message.roster).expect(Round2).message.enclosing({})
    with carol.holder() as holder:
        noise = [signed.write(Abort(bytes([number]) * 32), holder) for number in range(5)]
        noise.append(signed.write(replace(names_the_same, round1_hash=bytes(32)), holder))
    monkeypatch.setattr(hearing, "Reading", partial(Reading, max_messages=6))
    place = Workplace(bob.home.path, terminal=Terminal())
    for order in ([*envelopes, *rest], [*rest, *envelopes], [*noise, *rest, *envelopes], [*noise, *envelopes, *rest]):
        for at_first in range(1, len(order)):
            board = Given([*flood, *order[:at_first]])
            heard = Heard(place, board)
            heard.read()
            board.add(order[at_first:])
            heard.read()
            assert len(heard.matters) == 1
            mine = envelopes[:1] if noise[0] in order else envelopes  # Carol's own message does not count there
            assert {sha256(pem.decode("CMS", each, "")[0]).digest() for each in mine} <= heard._envelopes.keys()
            assert len(heard._envelopes) <= 6 + len(envelopes)


def test_what_another_matter_names_is_not_forgotten_with_it(
    people: list[Party], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Carol names in a matter of her own, which ends, what Alice sends Bob in another."""
    monkeypatch.setattr(transcript, "MOST_KEPT_WHOLE", 2)
    alice, bob, carol = people
    proposals = [parties.propose(people), parties.propose([carol, bob, alice], name="carols")]
    first = parties.round1(people, proposals[0])
    parties.round2(people, first)
    posted = alice.ceremony().transcript.as_posted(Round2)
    assert posted is not None
    live, over = map(signed.read, proposals)
    of_alice = signed.read(posted[0], live.message.roster).expect(Round2).message.enclosing({})
    with carol.holder() as holder:
        naming = signed.write(replace(of_alice, ceremony=over.content_digest), holder)
    place = Workplace(bob.home.path, terminal=Terminal())
    heard = Heard(place, Given([*proposals, posted[0], posted[1][label_of(bob)], naming]))
    heard.read()
    [envelope_of_alice] = heard._envelopes
    heard.let_go(heard.matters[over.content_digest])
    assert list(heard._envelopes) == [envelope_of_alice]
    heard.let_go(heard.matters[live.content_digest])
    assert heard._envelopes == {}


class Given:
    """A board that holds these messages."""

    passed_over = ()

    def __init__(self, messages: Sequence[bytes]) -> None:
        self._messages = [*messages]

    def add(self, messages: Sequence[bytes]) -> None:
        self._messages += messages

    def messages(self, since: str = "") -> Iterator[tuple[str, bytes]]:
        return ((str(number), data) for number, data in enumerate(self._messages) if number > int(since or -1))


# ── Whatever happens ──


@pytest.mark.slow
@pytest.mark.parametrize("program", [parties.PROGRAM, joining.AS_MANY], ids=["a small group", "a large one"])
def test_a_hostile_board_and_people_who_are_killed(
    people: list[Party], board: str, tmp_path: Path, program: Sequence[str]
) -> None:
    """They end with the same key, and with a signature, whatever is lost, withheld, forged and cut short.

    But an answer that is cut short costs its nonces, and another request serves.
    """
    environment = hostile_board.install(tmp_path / "plugin")
    hostile = f"hostile:1:{board}"
    chance = random.Random(1)
    propose(people, board)
    joining.join_while_killed(people, hostile, chance, 3, lambda: all(map(is_active, people)), environment, program)
    assert all("note: passed over on the board" in joining.said(party) for party in people)
    keys = {key_of(party) for party in people}
    assert len(keys) == 1
    assert keys != {""}
    alice, _, carol = people
    signers, kills = [alice, carol], 2
    for name in ("m", "again", "and-again"):
        ask(signers, name, board)
        signature = alice.directory / f"{name}.sig"
        joining.join_while_killed(signers, hostile, chance, kills, signature.exists, environment)
        if signature.exists():
            break
        kills = 0
    assert alice.run("verify", "--key", KEY, name, f"{name}.sig").status == 0


def ask(signers: list[Party], name: str, board: str) -> None:
    first = signers[0]
    (first.directory / name).write_text("hello\n")
    names = ",".join(party.name for party in signers)
    asked = first.run("sign", "request", KEY, name, "--signers", names, "--board", board)
    assert asked.status == 0, asked.stderr


def sign(first: Party, second: Party, board: str) -> None:
    ask([first, second], "m", board)
    joining.join([first, second], board)
    assert first.run("verify", "--key", KEY, "m", "m.sig").status == 0


@pytest.mark.slow
def test_a_cluster_of_nats_whose_leader_is_killed_in_mid_ceremony(people: list[Party], tmp_path: Path) -> None:
    with nats_server.cluster(tmp_path) as servers:
        board = f"nats://{','.join(server.host for server in servers)}/FROST?replicas=3"
        propose(people, board)
        running = [joining.start(party, board) for party in people]
        try:
            joining.wait_to_hear(people[0], "your commitment is sent")
            leader = nats_server.leader_of("FROST", servers)
            assert leader is not None
            leader.kill()
            assert [process.wait(joining.PATIENCE) for process in running] == [0, 0, 0], joining.said(people[0])
        finally:
            for process in running:
                process.kill()
                process.wait()
        assert len({key_of(party) for party in people}) == 1
        sign(people[1], people[2], board)


def test_who_equivocates_stops_it_and_is_named(people: list[Party], board: str, tmp_path: Path) -> None:
    alice, bob, carol = people
    propose(people, board)
    proposal = (alice.directory / f"{KEY}.proposal.pem").read_bytes()
    with boards.connect(board, tmp_path) as there:
        for mallory in (Mallory(bob, proposal), Mallory(bob, proposal)):
            there.post(mallory.round1())
    honest = [joining.start(party, board) for party in (alice, carol)]
    assert [process.wait(joining.PATIENCE) for process in honest] == [76, 76]
    for party in (alice, carol):
        assert "bob signed two different round-1 messages" in joining.said(party)
        assert party.run("dkg", "status", KEY, "--json").stdout.count('"state":"stopped"') == 1


@pytest.mark.parametrize("program", [parties.PROGRAM, joining.AS_MANY], ids=["a small group", "a large one"])
def test_everybody_hears_of_a_complaint(
    people: list[Party], board: str, tmp_path: Path, program: Sequence[str]
) -> None:
    """Who was sent no good share complains on the board, and everybody stops until who sent it has answered."""
    alice, bob, carol = people
    propose(people, board)
    proposal = (alice.directory / f"{KEY}.proposal.pem").read_bytes()
    mallory = Mallory(bob, proposal)
    with boards.connect(board, tmp_path) as there:
        there.post(mallory.round1())
        honest = [joining.start(party, board, program=program) for party in (alice, carol)]
        first: dict[str, bytes] = {}
        while len(first) < 3:
            there.wait(1)
            first |= round1_messages(there, mallory.seat.roster)
        said = signed.read(mallory.round2(first, plus_one_for("carol")), mallory.seat.roster)
        if program is parties.PROGRAM:
            there.post(said.to_pem())
        else:
            envelopes = zip((alice, bob, carol), said.message.envelopes, strict=True)
            beside = {label_of(party): pem.encode("CMS", each.opened) for party, each in envelopes}
            there.post(said.part(()).to_pem(), beside)
        assert [process.wait(joining.PATIENCE) for process in honest] == [76, 76]
    for party in (alice, carol):
        found = json.loads(party.run("dkg", "status", KEY, "--json").stdout)
        assert (found["state"], found["missing"]) == ("stopped", ["bob"])


def round1_messages(there: boards.Board, roster: Roster) -> dict[str, bytes]:
    found = {}
    for _, data in there.messages():
        with suppress(InputProblem):
            said = signed.read(data, roster)
            if isinstance(said.message, Round1):
                found[said.sender.name] = data
    return found


# ── status ──


def test_status_says_whose_turn_it_is(people: list[Party], board: str) -> None:
    alice, bob, _ = people
    assert alice.run("status", "--board", board).stdout == "nothing is open\n"
    propose(people, board)
    assert bob.run("join", board, "--once", "--yes", "--pin-source", f"file:{bob.directory / 'pin'}").status == 75
    for party, turn in ((alice, "you"), (bob, "alice, carol")):
        said = json.loads(party.run("status", "--board", board, "--json").stdout)["open"]
        assert [(each["what"], ", ".join(each["waits_for"])) for each in said] == [(f'key "{KEY}"', turn)]
        assert said[0]["type"] == f"frost-hsm join {board}"
    assert json.loads(alice.run("status", "--json").stdout)["open"][0]["type"] == f"frost-hsm dkg status {KEY}"


# ── At a terminal ──


def test_each_question_is_asked_once_and_ctrl_c_is_safe(people: list[Party], board: str) -> None:
    """What is waited for fits on a line of the terminal, and has no colour where there is none."""
    alice, bob, carol = people
    columns = 60
    propose(people, board)
    others = [joining.start(party, board) for party in (alice, carol)]
    plain = {"LANG": "C", "LC_ALL": "C", "COLUMNS": str(columns)}
    arguments = ["join", board, "--home", str(bob.home.path)]
    try:
        with Session(arguments, cwd=bob.directory, environment=plain, columns=columns) as session:
            session.expect("Take part?")
            session.type(f"{KEY}\n")
            session.expect("PIN for token")
            session.interrupt()
            assert session.end() == 130
        with Session(arguments, cwd=bob.directory, environment=plain, columns=columns) as session:
            session.expect("Take part?")  # nothing has changed before
            session.type(f"{KEY}\n")
            session.expect("PIN for token")
            session.type(f"{bob.pin}\n")
            session.expect("your commitment is sent")
            session.expect("read the same check code?")
            session.interrupt()
            assert session.end() == 130
            assert session.shown.count("PIN for token") == 1
        with Session(arguments, cwd=bob.directory, environment=plain, columns=columns) as session:
            session.expect("check code    ")
            session.expect("read the same check code?")
            code = session.shown.split("check code    ")[1].split("\r\n")[0].strip()
            session.type(f"{code[-4:]}\n")
            session.expect("nothing is left for you to do")
            assert session.end() == 0
            assert "Take part?" not in session.shown
            assert "PIN for token" not in session.shown
            assert "\x1b[3" not in session.shown
            lines = [line for line in re.split(r"[\r\n]", session.shown) if line.startswith("waiting:")]
            assert all(len(line) <= columns for line in lines)
        assert [process.wait(joining.PATIENCE) for process in others] == [0, 0]
    finally:
        for process in others:
            process.kill()
            process.wait()
    assert len({key_of(party) for party in people}) == 1


def test_status_that_watches(people: list[Party], board: str) -> None:
    """At 60 columns it is written as the page has it."""
    alice = people[0]
    arguments = ["status", "--watch", "--board", board, "--home", str(alice.home.path)]
    with Session(arguments, cwd=alice.directory, environment={"COLUMNS": "60"}, columns=60) as session:
        session.expect("nothing is open")
        propose(people, board)
        session.expect(f'WHAT       key "{KEY}"')
        session.expect("NEXT       round1")
        session.expect("WAITS FOR  you")
        session.expect("TYPE       frost-hsm join")
        session.interrupt()
        assert session.end() == 130
    blocks = walkthrough.blocks(walkthrough.PAGES["boards"].read_text())
    (pictured,) = [each.body for each in blocks if "--watch" in each.body]
    [_, nothing, *first] = pictured.splitlines()[:6]
    shown = session.shown.replace(KEY, "nightly").replace(board, "dir:board").splitlines()
    assert "\n".join([nothing, *first]) in "\n".join(shown)
