"""The page on ceremonies: its plan is rehearsed, and its script and record are opened in Chromium."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pypdf
import pytest
from manual.test_pages import problem
from stage import rehearsed
from stage.memory_group import run
from stage.rehearsed import Page, Rehearsed, in_browser

from frost_hsm.plans import signature


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, softhsm_module: str) -> Rehearsed:
    return rehearsed.rehearse(tmp_path_factory.mktemp("ceremony"))


@pytest.fixture(params=["script", "record"])
def paper(request: pytest.FixtureRequest, done: Rehearsed) -> Path:
    return done.script if request.param == "script" else done.folder / "ca.record.html"


def test_what_the_script_says_was_typed(done: Rehearsed) -> None:
    page = Page(done.script.read_bytes())
    said = [f"{who}$ {line}" for who, line in zip(page.texts["who"], page.texts["typed"], strict=True)]
    tokens = [line for line in done.typed if " frost-hsm init " in line]
    assert [line for line in done.typed if line not in tokens] == said
    assert len(tokens) == 3
    assert all("pkcs11:" in line for line in tokens)
    for line in page.texts["typed"]:
        assert problem(line.removeprefix("frost-hsm ")) is None, line
    for made in ("root.pem", "revoked.crl"):
        assert (done.folder / made).exists()
    assert run("openssl", "crl", "-noout", "-CAfile", "root.pem", "-in", "revoked.crl", cwd=done.folder).returncode == 0


def test_it_needs_nothing_but_itself(paper: Path) -> None:
    page = Page(paper.read_bytes())
    tags = {tag for tag, _ in page.elements}
    assert tags.isdisjoint({"script", "link", "img", "iframe", "object", "embed", "base", "form", "a", "image", "use"})
    for tag, attributes in page.elements:
        for name, value in attributes.items():
            assert not name.startswith("on")
            assert name not in ("src", "href", "srcset", "data", "action", "style"), f"{tag} {name}"
            assert "//" not in (value or "").replace("http://www.w3.org/2000/svg", ""), f"{tag} {name}"
    assert not re.search(rb"url\(|@import|//", paper.read_bytes().replace(b"http://www.w3.org/2000/svg", b""))


def test_it_prints_on_whole_pages(paper: Path) -> None:
    """What a browser makes of it: A4, and on it every command, fingerprint and hash."""
    pdf, _ = in_browser(paper)
    pages = pypdf.PdfReader(io.BytesIO(pdf.read_bytes())).pages
    assert 2 <= len(pages) <= 6
    assert {(round(each.mediabox.width), round(each.mediabox.height)) for each in pages} == {(595, 842)}  # A4
    printed = re.sub(r"\s", "", "".join(each.extract_text() for each in pages))
    found = Page(paper.read_bytes()).texts
    for text in (*found.get("typed", []), *found["hex"]):
        assert re.sub(r"\s", "", text) in printed


def test_the_codes_of_the_record_are_read(done: Rehearsed) -> None:
    record = done.folder / "ca.record.html"
    _, picture = in_browser(record)
    read = run("zbarimg", "--quiet", "--raw", picture, cwd=done.folder).stdout.decode().split("\n")
    page = Page(record.read_bytes())
    shown = [text for text in page.texts["hex"] if re.fullmatch(r"([0-9a-f]{4} ){7}[0-9a-f]{4}", text)]
    assert len(shown) == 4  # the check code and three fingerprints
    assert sorted(filter(None, read)) == sorted(text.upper() for text in shown)
    names = [
        attributes["content"] for tag, attributes in page.elements if attributes.get("name", "").startswith("frost")
    ]
    assert names == [f"{name} {each}" for name, each in zip(("alice", "bob", "carol"), shown[1:], strict=True)]


def test_the_tokens_have_signed_the_record(done: Rehearsed) -> None:
    record = (done.folder / "ca.record.html").read_bytes()
    (done.folder / "altered.html").write_bytes(record.replace(b"Team", b"Tean", 1))
    for name in ("alice", "bob", "carol"):
        signed = f"ca.record.{name}.p7s"
        assert signature.verify(record, (done.folder / signed).read_bytes()).name == name
        for content, identity, is_good in (
            ("ca.record.html", name, True),
            ("altered.html", name, False),
            ("ca.record.html", "bob" if name == "alice" else "alice", False),
        ):
            words = f"-inform DER -in {signed} -content {content} -CAfile {identity}.identity.pem -out out"
            ran = run("openssl", "cms", "-verify", "-binary", *words.split(), cwd=done.folder)
            assert (ran.returncode == 0) == is_good
