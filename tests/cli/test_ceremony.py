"""The record of a ceremony: stated by each, made again by each, signed by the tokens of all; and what is refused."""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
import shutil
from pathlib import Path

import pytest
from cli.at_terminal import Session
from cli.test_json import held
from stage import parties
from stage.parties import KEY, Party, Ran

from frost_hsm.cli.commands import rehearsing
from frost_hsm.cli.files import incoming
from frost_hsm.cli.files.description import describe
from frost_hsm.errors import FrostHsmError
from frost_hsm.plans import script
from frost_hsm.plans import signature as signatures_of
from frost_hsm.plans.script import Typed

PLAN = f"""\
title = "Treasury & <b>Sons</b>"
key = "{KEY}"
suite = "p256"
threshold = 2
people = ["alice", "bob", "carol"]

[[sign]]
file = "text"
signers = ["alice", "carol"]
output = "text.sig"
"""


@pytest.fixture
def folder(group: list[Party], tmp_path: Path) -> Path:
    """What the three have made, in one folder."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "plan.toml").write_text(PLAN)
    (folder / "text").write_bytes(b"what is signed")
    (folder / "text.sig").write_bytes(parties.sign([group[0], group[2]], b"what is signed"))
    return folder


def run(party: Party, folder: Path, *arguments: str) -> Ran:
    return parties.run(folder, *party.arguments(["ceremony", *arguments]))


def record(party: Party, folder: Path, *options: str) -> Ran:
    return run(party, folder, "record", "plan.toml", "--began", "10:00", "--ended", "10:45", *options)


@pytest.fixture
def recorded(folder: Path, group: list[Party]) -> Path:
    for party in group:
        assert record(party, folder).status == 0
    return folder


@pytest.fixture
def signed(recorded: Path, group: list[Party]) -> Path:
    for party in group:
        assert run(party, recorded, "sign", "plan.toml").status == 0
    return recorded


def signatures(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.p7s"))


def test_every_verb_says_what_it_did(group: list[Party], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob, carol = group
    held(run(alice, folder, "plan", "plan.toml", "--json"))
    with monkeypatch.context() as patched:
        patched.setattr(rehearsing._Room, "_run", lambda *line: None)
        assert held(run(alice, folder, "rehearse", "plan.toml", "--json"))["signed"] == ["text.sig"]
    missing = [json.loads(record(party, folder, "--json").stdout)["missing"] for party in group]
    assert missing == [["bob", "carol"], ["carol"], []]
    held(record(alice, folder, "--json"))
    for party in group:
        assert held(run(party, folder, "sign", "plan.toml", "--json"))["file"] == f"{KEY}.record.{party.name}.p7s"
    found = held(run(bob, folder, "verify", f"{KEY}.record.html", *signatures(folder), "--json"))
    assert (found["signed"], found["missing"]) == (["alice", "bob", "carol"], [])
    found = json.loads(run(carol, folder, "verify", f"{KEY}.record.html", signatures(folder)[1], "--json").stdout)
    assert (found["signed"], found["missing"]) == (["bob"], ["alice", "carol"])


def test_every_step_can_be_repeated(group: list[Party], signed: Path) -> None:
    before = {path.name: path.read_bytes() for path in signed.iterdir()}
    for party in group:
        assert run(party, signed, "record", "plan.toml").status == 0  # the times are those that were entered
        again = run(party, signed, "sign", "plan.toml")
        assert "is your signature on this record already" in again.stdout
    assert {path.name: path.read_bytes() for path in signed.iterdir()} == before


def test_what_lies_beside_messages_is_passed_over(signed: Path) -> None:
    """People go on signing in the same folder, with --in."""
    messages, others = incoming.gather([], str(signed))
    assert messages == []
    assert {*signatures(signed), f"{KEY}.record.html", f"{KEY}.bob.statement.json"} <= {*others}


def test_what_others_chose_is_text(recorded: Path) -> None:
    page = (recorded / f"{KEY}.record.html").read_text()
    assert "Treasury &amp; &lt;b&gt;Sons&lt;/b&gt;" in page
    assert "<b>Sons" not in page


def test_the_times_are_asked_for_where_they_are_not_said(group: list[Party], folder: Path) -> None:
    ran = run(group[0], folder, "record", "plan.toml")
    assert ran.status == 69
    assert "--began" in ran.stderr


def test_a_person_is_asked_for_the_times_and_types_digits_of_the_record(group: list[Party], folder: Path) -> None:
    alice, bob, carol = group
    for party in (bob, carol):
        record(party, folder)
    home = ["--home", str(alice.directory / "home")]
    with Session(["ceremony", "record", "plan.toml", *home], cwd=folder) as session:
        session.expect("begin, by the clock on the wall?")
        session.type("half past nine\n")
        session.expect("end, by the clock on the wall?")
        session.type("\n")
        assert session.end() == 0
    page = (folder / f"{KEY}.record.html").read_bytes()
    assert b"half past nine" in page
    assert b"not said" in page
    pin = f"file:{alice.directory / 'pin'}"
    with Session(["ceremony", "sign", "plan.toml", "--pin-source", pin, *home], cwd=folder) as session:
        session.expect("the last 4 digits of its sha256")
        session.type(hashlib.sha256(page).hexdigest()[-4:] + "\n")
        assert session.end() == 0
    assert signatures(folder) == [f"{KEY}.record.alice.p7s"]


def test_a_record_that_was_touched_is_not_signed(group: list[Party], recorded: Path) -> None:
    path = recorded / f"{KEY}.record.html"
    path.write_bytes(path.read_bytes().replace(b"10:45", b"10:46", 1))
    ran = run(group[0], recorded, "sign", "plan.toml")
    assert ran.status == 65
    assert "is not the record that this machine makes" in ran.stderr
    assert signatures(recorded) == []


def test_a_statement_that_was_touched_is_not_signed(group: list[Party], recorded: Path) -> None:
    path = recorded / f"{KEY}.bob.statement.json"
    told = json.loads(path.read_bytes())
    told["agreed"]["check_code"] = "0000 " * 7 + "0000"
    path.write_bytes(json.dumps(told).encode() + b"\n")
    ran = run(group[0], recorded, "sign", "plan.toml")
    assert ran.status == 65
    assert "the statement of bob has another check code" in ran.stderr


def test_what_does_not_verify_is_not_stated(group: list[Party], folder: Path) -> None:
    (folder / "text").write_bytes(b"something else")
    ran = record(group[0], folder)
    assert ran.status == 10
    assert "text.sig does not verify" in ran.stderr
    assert not [*folder.glob("*.statement.json")]


def test_a_plan_that_changed_is_another(group: list[Party], folder: Path) -> None:
    record(group[0], folder)
    (folder / "plan.toml").write_text(PLAN + "# a note\n")
    assert record(group[0], folder).status == 73
    assert record(group[0], folder, "--force").status == 0
    (folder / "plan.toml").write_text(
        PLAN.replace("threshold = 2", "threshold = 3").replace('"alice", "carol"]', '"alice", "bob", "carol"]')
    )
    ran = record(group[0], folder, "--force")
    assert ran.status == 2
    assert "is not the one of the plan" in ran.stderr


def test_whose_signature_it_is(signed: Path, group: list[Party], tmp_path: Path) -> None:
    alice = group[0]
    path = signed / f"{KEY}.record.html"
    (mallory,) = parties.gather(tmp_path / "others", ["alice"])
    with mallory.holder() as holder:
        from frost_hsm.plans import signature

        (signed / "mallory.p7s").write_bytes(signature.sign(path.read_bytes(), holder))
    ran = run(alice, signed, "verify", path.name, "mallory.p7s")
    assert ran.status == 10
    assert "who is no participant" in ran.stderr
    shutil.copy(path, signed / "altered.html")
    (signed / "altered.html").write_bytes(path.read_bytes().replace(b"10:00", b"10:01", 1))
    ran = run(alice, signed, "verify", "altered.html", signatures(signed)[-1])
    assert ran.status == 10
    assert "BAD signature of" in ran.stderr
    assert run(alice, signed, "verify", path.name, "text.sig").status == 65
    assert run(alice, signed, "verify", "text", signatures(signed)[0]).status == 65


def test_a_rehearsal_that_fails_says_where_and_leaves_nothing(
    group: list[Party], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With processes as they are, and tokens that are files."""
    nowhere = tmp_path / "nowhere"
    nowhere.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(nowhere))
    typed = [Typed("alice", "frost-hsm setup --me alice"), Typed("bob", "frost-hsm peer add *.identity.pem no.pem")]
    monkeypatch.setattr(script, "commands", lambda plan, file: typed)
    ran = run(group[0], folder, "rehearse", "plan.toml", "--software")
    assert ran.status == 2
    said = ran.stderr.splitlines()
    assert said[:2] == [f"{each.who}$ {each.line}" for each in typed]
    assert said[2] == f"error: the rehearsal stopped: {said[1]} ended with status 66"
    assert said[3].startswith("  error: cannot read no.pem")  # so the first file was there
    assert [*nowhere.iterdir()] == []


def test_without_the_libraries_it_is_said_what_to_install(
    group: list[Party], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from frost_hsm.cli.paper import printing

    printing._environment.cache_clear()
    monkeypatch.setitem(__import__("sys").modules, "segno", None)
    ran = run(group[0], folder, "plan", "plan.toml")
    assert ran.status == 2
    assert "pip install 'frost-hsm[ceremony]'" in ran.stderr


# ── What inspect says of papers ──


def inspected(party: Party, folder: Path, *names: str) -> list[dict[str, object]]:
    ran = parties.run(folder, *party.arguments(["inspect", *names, "--json"]))
    assert ran.status == 0, ran.stderr
    files: list[dict[str, object]] = json.loads(ran.stdout)["files"]
    return files


def shown(party: Party, folder: Path, name: str) -> str:
    return parties.run(folder, *party.arguments(["inspect", name])).stdout


def test_inspect_says_what_papers_are_and_who_made_them(group: list[Party], signed: Path, tmp_path: Path) -> None:
    bob, names = group[1], (f"{KEY}.alice.statement.json", f"{KEY}.record.html", f"{KEY}.record.alice.p7s")
    stated, record_, signature = inspected(bob, signed, *names)
    alice = group[0].public.fingerprint
    assert stated["kind"] == "statement of a participant in a ceremony"
    assert (stated["name"], stated["identity"]) == ("alice", "known here")
    assert stated["fingerprint"] == signature["fingerprint"] == alice.replace(" ", "")
    assert stated["signature"] == "none: a statement is not signed, the record of all of them is"
    digest = hashlib.sha256((signed / "text.sig").read_bytes()).hexdigest()
    assert stated["signed"] == [f"text.sig {(signed / 'text.sig').stat().st_size} bytes, sha256 {digest}"]
    assert (stated["began"], stated["ended"]) == ("10:00", "10:45")
    assert record_["kind"] == "record of a ceremony"
    assert record_["participants"] == [f"{each.name} {each.public.fingerprint}, known here" for each in group]
    assert signature["kind"] == "signature of a participant on the record of a ceremony"
    assert (signature["name"], signature["identity"]) == ("alice", "known here")
    assert signature["signature"] == "good, by the identity in it, on the file with this sha256"
    assert signature["sha256"] == record_["sha256"] == hashlib.sha256((signed / names[1]).read_bytes()).hexdigest()
    assert alice in shown(bob, signed, names[2])
    nobody = ["--home", str(tmp_path / "nothing")]
    assert [each["identity"] for each in inspected(bob, signed, names[0], names[2], *nobody)] == ["not known here"] * 2


def test_inspect_tells_another_identity_of_a_known_name(group: list[Party], signed: Path, tmp_path: Path) -> None:
    """Somebody calls their token alice."""
    [other] = parties.gather(tmp_path / "others", ("alice",))
    paper = (signed / f"{KEY}.record.html").read_bytes()
    with other.holder() as holder:
        (signed / "other.p7s").write_bytes(signatures_of.sign(paper, holder))
    [entry] = inspected(group[1], signed, "other.p7s")
    assert entry["identity"] == "ANOTHER than the alice who is known here"
    path = signed / f"{KEY}.alice.statement.json"
    path.write_bytes(path.read_bytes().replace(group[0].public.fingerprint.encode(), b"0000" + b" 0000" * 7))
    [entry] = inspected(group[1], signed, path.name)
    assert entry["identity"] == "ANOTHER than the alice who is known here"
    record_ = signed / f"{KEY}.record.html"
    record_.write_bytes(paper.replace(group[0].public.fingerprint.encode(), b"0000" + b" 0000" * 7))
    [entry] = inspected(group[1], signed, record_.name)
    assert str(entry["participants"]).count("ANOTHER") == 1


def test_inspect_refuses_mangled_papers(group: list[Party], signed: Path) -> None:
    """Whatever is read is said in printable lines; a signature of which any byte is another is never called good."""
    bob, chance = group[1], random.Random(12)
    for name in (f"{KEY}.alice.statement.json", f"{KEY}.record.html", f"{KEY}.record.alice.p7s"):
        whole = (signed / name).read_bytes()
        places = range(len(whole)) if name.endswith("p7s") else chance.sample(range(len(whole)), 150)
        for place in places:
            data = bytearray(whole)
            data[place] ^= 1 << chance.randrange(8)
            try:
                [entry] = describe(bytes(data), {bob.public.sign_key.key_id: bob.public})
            except FrostHsmError:
                continue
            assert not name.endswith("p7s"), place
            assert all(str(value).isprintable() for value in entry.values())
        for cut in (whole[:-2], whole[: len(whole) // 2], whole + b"\n}", b"\0" + whole):
            may_be_read = name.endswith("html")  # of which two elements alone are looked for
            with contextlib.suppress(FrostHsmError) if may_be_read else pytest.raises(FrostHsmError):
                list(describe(cut, {}))


def test_inspect_names_whose_signature_is_bad(group: list[Party], signed: Path) -> None:
    path = signed / f"{KEY}.record.alice.p7s"
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes((data[-1] ^ 1,)))
    ran = parties.run(signed, *group[1].arguments(["inspect", path.name]))
    assert ran.status != 0
    assert "BAD signature of alice" in ran.stderr
