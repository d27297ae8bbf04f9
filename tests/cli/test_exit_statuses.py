"""The exit statuses: every error has one, a code of its own and a hint."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from stage.parties import Party

from frost_hsm import cli, errors
from frost_hsm.errors import FrostHsmError
from frost_hsm.manual.error_codes import kinds

KINDS = set(kinds())

# By sysexits.h where it has a name for the case.
MEANINGS = {
    1: {"internal"},
    2: {
        "usage",
        "pin-on-command-line",
        "invalid-min-signers",
        "invalid-max-signers",
        "duplicated-identifier",
        "secret-consumed",
        "not-possible",
    },
    10: {"signature-invalid"},
    65: {"input", "package-malformed", "package-signature", "package-foreign", "sender-unknown", "seal-broken"},
    66: {"file-missing", "not-known"},
    69: {"token", "module-unavailable", "token-missing", "token-ambiguous", "no-terminal", "backend-unavailable"},
    73: {"output-exists", "token-key-exists"},
    74: {"storage", "device-lost"},
    75: {"waiting"},
    76: {"dkg-bad-share", "equivocation", "nonce-used", "state-rolled-back", "step-conflict", "sign-bad-share"},
    77: {"pin-incorrect", "pin-final-try", "pin-locked", "pin-unusable", "token-mismatch", "key-policy"},
    78: {"config-invalid"},
    130: {"aborted"},
}


def test_the_statuses_are_those_that_are_documented() -> None:
    assert {kind.exit for kind in KINDS} == MEANINGS.keys()
    by_code = {kind.code: kind.exit for kind in KINDS}
    assert {code: by_code.get(code) for codes in MEANINGS.values() for code in codes} == {
        code: status for status, codes in MEANINGS.items() for code in codes
    }


def test_codes_are_stable_words_of_one_status() -> None:
    found: dict[str, int] = {}
    for kind in KINDS:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", kind.code)
        assert found.setdefault(kind.code, kind.exit) == kind.exit


def test_who_is_at_fault_decides_the_status() -> None:
    def below(kind: type[FrostHsmError]) -> Iterator[type[FrostHsmError]]:
        return (each for each in KINDS if issubclass(each, kind))

    assert {kind.exit for kind in below(errors.ProtocolViolation)} == {76}
    assert {kind.exit for kind in below(errors.Refused)} == {76}
    assert {kind.exit for kind in below(errors.UsageProblem)} == {2}
    assert {kind.exit for kind in below(errors.PinProblem)} == {77}
    assert {kind.exit for kind in below(errors.InputProblem)} == {65, 66, 73, 74}


def test_hints_and_sentences_have_one_form() -> None:
    for kind in KINDS:
        assert kind.__doc__
        hint = kind.default_hint
        if hint is not None:
            assert hint == hint.strip()
            assert not hint.endswith(".")
            assert not re.match(r"[A-Z][a-z]", hint)


@pytest.mark.parametrize("kind", sorted(KINDS, key=lambda kind: kind.__name__), ids=lambda kind: kind.__name__)
def test_the_program_ends_with_the_status_of_the_error(
    people: list[Party], kind: type[FrostHsmError], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        error = FrostHsmError.__new__(kind)  # whatever else its own constructor takes
        FrostHsmError.__init__(error, "something is wrong with it")
        raise error

    monkeypatch.setattr("frost_hsm.cli.workplace.Workplace.peers", fail)
    ran = people[0].run("peer", "list")
    assert ran.status == kind.exit
    assert ran.stderr.splitlines()[0] == "error: something is wrong with it"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["dkg"],
        ["nonsense"],
        ["dkg", "nonsense"],
        ["keys", "list", "--nonsense"],
        ["verify"],
        ["completion", "tcsh"],
    ],
)
def test_usage_mistakes(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(("error: ", "Usage: "))


def test_a_bug_says_so_and_shows_nothing_of_its_cause(people: list[Party], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError("the secret is 1234")

    monkeypatch.setattr("frost_hsm.cli.workplace.Workplace.peers", fail)
    ran = people[0].run("peer", "list")
    assert ran.status == 1
    assert ran.stderr == (
        "error: internal error: ValueError\nhint: this is a bug in frost-hsm; please report it with what -v adds\n"
    )
    assert "Traceback" in people[0].run("peer", "list", "-v").stderr
