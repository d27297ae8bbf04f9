"""Web tokens and other payloads: taken by PyJWT and joserfc, refused once changed; every claim is shown."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwk, jws
from joserfc.errors import BadSignatureError, JoseError
from stage.dealing import few
from stage.memory_group import MemoryGroup, altered, group, run
from stage.signing_things import make, sign, verify

from frost_hsm import targets
from frost_hsm.errors import InvalidSignature, MalformedMessage, NotPossible
from frost_hsm.targets import exporting

CLAIMS = {"iss": "team", "sub": "release 1.0", "exp": 4_000_000_000, "roles": ["a", "b"]}
DATA = json.dumps(CLAIMS).encode()


def by_pyjwt(token: str, by: MemoryGroup) -> bytes:
    key = jwt.PyJWK.from_json(exporting.export("jwk", by.key, "team-2026").decode())
    return jwt.PyJWS().decode(token, key, algorithms=["EdDSA"])


def by_joserfc(token: str, by: MemoryGroup) -> bytes:
    key = jwk.OKPKey.import_key(json.loads(exporting.export("jwk", by.key, "team-2026")))
    return jws.deserialize_compact(token, key, algorithms=["EdDSA"]).payload


pytestmark = pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # says joserfc; nothing else is known everywhere

judged = pytest.mark.parametrize("judge", [by_pyjwt, by_joserfc])


@judged
@pytest.mark.parametrize("suite", ["ed25519", "ed448"])
@pytest.mark.parametrize(("data", "typ"), [(DATA, "JWT"), (b"\0any payload", ""), (b"", "")])
def test_it_is_taken(judge: Callable[[str, MemoryGroup], bytes], suite: str, data: bytes, typ: str) -> None:
    by = group(suite)
    made = sign("jws", make("jws", data, by=by, typ=typ, kid="team-2026"), by=by)
    token = made.finished.decode().strip()
    assert judge(token, by) == data
    assert jwt.get_unverified_header(token).get("typ") == (typ or None)
    assert 'kid      "team-2026"' in made.words
    assert verify("jws", made.finished, by=by).to_sign(by.key) == made.message


@judged
def test_it_is_refused_once_changed(judge: Callable[[str, MemoryGroup], bytes]) -> None:
    made = sign("jws", make("jws", DATA))
    for other in altered(made.finished[:-2], 12):  # the last letter has bits that nobody reads
        token = (other + made.finished[-2:-1]).decode(errors="replace")
        with pytest.raises((jwt.PyJWTError, BadSignatureError, JoseError, ValueError)):
            judge(token, group())
        with pytest.raises((InvalidSignature, MalformedMessage)):
            verify("jws", other + made.finished[-2:])


def test_every_claim_is_shown() -> None:
    said = sign("jws", make("jws", DATA)).words
    for wanted in (
        '"iss": "team"',
        '"exp": 4000000000, 2096-10-02 07:06:40 UTC',
        '"roles": ["a", "b"]',
        'typ      "JWT"',
    ):
        assert wanted in said


def test_claims_are_shown_whatever_the_type() -> None:
    """Who verifies web tokens seldom looks at the type."""
    assert '"sub": "mallory"' in sign("jws", make("jws", b'{"sub":"mallory"}', typ="")).words


@pytest.mark.parametrize(
    "payload",
    [
        b'{"x":' + b"[" * 2000 + b"]" * 2000 + b',"sub":"mallory"}',  # deeper than this program reads, but not others
        b'{"x":' + b"1" * 5000 + b',"sub":"mallory"}',
        b'\n{"x":"\xff","sub":"mallory"}',
    ],
)
def test_it_is_said_where_claims_are_not_shown_that_others_read(payload: bytes, tmp_path: Path) -> None:
    made = sign("jws", make("jws", payload, typ=""))
    assert "CAREFUL" in made.words or '"sub": "mallory"' in made.words  # how deep Python reads is not always the same
    program = (
        "const [h, p, s] = require('fs').readFileSync(0, 'utf8').trim().split('.');"
        "const jwk = JSON.parse(process.argv[1]), crypto = require('crypto');"
        "const key = crypto.createPublicKey({key: jwk, format: 'jwk'});"
        "if (!crypto.verify(null, h + '.' + p, key, Buffer.from(s, 'base64url'))) process.exit(1);"
        "console.log(JSON.parse(Buffer.from(p, 'base64url').toString()).sub);"
    )
    key = exporting.export("jwk", group().key, "team").decode()
    done = run("node", "-e", program, key, cwd=tmp_path, stdin=made.finished)
    assert done.stdout.strip() == b"mallory"


def test_payloads_that_begin_as_no_claims_are_not_warned_of() -> None:
    assert "CAREFUL" not in sign("jws", make("jws", b"text", typ="")).words


@few
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_shown_as_they_are_written(number: float) -> None:
    assert f'"n": {number!r}' in sign("jws", make("jws", b'{"n":%b}' % repr(number).encode())).words


def part(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


HEADER = part(b'{"alg":"EdDSA","typ":"JWT"}')


@pytest.mark.parametrize(
    "thing",
    [
        part(b'{"alg":"none","typ":"JWT"}') + b"." + part(b"{}"),
        part(b'{"alg":"EdDSA","typ":"JWT","crit":["x"],"x":1}') + b"." + part(b"{}"),
        part(b'{"alg":"EdDSA","b64":false}') + b"." + part(b"{}"),
        part(b'{"alg":"EdDSA","jku":"http://evil.example"}') + b"." + part(b"{}"),
        part(b'{"alg":"EdDSA","alg":"EdDSA","typ":"JWT"}') + b"." + part(b"{}"),
        part(b'{"alg":"EdDSA", "typ":"JWT"}') + b"." + part(b"{}"),
        part(b'{"typ":"JWT","alg":"EdDSA"}') + b"." + part(b"{}"),
        HEADER + b"." + part(b'{"sub":"alice","sub":"mallory"}'),
        HEADER + b"." + part(b'{"in":{"sub":"alice","sub":"mallory"}}'),
        HEADER + b"." + part(b'{"n":NaN}'),
        HEADER + b"." + part(b'{"n":1e400}'),
        HEADER + b"." + part(b'{"n":1e-400}'),
        HEADER + b"." + part(b'{"n":1e-99999999999999999999}'),
        HEADER + b"." + part(b'{"n":[1.00000000000000000001]}'),
        part(b'{"alg":"EdDSA"}') + b"." + part(b'{"sub":"alice","sub":"mallory"}'),  # no type, and taken all the same
        HEADER + b"." + part(b"[]"),
        HEADER + b"." + part(b"no json"),
        HEADER + b"." + part(b"[" * 9999),
        HEADER + b"." + part(b"{}") + b"=",
        HEADER + b"." + part(b"{}") + b"\n",
        HEADER + b"." + b"e31",  # bits that nobody reads
        HEADER,
        b"",
    ],
)
def test_what_is_hidden_is_refused(thing: bytes) -> None:
    with pytest.raises(MalformedMessage):
        targets.load("jws").read(thing)


def test_payloads_that_are_no_claims() -> None:
    for data in (b"text", b'{"a":1,"a":2}', b"[]"):
        with pytest.raises(NotPossible):
            make("jws", data)


@few
@given(st.dictionaries(st.text(max_size=8), st.integers() | st.text(max_size=8) | st.none(), max_size=4))
def test_what_is_shown_is_what_others_parse(claims: dict[str, object]) -> None:
    made = sign("jws", make("jws", json.dumps(claims).encode()))
    read = json.loads(by_pyjwt(made.finished.decode().strip(), group()))
    shown = [line for line in made.words.splitlines() if line.startswith("  claim")]
    assert len(shown) == len(read)
    for line, value in zip(shown, read.values(), strict=True):
        assert f": {json.dumps(value)}" in line
