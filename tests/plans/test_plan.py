"""Plans are read strictly, and what a script has people type is what they would type."""

from __future__ import annotations

import subprocess
from dataclasses import replace

import pytest
from manual.test_pages import problem

from frost_hsm.errors import FrostHsmError, InvalidMinSigners, MalformedMessage, NotPossible
from frost_hsm.plans import plan as plans
from frost_hsm.plans import script

PLAN = """\
title = "Our root"
key = "ca"
for = "ca"
threshold = 2
people = ["alice", "bob", "carol"]

[[sign]]
as = "x509-root"
file = "root"
with = { subject = "CN=It's 'Root',O=$Team" }
signers = ["alice", "carol"]
output = "root.pem"

[[sign]]
file = "text"
signers = ["bob", "carol"]
output = "text.sig"
"""


def test_a_plan_is_read() -> None:
    plan = plans.read(PLAN.encode())
    assert (plan.suite, plan.use, plan.threshold, plan.purpose) == ("ed25519", "ca", 2, "")
    assert plan.files == ("text",)
    root, text = plan.signings
    assert (root.needed, text.needed, text.target) == ((), ("text",), "raw")
    assert plans.read(PLAN.replace('for = "ca"', 'suite = "ed25519"').encode()).use is None


def test_what_was_signed_before_is_not_needed() -> None:
    listed = 'as = "x509-crl"\nfile = "revoked"\nwith = { issuer = "root.pem" }'
    plan = plans.read(PLAN.replace('file = "text"', listed).encode())
    assert plan.files == ("revoked",)
    first, last = PLAN.split("[[sign]]")[1:]
    turned = PLAN.split("[[sign]]")[0] + "[[sign]]" + last.replace('file = "text"', listed) + "[[sign]]" + first
    with pytest.raises(NotPossible, match=r"root\.pem is needed before it is made"):
        plans.read(turned.encode())


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('key = "ca"', 'key = "ca"\ncolour = "red"', '"colour" in line 3 means nothing'),
        ('output = "text.sig"', 'output = "text.sig"\nfrom = 1', '"from" in line 18 means nothing'),
        ("[[sign]]\nfile", "[[sing]]\nfile", '"sing" in line 14 means nothing'),
        ('title = "Our root"\n', "", "title is missing"),
        ('"Our root"', '"two\\nlines"', "the title of a plan is not one printable line"),
        ('"Our root"', '"\\u202eour root"', "the title of a plan is not one printable line"),
        ("threshold = 2", "threshold = true", "threshold has to be a number"),
        ("threshold = 2", 'threshold = "2"', "threshold has to be a number"),
        ('people = ["alice", "bob", "carol"]', 'people = "alice"', "people has to be a list of names"),
        ('"bob", "carol"]\n\n', '"bob", "Carol"]\n\n', '"Carol" is no name'),
        ('"bob", "carol"]\n\n', '"bob", "bob"]\n\n', "each named once"),
        ('key = "ca"', 'key = "../ca"', "is no name"),
        ('for = "ca"', 'for = "cars"', 'no suite is known for "cars"'),
        ('for = "ca"\n', "", "one of the two"),
        ('for = "ca"', 'for = "ca"\nsuite = "ed25519"', "one of the two"),
        ('for = "ca"', 'suite = "p256"', "no tool takes a signature of p256 as x509-root"),
        ('as = "x509-root"', 'as = "x509-rot"', 'no target "x509-rot"'),
        ("subject =", "subjects =", "cannot be told its subjects"),
        ("with = {", 'with = { days = "1", dyas = "2", ', "cannot be told its dyas"),
        ("with = { subject = \"CN=It's 'Root',O=$Team\" }\n", "", "has to be told its subject"),
        ("with = { subject = \"CN=It's 'Root',O=$Team\" }", "with = { subject = 1 }", "a table of texts"),
        ('signers = ["bob", "carol"]', 'signers = ["bob"]', "it takes 2 different signers for text.sig"),
        ('signers = ["bob", "carol"]', 'signers = ["bob", "bob"]', "it takes 2 different signers"),
        ('signers = ["bob", "carol"]', 'signers = ["bob", "dave"]', "dave signs text.sig, and is not among"),
        ('output = "text.sig"', 'output = "root.pem"', "two files are called root.pem"),
        ('output = "text.sig"', 'output = "text"', "two files are called text"),
        ('output = "text.sig"', 'output = "root.pem.sig"', "what belongs to root.pem.sig would be taken for"),
        ('file = "text"', 'file = "../text"', "is no name of a file"),
        ('file = "text"', 'file = "-text"', "is no name of a file"),
        ('file = "text"', 'file = "te;xt"', "is no name of a file"),
        ("[[sign]]\nas", "[sign]\nas", "is not TOML|stands under"),
        (
            'output = "text.sig"',
            'output = "text.sig"\nas = "git"',
            "git asks a clone of the repository for what text names",
        ),
        ('output = "text.sig"', 'output = "text.sig"\nclone = "app"', "raw asks no clone of a repository"),
        ('output = "text.sig"', 'output = "app"\nas = "git"\nclone = "app"', "two files are called app"),
        ('output = "text.sig"', 'output = "text.sig"\nas = "git"\nclone = "../app"', "is no name of a file"),
    ],
)
def test_what_is_refused(old: str, new: str, says: str) -> None:
    assert old in PLAN
    with pytest.raises(FrostHsmError, match=says):
        plans.read(PLAN.replace(old, new, 1).encode())


@pytest.mark.parametrize("data", [b"", b"\xff", b"key", b"=", b"[[" * 5000, b"#" * (plans.MAX_SIZE + 1)])
def test_what_is_no_plan(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        plans.read(data)


def test_the_threshold_is_one_of_key_generation() -> None:
    for threshold in (1, 4):
        with pytest.raises(InvalidMinSigners):
            plans.read(PLAN.replace("threshold = 2", f"threshold = {threshold}").encode())


def test_every_command_of_a_script_exists_and_is_somebodys() -> None:
    plan = plans.read(PLAN.encode())
    typed = script.commands(plan, "plan.toml")
    assert {each.who for each in typed} == {*plan.people}
    for each in typed:
        assert problem(each.line.removeprefix("frost-hsm ")) is None, each.line
    verified = {each.who: each.line for each in typed if each.line.startswith("frost-hsm verify")}
    assert verified == {  # by somebody who did not sign
        "bob": "frost-hsm verify --key ca --as x509-root root.pem",
        "alice": "frost-hsm verify --key ca text text.sig",
    }


@pytest.mark.parametrize("purpose", ["*", "'*'", "a '*' b", "$(id)", "; id", "~", "--yes"])
def test_what_people_write_stays_one_word_of_a_command(purpose: str) -> None:
    """It is no pattern, nor anything else to a shell, as which the rehearsal runs it."""
    plan = plans.read(PLAN.encode())
    lines = [each.line for each in script.commands(replace(plan, purpose=purpose), "plan.toml")]
    [line] = [line for line in lines if "propose" in line]
    said = subprocess.run(
        ["/bin/sh", "-c", line.replace("frost-hsm", "printf '%s\\n'", 1)], capture_output=True, text=True, check=True
    )
    assert said.stdout.splitlines()[-2:] == ["--purpose", purpose]
