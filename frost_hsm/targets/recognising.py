"""Bytes that are signed as they come, and are what some other program would take a signature on.

Who signs them signs that, whatever the name of the file says. So they are called what they are, before anybody agrees.
"""

from __future__ import annotations

import binascii
import re
from typing import Final

from frost_hsm.errors import MalformedMessage
from frost_hsm.forms import der
from frost_hsm.targets import words
from frost_hsm.targets.ssh.wire import Reader

_TLS: Final = b" " * 64 + b"TLS 1.3, "
_DIGESTS: Final = (20, 28, 32, 48, 64)
_USERAUTH: Final = 50  # SSH_MSG_USERAUTH_REQUEST
_COSE: Final = (b"\x69Signature", b"\x6aSignature1")  # texts of CBOR
_EDWARDS: Final = (15, 16)  # algorithms of DNSSEC: Ed25519, Ed448
_VERSION: Final = der.context(0)
_CERTIFICATE: Final = "a certificate of X.509"
_LIST: Final = "a revocation list of X.509"


def recognise(data: bytes) -> str | None:
    """Say what these bytes are to another program, as the end of "this is …"; None if they seem to be nothing else."""
    for look in (_of_ssh, _of_git, _of_documents, _of_x509, _of_dns, _of_digests):
        try:
            said = look(data)
        except (MalformedMessage, ValueError):
            continue
        if said is not None:
            return said
    return None


def warnings(data: bytes) -> list[str]:
    """Say it as a line of what is shown; none if there is nothing to say."""
    said = recognise(data)
    return [] if said is None else [f"  CAREFUL  to other programs this is {said}"]


def _of_ssh(data: bytes) -> str | None:
    if data.startswith(b"SSHSIG"):
        namespace = Reader(data[6:], "").string()[:128].decode(errors="replace")
        return f"what an SSH signature for {words.quoted(namespace)} is made on; with git, that is a tag or commit"
    reader = Reader(data, "")
    first = reader.string()
    if re.fullmatch(rb"[a-z0-9-]+-cert-v01@openssh\.com", first):
        return "a certificate of OpenSSH: it lets somebody in"
    if len(first) in _DIGESTS and reader.number(1) == _USERAUTH:
        return "a login to an SSH server"
    return None


def _of_git(data: bytes) -> str | None:
    if re.match(rb"(object|tree) [0-9a-f]{40}([0-9a-f]{24})?\n", data):
        return "a tag or commit of git"
    return None


def _of_documents(data: bytes) -> str | None:
    if data.startswith(_TLS):
        return "a handshake of TLS: it lets somebody pass for the owner of this key"
    if data.startswith(b"DSSEv1 "):
        return "an attestation in the envelope of in-toto and others (DSSE)"
    if data[1:].startswith(_COSE):
        return "a message of COSE, such as the manifest of a firmware or an attestation"
    if data.startswith(b'{"_type":') or b'"_type":"' in data[:1024]:
        return "metadata of TUF or in-toto"
    head, dot, _ = data.partition(b".")
    if dot and re.fullmatch(rb"[A-Za-z0-9_-]+", head):  # its payload may be anything (RFC 7797)
        header = binascii.a2b_base64(head.translate(bytes.maketrans(b"-_", b"+/")) + b"==")
        if header.lstrip().startswith(b"{"):  # not read: what is too much for one program another reads
            return "a web token or other JWS"
    return None


def _of_x509(data: bytes) -> str | None:
    if data[:1] == bytes((der.SET,)):
        attributes = der.Reader(data, "").inside(der.SET)
        attributes.sequence().oid()
        return "the signed attributes of a CMS message, such as signed mail or a signed PDF"
    reader = der.Reader(data, "").sequence()
    if reader.has(der.context(2)) or reader.has(der.context(1)):
        reader.skip()
        reader.contents(der.GENERALIZED_TIME)
        return "an answer of OCSP"
    if reader.has(_VERSION):
        reader.skip()
        reader.contents(der.INTEGER)
        reader.sequence().oid()
        return _CERTIFICATE
    if reader.has(der.SEQUENCE):  # version 1 says none
        reader.sequence().oid()
        reader.sequence()
        return _LIST if reader.has(der.UTC_TIME) or reader.has(der.GENERALIZED_TIME) else None
    reader.contents(der.INTEGER)
    if not reader.more():
        return None
    following = reader.sequence()
    if following.has(der.OBJECT_IDENTIFIER):
        reader.sequence()
        return _CERTIFICATE if reader.has(der.SEQUENCE) else _LIST  # one of version 1 has no version before its number
    return "a certificate signing request"


def _of_dns(data: bytes) -> str | None:
    """The start of what an RRSIG signs: type, algorithm, labels, three times four bytes, key tag, signer (RFC 4034)."""
    if len(data) > 19 and data[2] in _EDWARDS and data[3] < 128 and data[8:12] > data[12:16] and data[0] == 0:
        return "records of the DNS, by DNSSEC"
    return None


def _of_digests(data: bytes) -> str | None:
    is_text = all(0x20 <= byte < 0x7F or byte in b"\t\n\r" for byte in data)
    if len(data) in _DIGESTS and not is_text:
        return "as long as a digest, and may stand for anything: a file, a payment, a message of OpenPGP"
    if len(data) > 64 and b"\n" not in data[64:] and data[64:].isascii() and not data[:64].isascii():
        return "perhaps the second half of a signature of minisign, with its trusted comment"
    return None
