"""The pages on what a group signs for others: three people do what each says, and other programs judge it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import cbor2
import dns.dnssec
import dns.rrset
import dns.zonefile
import pytest
from asn1crypto import pem, x509
from cwt import COSE, COSEKey, VerifyError
from in_toto.models.metadata import Metadata as InTotoMetadata
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.writer import PageObject, PdfFileWriter
from pyhanko.sign.validation import ValidationContext, validate_pdf_signature
from stage import parties
from stage.page_room import PageRoom
from tuf.api.metadata import Metadata, Root

from frost_hsm.cli.talk.terminal import Terminal

Room = Callable[[str], PageRoom]


@pytest.fixture
def room(tmp_path: Path) -> Room:
    """Three people with a key of this name, of which two sign."""

    def make(key: str) -> PageRoom:
        people = parties.gather(tmp_path / "people")
        parties.generate(people, suite="ed25519", name=key)
        (tmp_path / "shared").mkdir()
        return PageRoom(tmp_path / "shared", people)

    return make


def test_release(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    there = room("release")
    asked: list[str] = []
    agree = Terminal.agree

    def count(self: Terminal, question: str, **shown: object) -> bool:
        asked.append(question)
        return agree(self, question, **shown)  # type: ignore[arg-type]

    monkeypatch.setattr(Terminal, "agree", count)
    (there.directory / "app-1.0.tar.gz").write_bytes(b"tarball")
    (there.directory / "app-1.0-py3-none-any.whl").write_bytes(b"wheel")
    (there.directory / "Release").write_bytes(b"Origin: Team\n")
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "Team")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "team@example.org")
    for words in ("init -q app", "-C app commit -q --allow-empty -m first"):
        subprocess.run(["git", *words.split()], cwd=there.directory, check=True)
    there.follow("release")
    assert len(asked) == 2 + 3  # the certificate by two; then one question each


def test_ca(room: Room) -> None:
    """OpenSSL judges, on the page itself."""
    room("ca").follow("ca")


def test_documents(room: Room) -> None:
    there = room("office")
    (there.directory / "contract.txt").write_bytes(b"We agree.\n")
    document = PdfFileWriter()
    document.insert_page(
        PageObject(contents=document.add_object(generic.StreamObject(stream_data=b"")), media_box=(0, 0, 99, 99))
    )
    with (there.directory / "contract.pdf").open("wb") as file:
        document.write(file)
    there.follow("documents")
    _, _, der = pem.unarmor((there.directory / "office.pem").read_bytes())
    trust = ValidationContext(trust_roots=[x509.Certificate.load(der)], allow_fetching=False)
    with (there.directory / "contract.signed.pdf").open("rb") as file:
        (signature,) = PdfFileReader(file).embedded_signatures
        assert validate_pdf_signature(signature, trust).bottom_line


def test_dnssec(room: Room) -> None:
    there = room("zone")
    there.follow("dnssec")
    zone = dns.name.from_text("example.org.")
    keys, signatures, ds = dns.zonefile.read_rrsets((there.directory / "keys.zone").read_text(), rdclass=None)
    (trusted,) = (each for each in keys if each.flags & dns.dnssec.Flag.SEP)
    assert dns.dnssec.make_ds(zone, trusted, "SHA256") == ds[0]
    anchor = {zone: dns.rrset.from_rdata(zone, 3600, trusted)}
    dns.dnssec.validate(keys, signatures, anchor, now=1_770_000_000)  # in February 2026
    keys.pop()
    with pytest.raises(dns.dnssec.ValidationFailure):
        dns.dnssec.validate(keys, signatures, anchor, now=1_770_000_000)


def test_tuf(room: Room) -> None:
    there = room("tuf")
    (there.directory / "app-1.0.tar.gz").write_bytes(b"tarball")
    there.follow("tuf")
    root = Metadata[Root].from_file(str(there.directory / "root.json"))
    root.signed.verify_delegate("root", root.signed_bytes, root.signatures)
    (path,) = there.directory.glob("*.link")
    link = InTotoMetadata.load(str(path))
    (key_id,) = root.signed.keys
    link.verify_signature({"keyid": key_id, **root.signed.keys[key_id].to_dict()})
    assert [*link.get_payload().products] == ["app-1.0.tar.gz"]


def test_cose(room: Room) -> None:
    there = room("firmware")
    (there.directory / "manifest.cbor").write_bytes(cbor2.dumps({"version": 1}))
    there.follow("cose")
    made = (there.directory / "manifest.cose").read_bytes()
    key = COSEKey.from_pem((there.directory / "firmware.public.pem").read_bytes(), kid="firmware")
    assert cbor2.loads(COSE.new().decode(made, key)) == {"version": 1}
    for other in (made.replace(b"version", b"Version"), made[:-1] + bytes((made[-1] ^ 1,))):
        with pytest.raises(VerifyError):
            COSE.new().decode(other, key)
