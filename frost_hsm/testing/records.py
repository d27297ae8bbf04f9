"""Records, and everything at once."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from frost_hsm.backends import Backend, Capability, KeyKind, Token
from frost_hsm.errors import KeyExists, KeyNotFound
from frost_hsm.testing.actors import THREADS, PinSourceSpy, at_once, delete_in_turn
from frost_hsm.testing.fixtures import BackendFixtures, needs
from frost_hsm.testing.judge import curve_key, point_of, verify

PROCESSES = 3


class RecordTests(BackendFixtures):
    """Tests of what a `Token` does with records, also while other threads use its keys."""

    @pytest.fixture
    def records(self, token: Token) -> Token:
        """The token, if it holds records."""
        needs(token, Capability.DATA)
        return token

    def test_records_are_kept(self, backend: Backend, uri: str, pin: str, records: Token) -> None:
        """What `Token.write_record` creates, `Token.read_record` gives, also after the next open."""
        written = {
            "a": b"\0",
            "ab": bytes(range(256)),
            "ключ/ü 🔑;%20": os.urandom(57),
            "x" * 255: os.urandom(1000),
            "large": os.urandom(1 << 17),
        }
        for name, value in written.items():
            records.write_record(name, value)
        assert {name: records.read_record(name) for name in written} == written
        with backend.open(uri, PinSourceSpy(pin)) as again:
            assert sorted(again.record_names()) == sorted(written)
            assert {name: again.read_record(name) for name in written} == written

    def test_records_are_listed_by_how_they_begin(self, records: Token) -> None:
        """`Token.record_names` gives those that begin so, and no others."""
        names = ["share.1", "share.2", "shared.1", "share", "nonces.1.a", "nonces.2.b", "nonces.1.c"]
        for name in names:
            records.write_record(name, b"value")
        for beginning in ("", "share", "share.", "nonces.", "nonces.1.", "nothing.", "nonces.1.c"):
            expected = [name for name in names if name.startswith(beginning)]
            assert sorted(records.record_names(beginning)) == sorted(expected)
        assert {records.read_record(name) for name in names} == {b"value"}

    def test_records_are_never_overwritten(self, records: Token) -> None:
        """`Token.write_record` raises `KeyExists` if the name is taken."""
        records.write_record("name", b"first")
        for value in (b"first", b"second"):
            with pytest.raises(KeyExists):
                records.write_record("name", value)
        assert records.read_record("name") == b"first"
        assert records.record_names() == ["name"]

    def test_deleted_records_are_gone(self, records: Token) -> None:
        """After `Token.delete_record` nothing finds the record; the name is free again."""
        records.write_record("name", b"first")
        records.write_record("other", b"other")
        records.delete_record("name")
        for operation in (records.read_record, records.delete_record):
            with pytest.raises(KeyNotFound) as caught:
                operation("name")
            assert "name" in str(caught.value)
        assert records.record_names() == ["other"]
        records.write_record("name", b"second")
        assert records.read_record("name") == b"second"

    def test_one_of_many_deletes_a_record(self, records: Token) -> None:
        """Of those who delete at once, one succeeds."""
        for number in range(5):
            name = f"record {number}"
            records.write_record(name, b"value")
            outcomes = at_once(lambda: records.delete_record(name))  # noqa: B023
            assert outcomes.count(None) == 1
            assert all(outcome is None or isinstance(outcome, KeyNotFound) for outcome in outcomes)
        assert records.record_names() == []

    def test_one_of_many_processes_deletes_a_record(
        self, backend: Backend, settings: Mapping[str, str], uri: str, pin: str, records: Token
    ) -> None:
        """Of processes that delete a record at once, exactly one succeeds: that is how nonces serve once."""
        names = [f"record {number}" for number in range(12)]
        for name in names:
            records.write_record(name, b"value")
        context = multiprocessing.get_context("spawn")
        start, results = context.Barrier(PROCESSES), context.Queue()
        arguments = (type(backend), dict(settings), uri, pin, names, start, results)
        processes = [context.Process(target=delete_in_turn, args=arguments) for _ in range(PROCESSES)]
        for process in processes:
            process.start()
        outcomes = [results.get(timeout=60) for _ in range(PROCESSES * len(names))]
        for process in processes:
            process.join(60)
        expected = {(name, "deleted"): 1 for name in names} | {(name, "KeyNotFound"): PROCESSES - 1 for name in names}
        assert Counter(outcomes) == expected
        assert records.record_names() == []

    def test_one_of_many_writes_a_record(self, records: Token) -> None:
        """Of those who write at once, one succeeds."""
        for number in range(5):
            name = f"record {number}"
            outcomes = at_once(lambda: records.write_record(name, os.urandom(8)))  # noqa: B023
            assert outcomes.count(None) == 1
            assert all(outcome is None or isinstance(outcome, KeyExists) for outcome in outcomes)
            assert len(records.read_record(name)) == 8

    def test_many_threads_use_one_token(self, token: Token) -> None:
        """Every method can be called from several threads, with results that do not mix."""
        needs(token, Capability.GENERATE, Capability.SIGN, Capability.AGREE, Capability.DATA)
        sign_id, agree_id = os.urandom(16), os.urandom(16)
        signer = curve_key(token.generate(KeyKind.SIGN, sign_id, "sign"))
        agreer = curve_key(token.generate(KeyKind.AGREE, agree_id, "agree"))

        def work(number: int) -> None:
            for step in range(4):
                name, value = f"{number}/{step}", os.urandom(40)
                token.write_record(name, value)
                digest = hashlib.sha256(value).digest()
                verify(signer, token.sign(sign_id, digest), digest)
                peer = ec.generate_private_key(ec.SECP256R1())
                with token.agree(agree_id, point_of(peer)) as agreed, agreed.reveal() as view:
                    assert bytes(view) == peer.exchange(ec.ECDH(), agreer)
                assert token.read_record(name) == value
                token.delete_record(name)

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(work, range(THREADS)))
        assert token.record_names() == []
