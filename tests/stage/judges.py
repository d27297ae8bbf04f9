"""The tools that take what a group signs: each says whether it takes a signature on a thing, and what is not signed."""

from __future__ import annotations

import base64
import binascii
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from stage.memory_group import run

from frost_hsm.frost.values import VerifyingKey
from frost_hsm.targets.exporting import export
from frost_hsm.targets.openpgp import packets
from frost_hsm.targets.ssh import wire as ssh_wire
from frost_hsm.targets.x509 import words as x509_words


@dataclass(frozen=True)
class Bench:
    """Where tools are asked. key: the group's; certificate: that of OpenPGP; root: that of X.509; end: one below."""

    folder: Path
    key: VerifyingKey
    certificate: bytes = b""
    root: bytes = b""
    end: bytes = b""

    def lay_out(self) -> None:
        """Write the key in the formats that it is exported in, and what else tools need to know."""
        self.folder.mkdir(exist_ok=True)
        public = x509_words.public_key(self.key).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        for name, data in {
            "key.pem": public,
            "allowed": export("allowed-signers", self.key, "team"),
            "trusted": ssh_wire.allowed_signers(self.key, 'alice cert-authority,namespaces="file"'),
            "minisign.pub": export("minisign", self.key, "team"),
            "signify.pub": export("signify", self.key, "team"),
            "key.jwk": export("jwk", self.key, "team"),
            "team.pgp": self.certificate,
            "root.pem": self.root,
            "end.pem": self.end,
        }.items():
            (self.folder / name).write_bytes(data)
        self.says("git", "init", "-q", "repository")
        for name, value in (("gpg.format", "ssh"), ("gpg.ssh.allowedSignersFile", "../allowed")):
            self.says("git", "-C", "repository", "config", name, value)
        if not (self.folder / "alice").exists():
            self.says("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "alice")

    def write(self, **files: bytes) -> None:
        for name, data in files.items():
            (self.folder / name).write_bytes(data)

    def says(self, *words: str, stdin: bytes = b"") -> bool:
        return run(*words, cwd=self.folder, stdin=stdin).returncode == 0

    def gpg(self, *imported: bytes) -> bytes:
        """What GnuPG knows once it was given these, in a home of its own; nothing where it took one of them not."""
        home = self.folder / "gnupg"
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(mode=0o700)
        words = ("gpg", "--homedir", "gnupg", "--batch", "--no-autostart", "--status-fd", "1", "--with-colons")
        for each in imported:
            run(*words, "--import", cwd=self.folder, stdin=each)
        return run(*words, "--list-keys", cwd=self.folder).stdout


Judge = Callable[[Bench, bytes, bytes], bool]


def raw(bench: Bench, thing: bytes, made: bytes) -> bool:
    bench.write(thing=thing, made=made)
    words = ("openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin", "-in", "thing")
    return bench.says(*words, "-sigfile", "made")


def ssh(bench: Bench, thing: bytes, made: bytes) -> bool:
    bench.write(made=made)
    words = ("ssh-keygen", "-Y", "verify", "-f", "allowed", "-I", "team", "-n", "file", "-s", "made")
    return bench.says(*words, stdin=thing)


def git(bench: Bench, thing: bytes, made: bytes) -> bool:
    kind = "tag" if thing.startswith(b"object") else "commit"
    words = ("git", "-C", "repository")
    done = run(*words, "hash-object", "-t", kind, "-w", "--literally", "--stdin", cwd=bench.folder, stdin=made)
    return bench.says(*words, f"verify-{kind}", done.stdout.decode().strip())


def ssh_cert(bench: Bench, thing: bytes, made: bytes) -> bool:
    """Somebody who is certified signs, and is trusted by who trusts the group."""
    bench.write(**{"alice-cert.pub": made, "file": b"file"})
    (bench.folder / "file.sig").unlink(missing_ok=True)
    words = ("ssh-keygen", "-Y", "verify", "-f", "trusted", "-I", "alice", "-n", "file", "-s", "file.sig")
    signs = bench.says("ssh-keygen", "-Y", "sign", "-f", "alice-cert.pub", "-n", "file", "file")
    return signs and bench.says(*words, stdin=b"file")


def openpgp(bench: Bench, thing: bytes, made: bytes) -> bool:
    bench.write(thing=thing, made=made)
    return bench.says("gpgv", "--keyring", "./team.pgp", "made", "thing")


def openpgp_cleartext(bench: Bench, thing: bytes, made: bytes) -> bool:
    bench.write(made=made)
    done = run("gpgv", "--keyring", "./team.pgp", "-o", "-", "made", cwd=bench.folder)
    return done.returncode == 0 and done.stdout == thing


def openpgp_certificate(bench: Bench, thing: bytes, made: bytes) -> bool:
    """Whether GnuPG knows the key and the user id, as they were shown."""
    fingerprint, known = packets.fingerprint(bench.key).hex().upper().encode(), bench.gpg(made)
    return fingerprint in known and b"::Team <team@example.org>:" in known


def openpgp_revocation(bench: Bench, thing: bytes, made: bytes) -> bool:
    return b"pub:r:" in bench.gpg(bench.certificate, made)


def minisign(bench: Bench, thing: bytes, made: bytes) -> bool:
    bench.write(thing=thing, made=made)
    return bench.says("minisign", "-V", "-p", "minisign.pub", "-x", "made", "-m", "thing")


def signify(bench: Bench, thing: bytes, made: bytes) -> bool:
    bench.write(thing=thing, made=made)
    return bench.says("signify-openbsd", "-V", "-p", "signify.pub", "-x", "made", "-m", "thing")


def x509_certificate(bench: Bench, thing: bytes, made: bytes) -> bool:
    """Also whether it is under itself: OpenSSL checks no signature of a root unless it is asked to."""
    bench.write(made=made)
    return bench.says("openssl", "verify", "-check_ss_sig", "-CAfile", "root.pem", "made")


def x509_root(bench: Bench, thing: bytes, made: bytes) -> bool:
    """By its key, which is what makes it trusted."""
    bench.write(made=made)
    words = ("openssl", "x509", "-in", "made", "-noout", "-pubkey")
    is_ours = run(*words, cwd=bench.folder).stdout == (bench.folder / "key.pem").read_bytes()
    return is_ours and bench.says("openssl", "verify", "-check_ss_sig", "-CAfile", "made", "made")


def x509_crl(bench: Bench, thing: bytes, made: bytes) -> bool:
    bench.write(made=made)
    return bench.says("openssl", "verify", "-crl_check", "-CRLfile", "made", "-CAfile", "root.pem", "end.pem")


def x509_ocsp(bench: Bench, thing: bytes, made: bytes) -> bool:
    bench.write(made=made, thing=thing)
    files = ("-respin", "made", "-issuer", "root.pem", "-cert", "thing", "-CAfile", "root.pem", "-VAfile", "root.pem")
    done = run("openssl", "ocsp", "-no_nonce", *files, cwd=bench.folder)
    return done.returncode == 0 and b"Response verify OK" in done.stderr and b"thing: good" in done.stdout


def cms(bench: Bench, thing: bytes, made: bytes) -> bool:
    bench.write(thing=thing, made=made)
    words = ("certtool", "--p7-verify", "--inder", "--load-ca-certificate", "root.pem", "--infile", "made")
    return bench.says(*words, "--load-data", "thing")


def cms_attached(bench: Bench, thing: bytes, made: bytes) -> bool:
    bench.write(made=made)
    words = ("certtool", "--p7-verify", "--inder", "--load-ca-certificate", "root.pem", "--infile", "made")
    return bench.says(*words)


def jws(bench: Bench, thing: bytes, made: bytes) -> bool:
    key = jwt.PyJWK.from_json((bench.folder / "key.jwk").read_text())
    try:
        jwt.api_jws.decode(made.decode().strip(), key, algorithms=["EdDSA"])
    except (jwt.PyJWTError, ValueError):
        return False
    return True


JUDGES: dict[str, Judge] = {
    "raw": raw,
    "ssh": ssh,
    "git": git,
    "ssh-cert": ssh_cert,
    "openpgp": openpgp,
    "openpgp-cleartext": openpgp_cleartext,
    "openpgp-certificate": openpgp_certificate,
    "openpgp-revocation": openpgp_revocation,
    "minisign": minisign,
    "signify": signify,
    "x509-root": x509_root,
    "x509-intermediate": x509_certificate,
    "x509-end": x509_certificate,
    "x509-crl": x509_crl,
    "x509-ocsp": x509_ocsp,
    "cms": cms,
    "cms-attached": cms_attached,
    "jws": jws,
}
"""By the names of targets; of those for keys of secp256k1-tr, libraries judge in tests of their own."""

OF_FILES = ("raw", "ssh", "openpgp", "minisign", "signify", "cms")
"""Whose file lies beside the signature: it is changed by itself."""


# ── What is changed ──


def each_byte(data: bytes) -> Iterator[bytes]:
    """Copies of ``data``, each with one byte changed."""
    for place, byte in enumerate(data):
        yield data[:place] + bytes((byte ^ 1,)) + data[place + 1 :]


_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\n(.*?)-----END \1-----\n?", re.DOTALL)


def each_byte_of_a_signature(made: bytes) -> Iterator[bytes]:
    """Copies of what was made, each with one byte changed; of what stands in base64, with one byte of what that means.

    What base64 leaves open, line ends and bits that nobody reads, is no part of a signature; nor is what minisign and
    signify call untrusted.
    """
    block = _BLOCK.search(made)
    if block is not None:
        before, behind = made[: block.start()], made[block.end() :]
        for other in each_byte(before):
            yield other + made[block.start() :]
        for other in each_byte(_decoded(block[2])):
            yield before + _armoured(block[1], other) + behind
    elif made.startswith(b"untrusted comment: "):
        first, *lines = made.splitlines(keepends=True)
        for number, line in enumerate(lines):
            is_text = line.startswith(b"trusted comment: ")
            others = each_byte(line[:-1]) if is_text else map(base64.b64encode, each_byte(_decoded(line)))
            for other in others:
                yield b"".join((first, *lines[:number], other, b"\n", *lines[number + 1 :]))
    elif made.startswith(b"ssh-") and made.count(b" ") >= 1:
        kind, text, *comment = made.split(b" ")
        for other in each_byte(_decoded(text)):
            yield b" ".join((kind, base64.b64encode(other), *comment))
    elif re.fullmatch(rb"[\w-]+\.[\w-]*\.[\w-]+\n", made):
        parts = made.strip().split(b".")
        for number, part in enumerate(parts):
            for other in each_byte(base64.urlsafe_b64decode(part + b"==")):
                encoded = base64.urlsafe_b64encode(other).rstrip(b"=")
                yield b".".join((*parts[:number], encoded, *parts[number + 1 :])) + b"\n"
    else:
        yield from each_byte(made)


def _decoded(text: bytes) -> bytes:
    return binascii.a2b_base64(text.split(b"\n=")[0])  # an armour of OpenPGP has a checksum behind


def _armoured(title: bytes, data: bytes) -> bytes:
    if title.startswith(b"PGP "):
        return packets.armoured(title.decode().removeprefix("PGP "), data)
    text = base64.b64encode(data)
    lines = b"".join(text[start : start + 64] + b"\n" for start in range(0, len(text), 64))
    return b"-----BEGIN " + title + b"-----\n" + lines + b"-----END " + title + b"-----\n"
