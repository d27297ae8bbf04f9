"""A hostile file of 16 MB costs no command more than 100 MB of memory and 600,000 calls of functions.

Each that reads it runs in a child, whose memory the system has counted: every third with every file, always the same,
or all with FROST_HSM_EVERY=readers. Two calls for each line of 64 bytes are what it takes to pass over such a file.
"""

from __future__ import annotations

import cProfile
import functools
import gc
import os
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from fuzz.targets import TARGETS, home, seeds
from stage import parties
from stage.parties import KEY, Party
from stage.samples import takes

from frost_hsm.forms import cms, der, oids, pem
from frost_hsm.frost.ciphersuites import ED448

SIZE = 16 << 20
CONTENT = 11 << 20
"""What fits into a message."""

MEGABYTES = 100
CALLS = 600_000
HASH = der.octet_string(bytes(32))
HEADER = b'{"header":{"version":0,"ciphersuite":"FROST-P256-SHA256-v1"},"verifying_key":"","verifying_shares":'


def much(unit: bytes, size: int = SIZE) -> bytes:
    return unit * (size // len(unit))


def nested() -> bytes:
    """Sequences in each other, a quarter of a million."""
    headers: list[bytes] = []
    inside = 0
    while inside < 1 << 20:
        headers.append(der.element(der.SEQUENCE, b"") if not inside else _header(inside))
        inside += len(headers[-1])
    return b"".join(reversed(headers))


def _header(length: int) -> bytes:
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((der.SEQUENCE, length)) if length < 0x80 else bytes((der.SEQUENCE, 0x80 | len(size))) + size


def message(content_type: str, *parts: bytes) -> bytes:
    return cms._encode(content_type, der.sequence(der.integer(1), HASH, *parts), bytes(20), bytes(32), b"", ())


def of_points() -> bytes:
    """A public key package of as many participants as there can be, over the slowest curve."""
    group = ED448.group
    point = group.encode(group.multiply_base(group.random_scalar())).hex()
    shares = ",".join(f'"{ED448.encode_scalar(number).hex()}":"{point}"' for number in range(1, 1 << 16))
    header = HEADER.replace(b"FROST-P256-SHA256-v1", ED448.id.encode()).replace(b'""', f'"{point}"'.encode())
    return header + b"{" + shares.encode() + b"}}"


HOSTILE: dict[str, Callable[[], bytes]] = {
    "random": lambda: Random(1).randbytes(SIZE),
    "nested DER": nested,
    "many signers": lambda: message(
        oids.SIGNING_REQUEST, *[HASH, der.integer(0), HASH, HASH], der.sequence(much(b"\2\1\1", CONTENT))
    ),
    "many envelopes": lambda: message(oids.DEALING, der.sequence(much(HASH, CONTENT))),
    "many envelopes, PEM": lambda: pem.encode("CMS", message(oids.ROUND2, HASH, der.sequence(much(HASH, CONTENT)))),
    "many enclosures": lambda: cms._encode(
        oids.DEALING,
        der.sequence(der.integer(3), HASH, der.sequence(HASH, HASH)),
        bytes(20),
        bytes(32),
        b"",
        (der.sequence(der.octet_string(number.to_bytes(3, "big"))) for number in range(CONTENT // 7)),
    ),
    "base64": lambda: b"-----BEGIN CMS-----\n" + much(b"A" * 64 + b"\n") + b"-----END CMS-----\n",
    "one line of base64": lambda: b"-----BEGIN CMS-----\n" + much(b"A") + b"\n-----END CMS-----\n",
    "ends of messages": lambda: much(b"-----END CMS-----\n"),
    "empty messages": lambda: much(b"-----BEGIN CMS-----\n-----END CMS-----\n"),
    "empty certificates": lambda: much(b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"),
    "a bundle of little": lambda: pem.encode("FROST-HSM BUNDLE", der.sequence(much(b"\4\0", CONTENT))),
    "proposals": lambda: much(seeds("inspect")["proposal.pem"]),
    "a bundle of proposals": lambda: pem.encode(
        "FROST-HSM BUNDLE", der.sequence(much(seeds("cms")["proposal.der"], CONTENT))
    ),
    "nested JSON": lambda: much(b'{"a":'),
    "empty lists": lambda: HEADER + b"[" + much(b"[],") + b"[]]}",
    "empty strings": lambda: HEADER + b"[" + much(b'"",') + b'""]}',
    "numbers": lambda: HEADER + b"[" + much(b"0,") + b"0]}",
    "one number": lambda: HEADER + much(b"1") + b"}",
    "one string": lambda: HEADER + b'"' + much(b"a") + b'"}',
    "many fields": lambda: b"{" + b",".join(b'"%x":0' % number for number in range(1_400_000)) + b"}",
    "many points": of_points,
    "many TOML keys": lambda: b"".join(b"a%x=0\n" % number for number in range(1 << 20)),
    "nested TOML": lambda: b"a=" + much(b"["),
}

COMMANDS = (
    "inspect FILE",
    "inspect --message FILE",
    f"verify --key {KEY} message FILE",
    "verify --key FILE message message",
    "peer add FILE",
    "dkg round1 FILE",
    f"dkg confirm {KEY} FILE",
    "keys import FILE",
    "backup verify FILE",
    f"sign respond FILE --key {KEY}",
    "dealer split dealt --key-file FILE",
    "ceremony plan FILE",
    "ceremony verify FILE message",
)
"""One for each way of reading a file."""

OWN = ("config", "token-file", "uri", "paper")
"""What is read without being named: as a target."""


pytestmark = pytest.mark.slow  # all in all


@pytest.fixture(scope="module")
def alice(tmp_path_factory: pytest.TempPathFactory) -> Party:
    people = parties.gather(tmp_path_factory.mktemp("cost"), ("alice", "bob"))
    parties.generate(people)
    proposal = parties.propose(people, name="dealt")
    people[0].join(proposal)
    for name in ("FILE", "message"):
        (people[0].directory / name).write_bytes(b"short")
    for command in COMMANDS:  # loads all that they need, which is not what is measured
        assert refuses(people[0], command), command
    home()  # made here, it is taken away at the end: no child does that
    return people[0]


def refuses(party: Party, command: str) -> bool:
    return party.run(*command.split()).status in (10, 65)


def readers(party: Party, data: bytes) -> dict[str, Callable[[], bool]]:
    """Return all that read a file, each of which has to refuse it."""
    works: dict[str, Callable[[], bool]] = {command: functools.partial(refuses, party, command) for command in COMMANDS}
    return works | {name: functools.partial(lambda name: not TARGETS[name].accepts(data), name) for name in OWN}


def spend(name: str, work: Callable[[], bool]) -> None:
    """Have a file read, within the calls that it may take."""
    with cProfile.Profile() as profile:
        assert work(), name
    calls = sum(function.callcount for function in profile.getstats())
    assert calls < CALLS, f"{name}: {calls}"


def peak(work: Callable[[], None]) -> float:
    """Do something in a child; returns the most megabytes that it had, those of ours among them."""
    gc.collect()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        except BaseException as error:
            print(error)
        finally:
            os._exit(status)
    _, ended, used = os.wait4(child, 0)
    assert os.waitstatus_to_exitcode(ended) == 0
    return used.ru_maxrss / 1024


@pytest.mark.parametrize(("place", "kind"), [*enumerate(HOSTILE)], ids=[*HOSTILE])
def test_a_hostile_file_costs_little(alice: Party, place: int, kind: str) -> None:
    data = HOSTILE[kind]()[:SIZE]
    Path(alice.directory / "FILE").write_bytes(data)
    before = peak(lambda: None)
    for number, (name, work) in enumerate(readers(alice, data).items(), place):
        if not takes("readers", number, 3):
            continue
        beyond = peak(functools.partial(spend, name, work)) - before
        assert beyond < MEGABYTES, f"{name}: {beyond:.0f} MB"


def test_a_file_without_end_is_not_read_to_its_end(alice: Party) -> None:
    ran = alice.run("inspect", "/dev/zero")
    assert (ran.status, "larger than 16 MiB" in ran.stderr) == (65, True)


def test_a_pipe_in_a_directory_is_passed_over(alice: Party) -> None:
    folder = alice.directory / "in"
    folder.mkdir()
    os.mkfifo(folder / "bob.pem")
    assert alice.run("refresh", "round2", KEY, "--in", str(folder)).status in (66, 75)
