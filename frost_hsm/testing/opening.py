"""Finding, opening and closing tokens, and what the PIN is asked for."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from frost_hsm.backends import Backend, Capability, KeyKind, PinState, Token
from frost_hsm.errors import Aborted, NotPossible, PinIncorrect, PinUnusable, TokenNotFound
from frost_hsm.forms.oaep import OaepHash
from frost_hsm.testing.actors import THREADS, PinSourceSpy, at_once
from frost_hsm.testing.fixtures import BackendFixtures, needs
from frost_hsm.testing.judge import new_certificate, point_of

NEEDS_LOGIN: dict[str, Callable[[Token], object]] = {
    "generate": lambda token: token.generate(KeyKind.SIGN, bytes(16), "key"),
    "keys": lambda token: token.keys(),
    "sign": lambda token: token.sign(bytes(16), bytes(32)),
    "agree": lambda token: token.agree(bytes(16), point_of(ec.generate_private_key(ec.SECP256R1()))),
    "decrypt": lambda token: token.decrypt(bytes(16), bytes(384), OaepHash.SHA1),
    "store_certificate": lambda token: token.store_certificate(bytes(16), "label", new_certificate()),
    "delete_key": lambda token: token.delete_key(bytes(16)),
    "record_names": lambda token: token.record_names(),
    "write_record": lambda token: token.write_record("name", b"value"),
    "read_record": lambda token: token.read_record("name"),
    "delete_record": lambda token: token.delete_record("name"),
}


class OpeningTests(BackendFixtures):
    """Tests of `Backend`, and of `Token` before a login and after the end."""

    def test_describe_and_tokens_need_no_pin(self, backend: Backend, uri: str) -> None:
        """`Backend.describe` gives lines; `Backend.tokens` gives tokens whose URIs select one each."""
        lines = backend.describe()
        assert lines
        assert all(line and "\n" not in line for _, line in lines)
        listed = [info for info in backend.tokens() if info.initialised]
        assert len({info.uri for info in listed}) == len(listed)
        for info in listed:
            with backend.open(info.uri, None) as token:
                assert (token.info.label, token.info.serial) == (info.label, info.serial)

    def test_info_selects_exactly_this_token_again(self, backend: Backend, uri: str, token: Token) -> None:
        """`TokenInfo.uri` selects the token; another token is none of it."""
        assert isinstance(token, Token)
        assert token.info.initialised
        assert token.info.pin_state is PinState.OK
        with backend.open(token.info.uri, None) as again:
            assert (again.info.label, again.info.serial, again.info.uri) == (
                token.info.label,
                token.info.serial,
                token.info.uri,
            )

    def test_missing_token_is_not_found_and_no_pin_is_asked(self, backend: Backend, missing_uri: str) -> None:
        """`Backend.open` raises `TokenNotFound` before it asks."""
        source = PinSourceSpy("never asked")
        with pytest.raises(TokenNotFound):
            backend.open(missing_uri, source)
        assert source.calls == []

    def test_pin_is_asked_once(self, backend: Backend, uri: str, pin: str) -> None:
        """A `PinSource` is called at most once an open, and not again by what is done then."""
        source = PinSourceSpy(pin)
        with backend.open(uri, source) as token:
            token.keys()
            if Capability.GENERATE in token.capabilities:
                token.generate(KeyKind.SIGN, os.urandom(16), "key")
            token.certificates()
        assert len(source.calls) == 1
        assert source.calls[0].serial == token.info.serial

    def test_wrong_pin_is_tried_once(self, backend: Backend, uri: str, pin: str, wrong_pin: str) -> None:
        """A PIN is tried once and never again; the right one opens the token afterwards."""
        source = PinSourceSpy(wrong_pin)
        with pytest.raises(PinIncorrect) as caught:
            backend.open(uri, source)
        assert len(source.calls) == 1
        assert wrong_pin not in explanation(caught.value)
        with backend.open(uri, PinSourceSpy(pin)) as token:
            assert token.keys() == []

    def test_empty_pin_is_not_tried(self, backend: Backend, uri: str, pin: str) -> None:
        """An empty PIN raises `PinUnusable` and does not count against the token."""
        with pytest.raises(PinUnusable):
            backend.open(uri, PinSourceSpy(""))
        with backend.open(uri, PinSourceSpy(pin)) as token:
            assert token.info.pin_state is PinState.OK

    def test_what_a_pin_source_raises_comes_out(self, backend: Backend, uri: str, pin: str) -> None:
        """Somebody may say no; the token can be opened afterwards."""
        with pytest.raises(Aborted):
            backend.open(uri, PinSourceSpy(Aborted("no")))
        backend.open(uri, PinSourceSpy(pin)).close()

    @pytest.mark.parametrize("operation", NEEDS_LOGIN)
    def test_without_login(self, backend: Backend, uri: str, operation: str) -> None:
        """A token opened without a PIN source raises `PinUnusable` for what needs a login."""
        with backend.open(uri, None) as token:
            assert token.certificates() == []
            with pytest.raises(PinUnusable):
                NEEDS_LOGIN[operation](token)

    @pytest.mark.parametrize("operation", NEEDS_LOGIN)
    def test_after_close(self, backend: Backend, uri: str, pin: str, operation: str) -> None:
        """Closing twice is fine; after it every method raises `NotPossible`."""
        token = backend.open(uri, PinSourceSpy(pin))
        token.close()
        token.close()
        with pytest.raises(NotPossible):
            NEEDS_LOGIN[operation](token)
        with pytest.raises(NotPossible):
            token.certificates()

    def test_two_opens_of_one_token(self, backend: Backend, uri: str, pin: str) -> None:
        """Both work, see the same, and closing one leaves the other."""
        first = backend.open(uri, PinSourceSpy(pin))
        second = backend.open(uri, PinSourceSpy(pin))
        needs(first, Capability.GENERATE, Capability.SIGN)
        key_id = os.urandom(16)
        first.generate(KeyKind.SIGN, key_id, "key")
        first.close()
        assert [key.id for key in second.keys()] == [key_id]
        with backend.open(uri, None) as third:
            assert third.certificates() == []
        assert len(second.sign(key_id, bytes(32))) == 64
        second.close()

    def test_many_threads_open_and_close(self, backend: Backend, uri: str, pin: str) -> None:
        """Opens of one token do not disturb each other."""

        def work() -> None:
            for _ in range(3):
                with backend.open(uri, PinSourceSpy(pin)) as token:
                    assert token.keys() == []

        assert at_once(work) == [None] * THREADS


def explanation(error: BaseException) -> str:
    """Return all that a traceback of the error would say of its messages."""
    chain = []
    current: BaseException | None = error
    while current is not None:
        chain.append(f"{current!r} {getattr(current, 'hint', '')}")
        current = current.__cause__ or current.__context__
    return "\n".join(chain)
