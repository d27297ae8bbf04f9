"""A request of which some signers are needed: who is there first signs, and who is away blocks nobody."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from stage import joining, staging, upkeep, walkthrough
from stage.parties import KEY, Party
from stage.staging import Stage

from frost_hsm import boards
from frost_hsm.ceremony.history import evidence
from frost_hsm.ceremony.messages import signed
from frost_hsm.ceremony.messages.using import Attempt, Commitment, Response, SigningRequest
from frost_hsm.ceremony.sealing.records import SealedRecords
from frost_hsm.ceremony.signing import attempts
from frost_hsm.ceremony.signing.sealed_signer import SealedSigner
from frost_hsm.ceremony.store import request_folder
from frost_hsm.cli.files import things
from frost_hsm.frost import signing


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return staging.with_key(tmp_path_factory.mktemp("attempts"), "p256")


@pytest.fixture
def people(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Party]:
    monkeypatch.setattr(attempts, "PATIENCE", 0.0)
    return stage.people(tmp_path / "people")


@pytest.fixture
def board(tmp_path: Path) -> str:
    return joining.board(tmp_path / "board")


def ask(party: Party, board: str, *options: str, name: str = "m") -> str:
    (party.directory / name).write_text("hello\n")
    asked = party.run("sign", "request", KEY, name, *options, "--board", board, "--json")
    assert asked.status == 0, asked.stderr
    return str(json.loads(asked.stdout)["request"])


def is_signed(party: Party, name: str = "m") -> bool:
    return (party.directory / f"{name}.sig").exists() and (
        party.run("verify", "--key", KEY, name, f"{name}.sig").status == 0
    )


def posted(party: Party, board: str, tmp_path: Path) -> int:
    """How many messages about signing somebody has left on a board."""
    sender = party.public.sign_key.key_id
    with boards.connect(board, tmp_path / "reader") as there:
        found = [data for _, data in there.messages() if b"BEGIN CMS" in data]
    mine = [signed.decode(parsed) for parsed in map(signed.parse, found) if parsed.signer_key_id == sender]
    return sum(isinstance(message, SigningRequest | Commitment | Attempt | Response) for message in mine)


def prepare(party: Party, board: str, count: int = 1) -> None:
    made = party.run("sign", "preprocess", KEY, "--count", str(count), "--board", board)
    assert made.status == 0, made.stderr


def nonces(party: Party) -> int:
    return sum("nonces" in name for name in party.records())


def shares(party: Party) -> int:
    return sum(name.startswith("signing-share.") for name in party.records())


def test_who_is_away_from_the_beginning_is_not_waited_for(people: list[Party], board: str, tmp_path: Path) -> None:
    alice, bob, carol = people
    ask(bob, board)
    joining.take_turns([bob, carol], board, lambda: is_signed(bob))
    assert len(joining.on(board, tmp_path / "reader", Attempt)) == 1
    about = "a signature takes about four of whoever asks"
    assert about in " ".join(walkthrough.PAGES["boards"].read_text().split())
    assert posted(bob, board, tmp_path) == 4
    for party in people:  # alice comes when all is done
        assert "nothing is open" in party.run("status", "--board", board).stdout
    assert "Request" not in joining.look(alice, board).stderr
    assert [nonces(party) for party in people] == [0, 0, 0]


def test_who_goes_away_in_the_middle_is_not_waited_for(people: list[Party], board: str, tmp_path: Path) -> None:
    """Bob is chosen, and never answers: Alice signs again with Carol, with other nonces."""
    alice, bob, carol = people
    ask(alice, board)
    joining.look(bob, board)
    joining.look(alice, board)
    [first] = joining.on(board, tmp_path / "reader", Attempt)
    assert first.signers == (1, 2)
    joining.look(alice, board)
    assert len(joining.on(board, tmp_path / "reader", Response)) == 1
    joining.take_turns([carol, alice], board, lambda: is_signed(alice))
    signers = [attempt.signers for attempt in joining.on(board, tmp_path / "reader", Attempt)]
    assert sorted(signers) == [(1, 2), (1, 3)]
    everything = [each for attempt in joining.on(board, tmp_path / "reader", Attempt) for each in attempt.commitments]
    assert len(everything) == len(set(everything))
    assert "Request" not in joining.look(bob, board).stderr, "it is signed, and nothing is asked of who comes back"


def test_who_signs_a_bad_share_is_named_and_not_waited_for(people: list[Party], board: str, tmp_path: Path) -> None:
    alice, bob, carol = people
    ask(alice, board)
    joining.look(bob, board)
    joining.look(alice, board)
    joining.look(alice, board)
    [answer] = joining.on(board, tmp_path / "reader", Response)
    with bob.holder() as holder, boards.connect(board, tmp_path / "bob") as there:
        there.post(signed.write(replace(answer, shares=(bytes(31) + b"\1",)), holder))
    told = joining.look(alice, board)
    assert "bob signed a signature share that does not verify" in told.stderr
    joining.take_turns([carol, alice], board, lambda: is_signed(alice))
    found = [path.read_bytes() for path in (alice.directory / "home/requests").glob("*/evidence.pem")]
    assert [{each.name for each in evidence.judge(data, things.derive).culprits} for data in found] == [{"bob"}]
    with boards.connect(board, tmp_path / "reader") as there:
        assert {data for _, data in there.messages()}.issuperset(found), "who was away sees it, too"
    assert "note:" not in joining.look(carol, board).stderr


def test_who_answers_something_else_is_not_waited_for(people: list[Party], board: str, tmp_path: Path) -> None:
    """Bob's answer names other commitments than those of the attempt, which shows nothing against anybody."""
    alice, bob, carol = people
    ask(alice, board)
    for party in (bob, alice, alice):
        joining.look(party, board)
    [answer] = joining.on(board, tmp_path / "reader", Response)
    with bob.holder() as holder, boards.connect(board, tmp_path / "bob") as there:
        there.post(signed.write(replace(answer, commitments_hash=bytes(32)), holder))
    joining.take_turns([carol, alice], board, lambda: is_signed(alice))


def test_who_offers_what_somebody_else_offered_takes_nothing_from_them(
    people: list[Party], board: str, tmp_path: Path
) -> None:
    """Bob says Carol's commitments again as his own, is chosen, and never answers: hers are hers still."""
    alice, bob, carol = people
    ask(alice, board)
    joining.look(carol, board)
    [offered] = joining.on(board, tmp_path / "reader", Commitment)
    with bob.holder() as holder, boards.connect(board, tmp_path / "bob") as there:
        there.post(signed.write(offered, holder))
    for _ in range(2):
        joining.look(alice, board)
    assert (1, 2) in [attempt.signers for attempt in joining.on(board, tmp_path / "reader", Attempt)]
    joining.take_turns([carol, alice], board, lambda: is_signed(alice))


def test_nonces_serve_in_one_attempt_whatever_who_asked_says(people: list[Party], board: str, tmp_path: Path) -> None:
    """Alice, who cheats, takes what Bob offered into two attempts."""
    alice, bob, carol = people
    ask(alice, board)
    request = (alice.directory / "m.request.pem").read_bytes()
    for party in (bob, carol):
        joining.look(party, board)
    said = [party.session(request).transcript.sent(Commitment) for party in (bob, carol)]
    his, hers = (each.message for each in said if each is not None)
    at = alice.session(request).id
    with alice.holder() as holder, boards.connect(board, tmp_path / "alice") as there:
        there.post(signed.write(Attempt(at, (2, 3), (*his.commitments, *hers.commitments)), holder))
        there.post(signed.write(Attempt(at, (1, 2), (*hers.commitments, *his.commitments)), holder))
    refused = joining.look(bob, board)
    assert (refused.status, "nonces have been used" in refused.stderr) == (76, True)
    assert len(joining.on(board, tmp_path / "reader", Response)) == 1


def test_attempts_with_pairs_that_nobody_has_fill_no_token(people: list[Party], board: str, tmp_path: Path) -> None:
    """Alice, who cheats, says again and again that pairs of Bob's made ahead serve, which he never made."""
    alice, bob, _ = people
    ask(alice, board)
    at = alice.session((alice.directory / "m.request.pem").read_bytes()).id
    with alice.holder() as holder, boards.connect(board, tmp_path / "alice") as there:
        share = alice.key().unseal(SealedRecords(holder, alice.home))
        for _ in range(12):
            made = [signing.commit(share.signing_share)[1].serialize() for _ in range(2)]
            there.post(signed.write(Attempt(at, (1, 2), tuple(made)), holder))
    told = [joining.look(bob, board) for _ in range(8)]
    assert nonces(bob) <= 1
    assert len(bob.home.names(f"{request_folder(at)}/attempts")) == 9
    assert told[-1].status == 0, told[-1].stderr


def test_who_answers_with_another_offer_has_not_answered(people: list[Party], board: str, tmp_path: Path) -> None:
    """Bob's pair made ahead has served elsewhere, or he says so: what he and Carol began is not over for her."""
    alice, bob, carol = people
    for party in (bob, carol):
        prepare(party, board)
    ask(alice, board)
    with bob.holder() as holder:
        SealedSigner(bob.key(), holder, bob.home).discard_prepared()
    for party in (carol, bob):
        joining.look(party, board)
    assert len(joining.on(board, tmp_path / "reader", Response)) == 1
    assert "signature" in carol.run("status", "--board", board).stdout
    joining.take_turns(people, board, lambda: is_signed(alice))


def test_after_a_refresh_the_old_share_goes_with_the_first_attempt(people: list[Party], board: str) -> None:
    alice, bob, _ = people
    upkeep.refresh(people)
    assert shares(alice) == 2
    ask(alice, board)
    joining.take_turns([bob, alice], board, lambda: is_signed(alice))
    assert shares(alice) == 1


def test_after_a_refresh_the_old_share_goes_too_where_all_sign_with_nonces_made_ahead(
    people: list[Party], board: str
) -> None:
    alice, bob, carol = people
    upkeep.refresh(people)
    for party in (bob, carol):
        prepare(party, board, 2)
    for name, left in (("first", 2), ("second", 1)):
        ask(alice, board, name=name)
        for party in (bob, carol, alice):
            joining.look(party, board)
        assert is_signed(alice, name)
        for party in (alice, bob):  # he sees the signature, too
            joining.look(party, board)
        assert shares(bob) == left


def test_a_request_of_one_who_does_not_sign_and_many_files(people: list[Party], board: str) -> None:
    alice, bob, carol = people
    for name in ("a", "b"):
        (carol.directory / name).write_text(name)
    asked = carol.run("sign", "request", KEY, "a", "b", "--any-of", "alice,bob", "--board", board)
    assert asked.status == 0, asked.stderr
    assert "signers  alice, bob (2 of 3 needed)" in asked.stdout, "all of them are needed"
    joining.take_turns([alice, bob, carol], board, lambda: is_signed(carol, "a") and is_signed(carol, "b"))


def test_nonces_made_ahead_are_taken_up(people: list[Party], board: str, tmp_path: Path) -> None:
    alice, bob, carol = people
    prepare(bob, board)
    prepare(carol, board, 2)
    ask(alice, board)
    for party in (bob, carol):  # one visit each
        joining.look(party, board)
    joining.look(alice, board)
    assert is_signed(alice)
    assert [nonces(party) for party in people] == [0, 0, 1]
    ask(alice, board, name="again")  # bob has none left
    assert len(joining.on(board, tmp_path / "reader", Attempt)) == 1
    joining.take_turns(people, board, lambda: is_signed(alice, "again"))


def test_who_was_not_chosen_is_asked_only_if_the_attempt_hangs(
    people: list[Party], board: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob, carol = people
    for party in (bob, carol):
        prepare(party, board)
    monkeypatch.setattr(attempts, "PATIENCE", 3600.0)
    ask(alice, board)
    assert "Request" not in joining.look(alice, board).stderr
    assert joining.on(board, tmp_path / "reader", Commitment) == []
    joining.look(bob, board)
    monkeypatch.setattr(attempts, "PATIENCE", 0.0)  # for Carol, who does not come
    joining.take_turns([alice, bob], board, lambda: is_signed(alice))
    assert sorted(attempt.signers for attempt in joining.on(board, tmp_path / "reader", Attempt)) == [(1, 2), (2, 3)]


def test_nonces_made_ahead_of_who_is_away_block_nobody(people: list[Party], board: str, tmp_path: Path) -> None:
    alice, bob, carol = people
    prepare(bob, board)
    prepare(carol, board)
    ask(alice, board)
    joining.look(bob, board)
    joining.take_turns([alice, bob], board, lambda: is_signed(alice))
    assert sorted(attempt.signers for attempt in joining.on(board, tmp_path / "reader", Attempt)) == [(1, 2), (2, 3)]


def test_two_who_take_the_same_nonces_both_have_their_signature(people: list[Party], board: str) -> None:
    alice, bob, carol = people
    for party in (bob, carol):
        prepare(party, board)
    folder = Path(board.removeprefix("dir:"))
    before = set(folder.iterdir())
    ask(alice, board)
    asked = {path: path.read_bytes() for path in set(folder.iterdir()) - before}
    for path in asked:  # on its way yet when Carol asks
        path.unlink()
    ask(carol, board, name="other")
    for path, data in asked.items():
        path.write_bytes(data)
    joining.take_turns(people, board, lambda: is_signed(alice) and is_signed(carol, "other"))


def test_of_named_signers_nonces_made_ahead_are_taken_up_too(people: list[Party], board: str) -> None:
    alice, bob, carol = people
    for party in (bob, carol):
        prepare(party, board)
    ask(alice, board, "--signers", "bob,carol")
    for party in (bob, carol, alice):
        joining.look(party, board)
    assert is_signed(alice)


def test_two_who_will_not_sign_end_it(people: list[Party], board: str) -> None:
    alice, bob, carol = people
    request = ask(alice, board)
    assert bob.run("sign", "abort", request[:8], "--board", board).status == 0
    assert joining.look(alice, board).status == 75, "alice and carol are enough"
    assert carol.run("sign", "abort", request[:8], "--board", board).status == 0
    told = joining.look(alice, board)
    assert (told.status, "bob and carol will not sign" in told.stderr) == (76, True)


def test_files_are_for_requests_that_all_answer(people: list[Party], board: str) -> None:
    alice, _, _ = people
    ask(alice, board)
    for step in (("commit",), ("respond", "--in", "."), ("check", "--in", "."), ("aggregate", "--in", ".")):
        ran = alice.run("sign", step[0], "m.request.pem", *step[1:])
        assert (ran.status, "over a board" in ran.stderr) == (2, True), ran.stderr
    assert alice.run("sign", "request", KEY, "m", "--any-of", "alice,bob", "-o", "n").status == 2


def test_a_bad_share_in_one_attempt_spoils_no_other_that_is_complete(
    people: list[Party], board: str, tmp_path: Path
) -> None:
    """Bob's comes when Carol and Alice have signed without him, and before she looks, whichever she looks at first."""
    alice, bob, carol = people
    orders: set[bool] = set()
    for number in range(20):
        ask(alice, board, name=f"m{number}")
        for party in (bob, alice, alice):
            joining.look(party, board)
        request = alice.session((alice.directory / f"m{number}.request.pem").read_bytes())
        folder = f"{request_folder(request.id)}/attempts"
        [first] = alice.home.names(folder)
        answer = next(each for each in joining.on(board, tmp_path / "reader", Response) if each.request.hex() == first)
        for party in (carol, alice, carol):
            joining.look(party, board)
        [second] = {*alice.home.names(folder)} - {first}
        with bob.holder() as holder, boards.connect(board, tmp_path / "bob") as there:
            there.post(signed.write(replace(answer, shares=(bytes(31) + b"\1",)), holder))
        told = joining.look(alice, board)
        assert is_signed(alice, f"m{number}"), told.stderr
        orders.add(first < second)
        if len(orders) == 2:
            break
    assert orders == {False, True}


def test_who_ends_it_keeps_no_nonces_of_an_attempt(people: list[Party], board: str) -> None:
    """Bob's pair made ahead has served elsewhere, so he has offered another in the attempt; then he will not sign."""
    alice, bob, carol = people
    for party in (bob, carol):
        prepare(party, board)
    request = ask(alice, board)
    with bob.holder() as holder:
        SealedSigner(bob.key(), holder, bob.home).discard_prepared()
    joining.look(bob, board)
    assert nonces(bob) == 1
    assert bob.run("sign", "abort", request[:8], "--board", board).status == 0
    assert nonces(bob) == 0
