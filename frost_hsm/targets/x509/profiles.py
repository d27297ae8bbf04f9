"""Certificates that the group issues: of itself as a root, of authorities below it, and of what they are for.

A profile each, with what an authority puts into such a certificate, and no more. Taken by ``openssl verify`` and by
whatever verifies X.509.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, BinaryIO, ClassVar, Final, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cryptography.x509.oid import AuthorityInformationAccessOID

from frost_hsm.errors import MalformedMessage, NotPossible
from frost_hsm.targets import Given, Option, Target, asked, words
from frost_hsm.targets.programs.group_private_key import PrivateKey, record
from frost_hsm.targets.x509 import words as x509_words
from frost_hsm.targets.x509.cert import MAX_SIZE, X509Certificate, build

N = TypeVar("N", bound=x509.GeneralName)


def key_usage(*uses: str) -> x509.KeyUsage:
    """Return the key usage with these, and no others."""
    names = (*x509_words.KEY_USES, "encipher_only", "decipher_only")
    return x509.KeyUsage(**{name: name in uses for name in names})


class _Certificates(Target):
    """What the three profiles share."""

    name: ClassVar[str]
    suites = x509_words.SUITES

    def read(self, data: bytes) -> X509Certificate:
        """Read the part that is signed. Raises `MalformedMessage` if it is of another profile."""
        thing = X509Certificate.read(data)
        try:
            fits = self.fits(thing)
        except x509.ExtensionNotFound:
            fits = False
        if not fits:
            raise MalformedMessage(f"a certificate to sign is not of the profile {self.name}")
        return thing

    def fits(self, thing: X509Certificate) -> bool:
        """Whether a certificate is of the profile."""
        raise NotImplementedError

    def take_apart(self, finished: bytes, file: BinaryIO) -> tuple[X509Certificate, bytes]:
        """Read a certificate; the file is not needed."""
        try:
            found = x509.load_pem_x509_certificate(finished)
        except x509_words.UNREADABLE:
            raise MalformedMessage("this is not a certificate in PEM") from None
        return self.read(found.tbs_certificate_bytes), found.signature

    def _tbs(
        self,
        given: Given,
        issuer: x509.Name,
        subject: x509.Name,
        public_key: CertificatePublicKeyTypes,
        end: datetime,
        extensions: Iterable[tuple[x509.ExtensionType, bool]],
    ) -> bytes:
        start, serial, kept = when(given.now), x509.random_serial_number(), list(extensions)

        def draft(key: PrivateKey) -> x509.Certificate:
            return build(issuer, subject, public_key, serial, start, end, kept, key)

        (tbs,) = record(given.key, draft)
        try:
            self.read(tbs)
        except MalformedMessage as error:
            raise NotPossible(f"such a certificate is not signed here: {error}", hint=error.hint) from error
        return tbs


def when(seconds: int) -> datetime:
    """Return the time, UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def read_name(text: str) -> x509.Name:
    """Read a distinguished name as RFC 4514 has it: CN=Team,O=Example,C=DE."""
    try:
        return x509.Name.from_rfc4514_string(text)
    except ValueError as error:
        raise NotPossible(f"{words.quoted(text)} is not a name: {error}", hint="CN=Team Root,O=Team,C=DE") from None


def read_issuer(given: Given) -> x509.Certificate:
    """Read the certificate of the group that a thing is issued under; raises `NotPossible` if it is of another key."""
    try:
        found = x509.load_pem_x509_certificate(given.files["issuer"])
    except x509_words.UNREADABLE:
        raise NotPossible("the issuer is not a certificate in PEM") from None
    if found.public_key() != x509_words.public_key(given.key):
        raise NotPossible("the certificate of the issuer is not of the key that is to sign")
    return found


def authority_key_id(issuer: x509.Certificate) -> tuple[x509.ExtensionType, bool]:
    """Return the extension that names the issuer's key as the issuer's certificate does."""
    try:
        subject = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        raise NotPossible("the certificate of the issuer has no key identifier") from None
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(subject), False


def _ends(given: Given, issuer: x509.Certificate | None) -> datetime:
    end = when(asked.until(given.now, given.texts["days"]))
    if issuer is not None and end > issuer.not_valid_after_utc:
        last = (issuer.not_valid_after_utc - when(given.now)).days
        raise NotPossible("the certificate would outlive its issuer's", hint=f"up to {last} days")
    return end


def read_request(data: bytes) -> x509.CertificateSigningRequest:
    """Read a certificate signing request whose signature is good."""
    load = x509.load_pem_x509_csr if data.lstrip().startswith(b"-----") else x509.load_der_x509_csr
    try:
        found = load(data)
        if found.is_signature_valid:
            return found
    except x509_words.UNREADABLE:
        pass
    raise NotPossible(
        "this is not a certificate signing request with a good signature", hint="openssl req -verify -in FILE"
    )


def _places(texts: Mapping[str, str]) -> list[tuple[x509.ExtensionType, bool]]:
    """Return the extensions that say where lists, answers and the issuer's certificate are found."""
    found: list[tuple[x509.ExtensionType, bool]] = []
    if texts["crl-url"]:
        point = x509.DistributionPoint([_uri(texts["crl-url"])], None, None, None)
        found.append((x509.CRLDistributionPoints([point]), False))
    access = [
        x509.AccessDescription(method, _uri(texts[option]))
        for option, method in (
            ("ocsp-url", AuthorityInformationAccessOID.OCSP),
            ("issuer-url", AuthorityInformationAccessOID.CA_ISSUERS),
        )
        if texts[option]
    ]
    return [*found, (x509.AuthorityInformationAccess(access), False)] if access else found


_PLACES: Final = (
    Option("crl-url", "where its issuer's revocation list is found", ""),
    Option("ocsp-url", "where it can be asked whether it is revoked", ""),
    Option("issuer-url", "where its issuer's certificate is found", ""),
)
ISSUER: Final = Option("issuer", "the group's own certificate, in PEM", is_file=True)


class X509Root(_Certificates):
    """The certificate of the group's key by itself: the root of an authority."""

    name = "x509-root"
    takes_file = False
    stands_alone = True
    options = (
        Option("subject", "its name: CN=Team Root,O=Team,C=DE"),
        Option("days", "how long it is valid from now on", "3650"),
    )

    def make(self, given: Given) -> bytes:
        """Make the part that is signed; no file."""
        subject, key = read_name(given.texts["subject"]), x509_words.public_key(given.key)
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            (x509.BasicConstraints(ca=True, path_length=None), True),
            (key_usage("digital_signature", "key_cert_sign", "crl_sign"), True),
            (x509_words.key_identifier(given.key), False),
        ]
        return self._tbs(given, subject, subject, key, _ends(given, None), extensions)

    def fits(self, thing: X509Certificate) -> bool:
        """Whether it is an authority, by itself."""
        return thing.is_self_signed and thing.is_authority


class X509Intermediate(_Certificates):
    """The certificate of an authority below the group's: of a signing request, or a public key."""

    name = "x509-intermediate"
    stands_alone = True
    options = (
        ISSUER,
        Option("subject", "its name; else that of the request", ""),
        Option("days", "how long it is valid from now on", "1825"),
        Option("path-length", "how many authorities may be below it", "0"),
        Option("only-dns", "the domains that it may certify: example.org,…; else any", ""),
        *_PLACES,
    )

    def make(self, given: Given) -> bytes:
        """Make the part that is signed, of a request or a public key in PEM."""
        issuer, texts = read_issuer(given), given.texts
        public_key, subject = self._whom(given)
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            (x509.BasicConstraints(ca=True, path_length=asked.number(texts["path-length"])), True),
            (key_usage("digital_signature", "key_cert_sign", "crl_sign"), True),
            (x509.SubjectKeyIdentifier.from_public_key(public_key), False),
            authority_key_id(issuer),
        ]
        if domains := asked.names(texts["only-dns"]):
            extensions.append((x509.NameConstraints([_named(x509.DNSName, each) for each in domains], None), True))
        return self._tbs(
            given, issuer.subject, subject, public_key, _ends(given, issuer), [*extensions, *_places(texts)]
        )

    def _whom(self, given: Given) -> tuple[CertificatePublicKeyTypes, x509.Name]:
        data = given.all(MAX_SIZE)
        named = given.texts["subject"]
        if b"-----BEGIN PUBLIC KEY-----" in data:
            if not named:
                raise NotPossible("a public key has no name", hint="--with subject=CN=…")
            try:
                found: Any = load_pem_public_key(data)
            except (ValueError, UnsupportedAlgorithm):
                raise NotPossible("this is not a public key in PEM that can be certified") from None
            return found, read_name(named)
        request = read_request(data)
        return request.public_key(), read_name(named) if named else request.subject

    def fits(self, thing: X509Certificate) -> bool:
        """Whether it is an authority, by another."""
        return not thing.is_self_signed and thing.is_authority


class X509End(_Certificates):
    """The certificate of a server, a person or a program, of a signing request."""

    name = "x509-end"
    stands_alone = True
    options = (
        ISSUER,
        Option("subject", "its name; else that of the request", ""),
        Option("names", "the names it is for: www.example.org,192.0.2.1,…; else those of the request", ""),
        Option("use", f"what it may be used for: {', '.join(x509_words.USES)}", "server"),
        Option("days", "how long it is valid from now on", "90"),
        *_PLACES,
    )

    def make(self, given: Given) -> bytes:
        """Make the part that is signed, of a request."""
        issuer, request, texts = read_issuer(given), read_request(given.all(MAX_SIZE)), given.texts
        public_key = request.public_key()
        subject = read_name(texts["subject"]) if texts["subject"] else request.subject
        uses = ["digital_signature"]
        if isinstance(public_key, RSAPublicKey) and "server" in asked.names(texts["use"]):
            uses.append("key_encipherment")
        if {"email", "documents"} & {*asked.names(texts["use"])}:
            uses.append("content_commitment")  # what is signed is meant to bind its signer
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (key_usage(*uses), True),
            (x509.ExtendedKeyUsage([x509_words.USES[use] for use in self._uses(texts)]), False),
            (x509.SubjectKeyIdentifier.from_public_key(public_key), False),
            authority_key_id(issuer),
        ]
        if names := self._names(texts["names"], request):
            # critical where there is no other name (RFC 5280 §4.2.1.6)
            extensions.append((x509.SubjectAlternativeName(names), not list(subject)))
        elif "server" in self._uses(texts):
            raise NotPossible("a server needs a name", hint="--with names=www.example.org")
        return self._tbs(
            given, issuer.subject, subject, public_key, _ends(given, issuer), [*extensions, *_places(texts)]
        )

    @staticmethod
    def _uses(texts: Mapping[str, str]) -> list[str]:
        return [asked.one_of(use, x509_words.USES) for use in asked.names(texts["use"])]

    @staticmethod
    def _names(text: str, request: x509.CertificateSigningRequest) -> list[x509.GeneralName]:
        if text:
            return list(map(_general_name, asked.names(text)))
        try:
            return list(request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
        except x509.ExtensionNotFound:
            return []
        except x509_words.UNREADABLE as error:
            raise NotPossible(f"the names of the request cannot be read: {error}") from None

    def fits(self, thing: X509Certificate) -> bool:
        """Whether it is no authority, by another."""
        return not thing.is_self_signed and not thing.is_authority


def _general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return _named(x509.RFC822Name if "@" in text else x509.DNSName, text)


def _uri(text: str) -> x509.UniformResourceIdentifier:
    return _named(x509.UniformResourceIdentifier, text)


def _named(kind: Callable[[str], N], text: str) -> N:
    """Make a name of a text. Raises `NotPossible` for one with letters that such names are not written with."""
    try:
        return kind(text)
    except ValueError:
        raise NotPossible(
            f"{words.quoted(text)} is not written in ASCII", hint="xn--… for other letters of a domain"
        ) from None
