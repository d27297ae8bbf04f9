"""``nats:`` boards: the kit on a real server, being let in, servers that go away, a leader that is killed."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import nats
import nkeys
import pytest
from stage import certificates, nats_server
from stage.nats_server import NatsServer

from frost_hsm import boards
from frost_hsm.boards import name_of
from frost_hsm.errors import BoardProblem, BoardUnreachable, NotPossible, UsageProblem
from frost_hsm.testing import BoardConformance

NUMBERS = count()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with nats_server.running(tmp_path_factory.mktemp("nats")) as server:
        yield server


@pytest.fixture
def stream() -> str:
    return f"STREAM{next(NUMBERS)}"


@pytest.fixture
def uri(server: NatsServer, stream: str) -> str:
    return f"nats://{server.host}/{stream}"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("frost_hsm.boards.nats._PATIENCE", 1.0)
    monkeypatch.setattr("frost_hsm.boards.nats._ANSWER", 0.7)


def connect(uri: str) -> boards.Board:
    return boards.connect(uri, Path("/nonexistent"))


def given(board: boards.Board) -> list[bytes]:
    return sorted(data for _, data in board.messages())


def by_hand(server: NatsServer, work: Callable[[Any], Awaitable[None]]) -> None:
    """Do something to a server with JetStream as anybody could."""

    async def do() -> None:
        client = await nats.connect(f"nats://{server.host}")
        try:
            await work(client.jetstream())
        finally:
            await client.close()

    asyncio.run(do())


class TestNatsBoard(BoardConformance):
    @pytest.fixture
    def uri(self, server: NatsServer, stream: str) -> str:
        return f"nats://{server.host}/{stream}"

    @pytest.fixture
    def litter(self, server: NatsServer, stream: str) -> Callable[[], int]:
        async def litter(jetstream: Any) -> None:
            await jetstream.update_stream(name=stream, subjects=[f"{stream}.>"])
            subject = f"{stream}.messages"
            await jetstream.publish(subject, b"without an id")
            await jetstream.publish(subject, b"", headers={"Nats-Msg-Id": name_of(b"")})
            await jetstream.publish(subject, b"forged", headers={"Nats-Msg-Id": name_of(b"another")})
            await jetstream.publish(f"{stream}.other", b"o", headers={"Nats-Msg-Id": name_of(b"o")})
            deleted = await jetstream.publish(subject, b"d", headers={"Nats-Msg-Id": name_of(b"d")})
            await jetstream.delete_msg(stream, deleted.seq)

        return lambda: by_hand(server, litter) or 4


def test_the_stream_is_made_by_the_first_message(server: NatsServer, stream: str, uri: str) -> None:
    async def look(jetstream: Any) -> None:
        info = await jetstream.stream_info(stream)
        assert info.config.subjects == [f"{stream}.messages", f"{stream}.messages.*"]
        assert info.state.messages == 1

    with connect(uri) as alice, connect(uri) as bob:
        assert given(alice) == []
        assert not alice.wait(0)
        alice.post(b"one")
        assert bob.wait(0)
        bob.post(b"one")  # the server knows that it has it
        bob.post(b"one")
        assert given(bob) == [b"one"]
    by_hand(server, look)


def test_a_stream_that_somebody_made_is_used_as_it_is(server: NatsServer, stream: str) -> None:
    async def make(jetstream: Any) -> None:
        await jetstream.add_stream(name=stream, subjects=[f"keys.{stream}.>"], max_msg_size=1000)

    by_hand(server, make)
    with connect(f"nats://{server.host}/{stream}?subject=keys.{stream}.board") as board:
        board.post(b"one")
        assert given(board) == [b"one"]
        with pytest.raises(NotPossible, match="this board takes"):
            board.post(b"x" * 1000)
        board.post(b"two", {"alice": b"three"})
        assert given(board) == [b"one", b"two"]


def test_a_stream_without_room_for_what_is_for_one_says_so(server: NatsServer, stream: str, uri: str) -> None:
    async def make(jetstream: Any) -> None:
        await jetstream.add_stream(name=stream, subjects=[f"{stream}.messages"])

    by_hand(server, make)
    with connect(uri) as board:
        board.post(b"one")
        with pytest.raises(BoardProblem, match="what is for one reader") as caught:
            board.post(b"two", {"alice": b"three"})
        assert f"{stream}.messages.*" in str(caught.value.hint)
        assert given(board) == [b"one"]


def test_nobody_hides_a_message_under_a_label_of_theirs(server: NatsServer, stream: str, uri: str) -> None:
    """Somebody who has it already publishes it where nobody reads, under the id by which the server drops it after."""

    async def hide(jetstream: Any) -> None:
        for nobody, message_id in (("x", name_of(b"one")), ("y", f"{name_of(b'two')}bob")):
            data = b"one" if nobody == "x" else b"two"
            await jetstream.publish(f"{stream}.messages.{nobody}", data, headers={"Nats-Msg-Id": message_id})

    with connect(uri) as alice, boards.connect(uri, Path("/nowhere"), "bob") as bob:
        alice.post(b"begun")
        by_hand(server, hide)
        for _ in range(2):
            alice.post(b"one", {"bob": b"two"})
        assert given(bob) == [b"begun", b"one", b"two"]


def test_what_was_lost_can_be_posted_again(server: NatsServer, stream: str, uri: str) -> None:
    """Within the time, too, for which the server drops what was published before."""

    async def purge(jetstream: Any) -> None:
        await jetstream.purge_stream(stream)

    with connect(uri) as alice, connect(uri) as bob:
        alice.post(b"one")
        assert given(bob) == [b"one"]
        by_hand(server, purge)
        assert given(bob) == []
        alice.post(b"one")
        assert given(bob) == [b"one"]
    with connect(uri) as carol:
        by_hand(server, purge)
        carol.post(b"one")
        assert given(carol) == [b"one"]


def test_a_stream_that_was_made_anew(server: NatsServer, stream: str, uri: str) -> None:
    async def delete(jetstream: Any) -> None:
        await jetstream.delete_stream(stream)

    with connect(uri) as alice, connect(uri) as bob:
        for number in range(3):
            alice.post(b"%d" % number)
        cursor = [cursor for cursor, _ in bob.messages()][-1]
        by_hand(server, delete)
        assert given(bob) == []
        assert not bob.wait(0)
        for number in range(5):
            alice.post(b"new %d" % number)
        assert bob.wait(0)
        assert sorted(data for _, data in bob.messages(cursor)) == [b"new %d" % number for number in range(5)]


def test_more_than_fits_at_once(uri: str) -> None:
    with connect(uri) as alice, connect(uri) as bob:
        sent = [b"%d" % number for number in range(150)]
        for data in sent:
            alice.post(data)
        assert given(bob) == sorted(sent)


def test_too_many_messages_are_said_and_not_read(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with connect(uri) as board:
        for number in range(4):
            board.post(b"%d" % number)
        monkeypatch.setattr("frost_hsm.boards.nats.MAX_MESSAGES", 3)
        with pytest.raises(BoardProblem, match="more than 3 messages"):
            given(board)


# ── Being let in ──


_TURNED_AWAY = "uthorization|reset by peer"
"""What is said of a server that lets nobody in: its reason, unless it hung up before that was read."""


@pytest.mark.usefixtures("impatient")
def test_nkeys(tmp_path: Path) -> None:
    user = nkeys.from_seed(nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER))
    (tmp_path / "alice.nk").write_bytes(user.seed)
    users = f"authorization {{ users: [{{ nkey: {user.public_key.decode()} }}] }}"
    with nats_server.running(tmp_path, users) as server:
        with connect(f"nats://{server.host}/FROST?nkey={tmp_path / 'alice.nk'}") as board:
            board.post(b"one")
            assert given(board) == [b"one"]
        with pytest.raises(BoardProblem, match=_TURNED_AWAY):
            connect(f"nats://{server.host}/FROST")


@pytest.mark.usefixtures("impatient")
def test_credentials(tmp_path: Path) -> None:
    operator, account, user = (
        nkeys.from_seed(nkeys.encode_seed(os.urandom(32), prefix))
        for prefix in (nkeys.PREFIX_BYTE_OPERATOR, nkeys.PREFIX_BYTE_ACCOUNT, nkeys.PREFIX_BYTE_USER)
    )
    limits = {"mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1, "conn": -1, "subs": -1}
    limits |= {"data": -1, "payload": -1, "exports": -1, "imports": -1, "wildcards": True}
    account_jwt = _jwt(operator, account, {"type": "account", "limits": limits})
    user_jwt = _jwt(account, user, {"type": "user", "subs": -1, "data": -1, "payload": -1, "pub": {}, "sub": {}})
    operator_jwt = _jwt(operator, operator, {"type": "operator"})
    system = nkeys.from_seed(nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_ACCOUNT))
    system_jwt = _jwt(operator, system, {"type": "account", "limits": limits | {"mem_storage": 0, "disk_storage": 0}})
    (tmp_path / "alice.creds").write_text(
        f"-----BEGIN NATS USER JWT-----\n{user_jwt}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{user.seed.decode()}\n------END USER NKEY SEED------\n"
    )
    configuration = (
        f"operator: {operator_jwt}\nresolver: MEMORY\nsystem_account: {system.public_key.decode()}\n"
        f"resolver_preload {{\n{account.public_key.decode()}: {account_jwt}\n"
        f"{system.public_key.decode()}: {system_jwt}\n}}"
    )
    with nats_server.running(tmp_path, configuration) as server:
        with connect(f"nats://{server.host}/FROST?creds={tmp_path / 'alice.creds'}") as board:
            board.post(b"one")
            assert given(board) == [b"one"]
        with pytest.raises(BoardProblem, match=_TURNED_AWAY):
            connect(f"nats://{server.host}/FROST")


def _jwt(issuer: Any, subject: Any, claims: dict[str, object]) -> str:
    """A token as nsc signs it."""

    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    head = part(json.dumps({"typ": "JWT", "alg": "ed25519-nkey"}).encode())
    names = {"iss": issuer.public_key.decode(), "sub": subject.public_key.decode(), "jti": "x", "iat": 1}
    body = part(json.dumps({**names, "name": "test", "nats": {"version": 2, **claims}}).encode())
    return f"{head}.{body}.{part(issuer.sign(f'{head}.{body}'.encode()))}"


@pytest.mark.usefixtures("impatient")
def test_tls(tmp_path: Path) -> None:
    """A server is known by a certificate of the authority named, and may want one of the person."""
    authority = certificates.Authority("board", tmp_path)
    certificate, key = authority.issue("127.0.0.1")
    mine, my_key = authority.issue("alice")
    configuration = (
        f'tls {{ cert_file: "{certificate}", key_file: "{key}", ca_file: "{authority.path}", verify: true }}'
    )
    with nats_server.running(tmp_path, configuration) as server:
        with connect(f"tls://{server.host}/FROST?ca={authority.path}&cert={mine}&key={my_key}") as board:
            board.post(b"one")
            assert given(board) == [b"one"]
        for without in (f"?ca={authority.path}", f"?cert={mine}&key={my_key}"):
            with pytest.raises(BoardProblem):
                connect(f"tls://{server.host}/FROST{without}")


def test_tls_is_not_left_out(server: NatsServer) -> None:
    with pytest.raises(BoardProblem, match="does not answer with TLS"):
        connect(f"tls://{server.host}/FROST")


@pytest.mark.parametrize(
    "rest",
    [
        "",
        "//",
        "//127.0.0.1",
        "//127.0.0.1/",
        "///FROST",
        "127.0.0.1/FROST",
        "//127.0.0.1/FR OST",
        "//127.0.0.1/FROST.x",
        "//127.0.0.1/A/B",
        "//alice:secret@127.0.0.1/FROST",
        "//secret@127.0.0.1/FROST",
        "//127.0.0.1/FROST?creds=/nonexistent/file",
        "//127.0.0.1/FROST?password=secret",
        "//127.0.0.1/FROST?replicas=three",
        "//127.0.0.1/FROST?x",
    ],
)
def test_uris_that_are_none(rest: str) -> None:
    with pytest.raises(UsageProblem) as caught:
        connect(f"nats:{rest}")
    assert "secret" not in f"{caught.value} {caught.value.hint}"


@pytest.mark.usefixtures("impatient")
def test_nobody_is_there() -> None:
    with pytest.raises(BoardUnreachable, match="does not answer"):
        connect("nats://127.0.0.1:9/FROST")


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "frost_hsm.boards.nats", raising=False)
    monkeypatch.setitem(sys.modules, "nats.errors", None)
    with pytest.raises(BoardProblem, match="nats-py") as caught:
        connect("nats://127.0.0.1/FROST")
    assert "frost-hsm[nats]" in str(caught.value.hint)


# ── Servers that come and go ──


def test_a_server_that_was_killed_and_comes_back(tmp_path: Path) -> None:
    with nats_server.running(tmp_path) as server, connect(f"nats://{server.host}/FROST") as board:
        board.post(b"one")
        assert given(board) == [b"one"]
        server.kill()
        back = threading.Timer(1.0, server.start)
        back.start()
        board.post(b"two")  # waits until it is back
        back.join()
        assert given(board) == [b"one", b"two"]


@pytest.mark.usefixtures("impatient")
def test_a_server_that_stays_away(tmp_path: Path) -> None:
    with nats_server.running(tmp_path) as server, connect(f"nats://{server.host}/FROST") as board:
        board.post(b"one")
        server.kill()
        for operation in (lambda: board.post(b"two"), lambda: given(board), lambda: board.wait(0)):
            with pytest.raises(BoardUnreachable):
                operation()
