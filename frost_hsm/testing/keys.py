"""Keys and their certificates."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from frost_hsm.backends import Backend, Capability, KeyKind, StoredCertificate, Token
from frost_hsm.errors import KeyExists, KeyNotFound, NotPossible, SealBroken
from frost_hsm.forms.oaep import OaepHash
from frost_hsm.secret import Secret
from frost_hsm.testing.actors import PinSourceSpy
from frost_hsm.testing.fixtures import BackendFixtures, needs
from frost_hsm.testing.judge import curve_key, new_certificate, point_of, verify


class KeyTests(BackendFixtures):
    """Tests of what a `Token` does with keys and certificates."""

    def test_keys_are_made_inside_and_stay(self, backend: Backend, uri: str, pin: str, token: Token) -> None:
        """`Token.generate` makes keys with one purpose that stay inside, also after the next open."""
        made = {}
        for kind in (KeyKind.SIGN, KeyKind.AGREE):
            needs(token, Capability.GENERATE, Capability(kind.value))
            key_id = os.urandom(16)
            made[key_id] = (kind, f"a {kind} key", token.generate(kind, key_id, f"a {kind} key"))
        with backend.open(uri, PinSourceSpy(pin)) as again:
            listed = again.keys()
        assert {key.id: (key.kind, key.label, key.public_key) for key in listed} == made
        assert all(key.attributes.is_confined for key in listed)

    def test_signatures_verify(self, token: Token) -> None:
        """`Token.sign` makes ECDSA signatures r ‖ s that verify, by another implementation."""
        needs(token, Capability.GENERATE, Capability.SIGN)
        key_id = os.urandom(16)
        public = curve_key(token.generate(KeyKind.SIGN, key_id, "key"))
        for text in (b"", b"one", b"two"):
            digest = hashlib.sha256(text).digest()
            verify(public, token.sign(key_id, digest), digest)
        with pytest.raises(InvalidSignature):
            verify(public, token.sign(key_id, digest), bytes(32))

    def test_agreement_is_ecdh(self, token: Token) -> None:
        """`Token.agree` gives the x coordinate, 32 bytes also when it begins with a zero."""
        needs(token, Capability.GENERATE, Capability.AGREE)
        key_id = os.urandom(16)
        public = curve_key(token.generate(KeyKind.AGREE, key_id, "key"))
        seen: set[bool] = set()
        while len(seen) < 2:  # one beginning with zero among about 256
            peer = ec.generate_private_key(ec.SECP256R1())
            expected = peer.exchange(ec.ECDH(), public)
            if (expected[0] == 0) in seen:
                continue
            seen.add(expected[0] == 0)
            with token.agree(key_id, point_of(peer)) as agreed, agreed.reveal() as view:
                assert isinstance(agreed, Secret)
                assert bytes(view) == expected

    def test_points_off_the_curve_are_refused(self, token: Token) -> None:
        """A point off the curve raises `NotPossible`, and does no harm to the token."""
        needs(token, Capability.GENERATE, Capability.AGREE)
        key_id = os.urandom(16)
        own = token.generate(KeyKind.AGREE, key_id, "key")[-65:]
        flipped = own[:-1] + bytes([own[-1] ^ 1])
        for bad in (
            b"",
            bytes(65),
            own[:-1],
            own + b"\0",
            b"\x02" + own[1:],
            flipped,
            b"\x04" + b"\xff" * 64,
        ):
            with pytest.raises(NotPossible):
                token.agree(key_id, bad)
        assert len(token.agree(key_id, own)) == 32

    def test_decryption(self, token: Token) -> None:
        """`Token.decrypt` opens RSA-OAEP of `Token.oaep_hashes`; whatever else raises `SealBroken`."""
        if Capability.DECRYPT not in token.capabilities:
            assert not token.oaep_hashes()
        needs(token, Capability.GENERATE, Capability.DECRYPT)
        key_id = os.urandom(16)
        encoded = token.generate(KeyKind.DECRYPT, key_id, "key")
        public = serialization.load_der_public_key(encoded)
        assert isinstance(public, rsa.RSAPublicKey)
        assert public.key_size == 3072
        assert token.oaep_hashes()
        for oaep_hash in token.oaep_hashes():
            algorithm = hashes.SHA256() if oaep_hash is OaepHash.SHA256 else hashes.SHA1()
            ciphertext = public.encrypt(b"secret", padding.OAEP(padding.MGF1(algorithm), algorithm, None))
            with token.decrypt(key_id, ciphertext, oaep_hash) as opened, opened.reveal() as view:
                assert bytes(view) == b"secret"
            altered = bytes([ciphertext[0] ^ 1]) + ciphertext[1:]
            for bad in (altered, b"", ciphertext[:-1], ciphertext + b"\0", b"\xff" * 384):
                with pytest.raises(SealBroken):
                    token.decrypt(key_id, bad, oaep_hash)
            assert len(token.decrypt(key_id, ciphertext, oaep_hash)) == 6
        assert [key.public_key for key in token.keys()] == [encoded]

    def test_a_key_has_one_use(self, token: Token) -> None:
        """No key, or one that the token does not use so, raises `KeyNotFound`; some agree with any key of the curve."""
        needs(token, Capability.GENERATE, Capability.SIGN, Capability.AGREE)
        sign_id, agree_id = os.urandom(16), os.urandom(16)
        point = token.generate(KeyKind.SIGN, sign_id, "sign")[-65:]
        token.generate(KeyKind.AGREE, agree_id, "agree")
        for key_id in (agree_id, os.urandom(16)):
            with pytest.raises(KeyNotFound) as caught:
                token.sign(key_id, bytes(32))
            assert key_id.hex() in str(caught.value)
        with suppress(KeyNotFound), token.agree(sign_id, point) as agreed:
            assert len(agreed) == 32
        with pytest.raises(KeyNotFound):
            token.agree(os.urandom(16), point)
        for key_id in (sign_id, os.urandom(16)):
            with pytest.raises(KeyNotFound):
                token.decrypt(key_id, bytes(384), OaepHash.SHA1)

    def test_key_ids_are_taken_once(self, token: Token) -> None:
        """`Token.generate` raises `KeyExists` if the id is taken, by a key of whatever kind."""
        needs(token, Capability.GENERATE)
        key_id = os.urandom(16)
        token.generate(KeyKind.SIGN, key_id, "label")
        for kind in (KeyKind.SIGN, KeyKind.AGREE):
            with pytest.raises(KeyExists):
                token.generate(kind, key_id, "another")
        token.generate(KeyKind.SIGN, os.urandom(16), "label")  # labels need not be unique
        assert [key.label for key in token.keys()] == ["label", "label"]

    def test_deleted_keys_are_gone(self, token: Token) -> None:
        """`Token.delete_key` destroys a key and its certificate, and no other; twice is fine."""
        needs(token, Capability.GENERATE, Capability.SIGN)
        gone, left = os.urandom(16), os.urandom(16)
        for key_id in (gone, left):
            token.generate(KeyKind.SIGN, key_id, "key")
            token.store_certificate(key_id, "certificate", new_certificate())
            token.sign(key_id, bytes(32))
        token.delete_key(gone)
        token.delete_key(gone)
        with pytest.raises(KeyNotFound):
            token.sign(gone, bytes(32))
        assert [key.id for key in token.keys()] == [left]
        assert [certificate.id for certificate in token.certificates()] == [left]
        assert len(token.sign(left, bytes(32))) == 64
        token.generate(KeyKind.SIGN, gone, "a new one")
        assert len(token.sign(gone, bytes(32))) == 64

    def test_arguments_out_of_bounds(self, token: Token) -> None:
        """They raise `NotPossible` and change nothing."""
        attempts: list[Callable[[], object]] = [
            lambda: token.generate(KeyKind.SIGN, b"short", "label"),
            lambda: token.generate(KeyKind.SIGN, bytes(16), ""),
            lambda: token.generate(KeyKind.SIGN, bytes(16), "a\0b"),
            lambda: token.generate(KeyKind.SIGN, bytes(16), "x" * 256),
            lambda: token.sign(bytes(16), bytes(31)),
            lambda: token.sign(b"", bytes(32)),
            lambda: token.delete_key(b""),
            lambda: token.store_certificate(bytes(256), "label", new_certificate()),
            lambda: token.store_certificate(bytes(16), "label", b"no certificate"),
            lambda: token.store_certificate(bytes(16), "label", new_certificate() + b"\0"),
            lambda: token.write_record("", b"value"),
            lambda: token.write_record("a\0b", b"value"),
            lambda: token.write_record("ü" * 128, b"value"),
            lambda: token.write_record("\ud800", b"value"),
            lambda: token.write_record("name", b""),
            lambda: token.write_record("name", bytes((1 << 17) + 1)),
        ]
        for attempt in attempts:
            with pytest.raises(NotPossible):
                attempt()
        assert (token.keys(), token.certificates(), token.record_names()) == ([], [], [])

    def test_certificates_are_public(self, backend: Backend, uri: str, token: Token) -> None:
        """`Token.certificates` needs no login; the same again is fine, another is refused."""
        key_id, der = os.urandom(16), new_certificate()
        token.store_certificate(key_id, "ä label", der)
        token.store_certificate(key_id, "ä label", der)
        with pytest.raises(KeyExists):
            token.store_certificate(key_id, "ä label", new_certificate())
        with backend.open(uri, None) as public:
            assert public.certificates() == [StoredCertificate(key_id, "ä label", der)]
