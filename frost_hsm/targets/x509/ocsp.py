"""The answer whether a certificate is revoked, signed ahead; taken by ``openssl ocsp`` and by servers that staple it.

`cryptography` writes the time of its own clock into an answer, so no second program could make the same again. The
structure is asn1crypto's therefore, and an answer has one form: one certificate, named by SHA-1 as RFC 5019 has it; the
group itself the issuer, named by its key; no extensions. Source: RFC 6960.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO, Final

from asn1crypto import ocsp
from cryptography import x509
from cryptography.x509 import ocsp as parsed

from frost_hsm.errors import MalformedMessage, NotPossible
from frost_hsm.forms.asn1 import NUMBER, OCTETS, TEXT, Structure
from frost_hsm.frost.values import VerifyingKey
from frost_hsm.targets import Given, Option, Target, Thing, asked, words
from frost_hsm.targets.x509 import words as x509_words
from frost_hsm.targets.x509.profiles import ISSUER, read_issuer, when

MAX_SIZE: Final = 1 << 15
_GOOD: Final = "good"
_REASONS: Final = {
    "unspecified": "unspecified",
    "keyCompromise": "key_compromise",
    "cACompromise": "ca_compromise",
    "affiliationChanged": "affiliation_changed",
    "superseded": "superseded",
    "cessationOfOperation": "cessation_of_operation",
}
"""As RFC 5280 names them, and as the library does."""

_HASH: Final = 20  # bytes of SHA-1


@dataclass(frozen=True, slots=True)
class X509Answer(Structure, Thing):
    """What became of one certificate, between two times.

    issuer_name, issuer_key: SHA-1 of its issuer's name and key. serial: its number, without leading zeros. status:
    good, or why it is revoked. revoked, made, until: seconds since 1970; revoked is 0 for a good one. Raises
    `NotPossible`.

    SEQUENCE { version INTEGER (2), issuerName, issuerKey, serial OCTET STRING, status UTF8String, revoked, made,
    until INTEGER }
    """

    title = "answer of OCSP to sign"
    asn1 = (OCTETS, OCTETS, OCTETS, TEXT, NUMBER, NUMBER, NUMBER)
    ending = ".ocsp"

    issuer_name: bytes
    issuer_key: bytes
    serial: bytes
    status: str
    revoked: int
    made: int
    until: int

    def __post_init__(self) -> None:
        if (len(self.issuer_name), len(self.issuer_key)) != (_HASH, _HASH) or not 0 < len(self.serial) <= _HASH:
            raise NotPossible("an answer of OCSP does not name one certificate")
        if self.serial[0] == 0:
            raise NotPossible("a serial number has needless zeros")
        if self.status not in (_GOOD, *_REASONS) or (self.status == _GOOD) != (self.revoked == 0):
            raise NotPossible("an answer of OCSP is neither good nor a reason and a time of revocation")
        if not self.made < self.until < 1 << 37 or self.revoked > self.made:
            raise NotPossible("the times of an answer of OCSP are not in order")

    @property
    def _data(self) -> ocsp.ResponseData:
        good = ocsp.CertStatus(name="good", value=ocsp.StatusGood())
        revoked = {"revocation_time": when(self.revoked), "revocation_reason": _REASONS.get(self.status)}
        single = {
            "cert_id": {
                "hash_algorithm": {"algorithm": "sha1", "parameters": None},
                "issuer_name_hash": self.issuer_name,
                "issuer_key_hash": self.issuer_key,
                "serial_number": int.from_bytes(self.serial, "big"),
            },
            "cert_status": good if self.status == _GOOD else ocsp.CertStatus(name="revoked", value=revoked),
            "this_update": when(self.made),
            "next_update": when(self.until),
        }
        responder = ocsp.ResponderId(name="by_key", value=self.issuer_key)
        return ocsp.ResponseData({"responder_id": responder, "produced_at": when(self.made), "responses": [single]})

    def to_sign(self, key: VerifyingKey) -> bytes:
        """Return the ResponseData. Raises `NotPossible` for a certificate of another issuer."""
        if self.issuer_key != hashlib.sha1(key.serialize(), usedforsecurity=False).digest():
            raise NotPossible("this answers for a certificate of another issuer than this key")
        data: bytes = self._data.dump()
        return data

    def lines(self) -> list[str]:
        """Say which certificate, its state and the times."""
        state = _GOOD if self.status == _GOOD else f"revoked {words.moment(self.revoked)}, {self.status}"
        return [
            f"  serial   {self.serial.hex().lstrip('0')}",
            f"  issuer   name sha1 {self.issuer_name.hex()}",
            f"           key sha1 {self.issuer_key.hex()}",
            f"  is       {state}",
            f"  valid    from {words.moment(self.made)}",
            f"           until {words.moment(self.until)}",
        ]

    def finish(self, key: VerifyingKey, signature: bytes) -> bytes:
        """Write the OCSPResponse, in DER as servers send it."""
        algorithm = {"algorithm": x509_words.ALGORITHMS[key.ciphersuite.name].dotted_string}
        basic = {"tbs_response_data": self._data, "signature_algorithm": algorithm, "signature": signature}
        response = ocsp.OCSPResponse(
            {
                "response_status": "successful",
                "response_bytes": {
                    "response_type": "basic_ocsp_response",
                    "response": ocsp.BasicOCSPResponse(basic),
                },
            }
        )
        data: bytes = response.dump()
        return data

    def use(self, file: str) -> str:
        """Verify with OpenSSL."""
        return f"openssl ocsp -respin {file} -issuer ISSUER.pem -cert FILE.pem -CAfile ROOT.pem"


class X509Ocsp(Target):
    """An answer of OCSP, for a certificate in PEM that the group has issued."""

    name = "x509-ocsp"
    stands_alone = True
    suites = x509_words.SUITES
    options = (
        ISSUER,
        Option("status", f"{_GOOD}, or why it is revoked: {', '.join(_REASONS)}", _GOOD),
        Option("revoked", "the day of its revocation: 2026-01-31", ""),
        Option("days", "how long the answer is valid from now on", "7"),
    )

    def make(self, given: Given) -> bytes:
        """Answer for a certificate."""
        issuer, texts = read_issuer(given), given.texts
        try:
            asked_for = x509.load_pem_x509_certificate(given.all(MAX_SIZE))
        except x509_words.UNREADABLE:
            raise NotPossible("this is not a certificate in PEM") from None
        try:
            asked_for.verify_directly_issued_by(issuer)
        except Exception:  # TypeError, ValueError, InvalidSignature
            raise NotPossible("this certificate was not issued by the group") from None
        serial = asked_for.serial_number
        return X509Answer(
            hashlib.sha1(issuer.subject.public_bytes(), usedforsecurity=False).digest(),
            hashlib.sha1(given.key.serialize(), usedforsecurity=False).digest(),
            serial.to_bytes((serial.bit_length() + 7) // 8, "big"),
            texts["status"],
            _day(texts["revoked"]),
            given.now,
            asked.until(given.now, texts["days"]),
        ).encode()

    def read(self, data: bytes) -> X509Answer:
        """Read the structure."""
        return X509Answer.decode(data)

    def take_apart(self, finished: bytes, file: BinaryIO) -> tuple[X509Answer, bytes]:
        """Read an answer; the file is not needed."""
        try:
            found = parsed.load_der_ocsp_response(finished)
            why = found.revocation_reason.value if found.revocation_reason else _GOOD
            times = [found.revocation_time_utc, found.this_update_utc, found.next_update_utc]
            serial = found.serial_number
            names = found.issuer_name_hash, found.issuer_key_hash
        except x509_words.UNREADABLE:
            raise MalformedMessage("this is not an answer of OCSP for one certificate") from None
        if serial < 0:
            raise MalformedMessage("an answer of OCSP is for a certificate with a negative number")
        seconds = [int(time.timestamp()) if time is not None else 0 for time in times]
        number = serial.to_bytes((serial.bit_length() + 7) // 8, "big")
        return X509Answer(*names, number, why, *seconds), found.signature


def _day(text: str) -> int:
    try:
        return int(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()) if text else 0
    except ValueError:
        raise NotPossible(f"{words.quoted(text)} is not a day", hint="2026-01-31") from None
