"""Events of Nostr: taken by nostr-sdk, refused by it once changed, and shown in full."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stage.dealing import few
from stage.memory_group import MemoryGroup, altered, group
from stage.signing_things import NOW, make, sign, verify

from frost_hsm import targets
from frost_hsm.errors import InvalidSignature, MalformedMessage, NotPossible
from frost_hsm.targets.nostr import NostrEvent, public_key

nostr_sdk = pytest.importorskip("nostr_sdk")

BY = group("secp256k1-tr")
NOTE = 'Version 1.0 is out.\n\nThe same as 0.9, \N{GRINNING FACE} "quoted" \\ and all.\n'.encode()
TAGS = '[["t","release"],["p","%s"]]' % ("ab" * 32)


def takes(event: bytes) -> bool:
    try:
        return bool(nostr_sdk.Event.from_json(event.decode()).verify())
    except (nostr_sdk.NostrSdkError, UnicodeDecodeError):
        return False


@pytest.mark.parametrize("by", [group("secp256k1-tr", number) for number in range(3)], ids=["0", "1", "2"])
def test_it_is_taken(by: MemoryGroup) -> None:
    """By several groups: half of all keys have a y that BIP-340 leaves out."""
    made = sign("nostr", make("nostr", NOTE, by=by, tags=TAGS), by=by)
    assert takes(made.finished)
    event = nostr_sdk.Event.from_json(made.finished.decode())
    assert event.content().encode() == NOTE
    assert event.author().to_hex() == public_key(by.key)
    assert verify("nostr", made.finished, by=by).to_sign(by.key) == made.message


def test_it_is_refused_once_changed() -> None:
    made = sign("nostr", make("nostr", NOTE, by=BY), by=BY)
    for other in altered(made.finished[:-1], 16):
        assert not takes(other)
        with pytest.raises((InvalidSignature, MalformedMessage)):
            verify("nostr", other + b"\n", by=BY)


def test_every_field_is_shown() -> None:
    said = sign("nostr", make("nostr", NOTE, by=BY, tags=TAGS, kind="30023"), by=BY).words
    for wanted in (
        "kind 30023",
        '"t", "release"',
        "  | Version 1.0 is out.",
        "  | The same as 0.9",
        public_key(BY.key),
    ):
        assert wanted in said


GOOD = NostrEvent(public_key(BY.key), NOW, 1, [["t", "x"]], "text").encode()


@pytest.mark.parametrize(
    "thing",
    [
        GOOD.replace(b",", b", "),
        GOOD.replace(b"text", b"te\\u0078t"),
        GOOD.replace(b"text", b"te\\u0000xt"),
        GOOD.replace(b"text", b"te\\u001bxt"),
        GOOD.replace(b'"x"', b"1"),
        GOOD.replace(b'["t","x"]', b"[]"),
        GOOD.replace(b"[0", b"[1"),
        GOOD.replace(b",1,", b",true,"),
        GOOD.replace(b",1,", b",70000,"),
        GOOD[:-1] + b',"hidden"]',
        GOOD + b" ",
        b"{}",
        b"[" * 9999,
        b"",
    ],
)
def test_what_is_hidden_is_refused(thing: bytes) -> None:
    assert sign("nostr", GOOD, by=BY)
    with pytest.raises(MalformedMessage):
        targets.load("nostr").read(thing)


def test_an_event_by_another_key() -> None:
    with pytest.raises(NotPossible, match="another key"):
        targets.load("nostr").read(GOOD).to_sign(group("secp256k1-tr", 1).key)


@pytest.mark.parametrize(
    "texts", [{"tags": "x"}, {"tags": "{}"}, {"tags": '[["a",1]]'}, {"kind": "-1"}, {"kind": "99999"}]
)
def test_events_that_cannot_be_made(texts: dict[str, str]) -> None:
    with pytest.raises(NotPossible):
        make("nostr", NOTE, by=BY, **texts)


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)


@few
@given(TEXT, st.lists(st.lists(TEXT, min_size=1, max_size=3), max_size=3), st.integers(0, 65535))
def test_what_is_shown_is_what_others_parse(content: str, tags: list[list[str]], kind: int) -> None:
    made = sign("nostr", make("nostr", content.encode(), by=BY, tags=json.dumps(tags), kind=str(kind)), by=BY)
    event = nostr_sdk.Event.from_json(made.finished.decode())
    assert event.verify()
    read = json.loads(event.as_json())
    assert (read["kind"], read["tags"], read["content"]) == (kind, tags, content)
    shown = [line for line in made.words.splitlines() if line.startswith("  tag")]
    assert len(shown) == len(tags)
    assert f"kind {kind}," in made.words
