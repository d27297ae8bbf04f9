"""Where secret bytes come from, and that a process forked off does not use what was made for one use."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from frost_hsm import secret
from frost_hsm.errors import FrostHsmError, SecretConsumed, SecretForked
from frost_hsm.frost import signing
from frost_hsm.frost.ciphersuites import P256
from frost_hsm.frost.keys import dealer, dkg, refresh
from frost_hsm.frost.packages import KeyPackage, SigningNonces, SigningPackage
from frost_hsm.frost.values import Identifier
from frost_hsm.secret import OneProcess, system_entropy


def in_a_child(step: Callable[[], object]) -> str:
    """Return how a step ends in a forked child: the name of the error, or nothing."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            step()
            os.write(write, b"")
        except FrostHsmError as error:
            os.write(write, type(error).__name__.encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        ended = pipe.read()
    os.waitpid(child, 0)
    return ended


@pytest.mark.parametrize("length", [1, 32, 256, 257, 1000])
def test_entropy_fills_the_whole_buffer_with_other_bytes_each_time(length: int) -> None:
    buffers = [bytearray(length) for _ in range(8)]
    for buffer in buffers:
        system_entropy(memoryview(buffer))
    assert all(len(set(bytes_)) > 1 for bytes_ in zip(*buffers, strict=True))  # not all eight the same: 2⁻⁵⁶ a byte


def test_entropy_fills_a_part_of_a_buffer_and_no_more() -> None:
    buffer = bytearray(300)
    system_entropy(memoryview(buffer)[10:290])
    assert buffer[:10] == buffer[290:] == bytes(10)
    assert any(buffer[10:20])
    assert any(buffer[280:290])


def test_entropy_without_getentropy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret, "_getentropy", lambda: None)
    test_entropy_fills_the_whole_buffer_with_other_bytes_each_time(300)


def test_no_file_is_opened_for_entropy() -> None:
    """Whatever lies at the path of the random device, keys do not come from it."""
    program = """
import sys
from frost_hsm.frost import ciphersuites
from frost_hsm.frost.keys import dkg
from frost_hsm.frost.values import Identifier
suite = ciphersuites.P256
make = lambda: dkg.part1(suite, Identifier.from_u16(suite, 1), max_signers=3, min_signers=2)
make()  # whatever has to be loaded
opened = []
sys.addaudithook(lambda event, arguments: opened.append(arguments[0]) if event == "open" else None)
make()
open("/dev/null").close()
sys.exit(opened != ["/dev/null"])
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def nonces_and_request() -> tuple[SigningNonces, SigningPackage, KeyPackage]:
    shares, _ = dealer.generate_with_dealer(P256, max_signers=2, min_signers=2)
    (own, key), (other, others_key) = ((i, KeyPackage.from_secret_share(share)) for i, share in shares.items())
    nonces, commitments = signing.commit(key)
    _, others = signing.commit(others_key)
    return nonces, SigningPackage(P256, {own: commitments, other: others}, b"a message"), key


def test_nonces_do_not_serve_in_a_child() -> None:
    nonces, request, key = nonces_and_request()
    for step in (
        lambda: signing.sign(request, nonces, key),
        lambda: nonces.hiding,
        lambda: nonces.binding,
        nonces.take,
        nonces.serialize,
        nonces.to_json,
    ):
        assert in_a_child(step) == "SecretForked"
    signing.sign(request, nonces, key)
    with pytest.raises(SecretConsumed):
        nonces.take()


def test_nonces_made_in_a_child_serve_there() -> None:
    def sign() -> None:
        nonces, request, key = nonces_and_request()
        signing.sign(request, nonces, key)

    assert in_a_child(sign) == ""


@pytest.mark.parametrize("part1", [dkg.part1, refresh.refresh_dkg_part1])
def test_secret_packages_do_not_serve_in_a_child(part1: Callable[..., tuple[object, object]]) -> None:
    one, two = (Identifier.from_u16(P256, number) for number in (1, 2))
    part2 = dkg.part2 if part1 is dkg.part1 else refresh.refresh_dkg_part2
    first, _ = part1(P256, one, max_signers=2, min_signers=2)
    _, package = part1(P256, two, max_signers=2, min_signers=2)
    for step in (lambda: part2(first, {two: package}), lambda: first.coefficients, first.serialize):  # type: ignore
        assert in_a_child(step) == "SecretForked"
    second, packages = part2(first, {two: package})  # type: ignore[arg-type]
    with packages[two].serialize():
        pass
    for step in (second.consumed().__enter__, lambda: second.secret_share, second.serialize):
        assert in_a_child(step) == "SecretForked"
    assert not P256.group.is_zero(second.secret_share.scalar)


def test_a_child_may_wipe_its_copy_and_the_parent_keeps_its_own() -> None:
    nonces, request, key = nonces_and_request()
    assert in_a_child(nonces.wipe) == ""
    signing.sign(request, nonces, key)


def test_a_fork_that_python_does_not_know_of_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    guard = OneProcess()
    monkeypatch.setattr(os, "getpid", lambda: 1)
    with pytest.raises(SecretForked):
        guard.require("it")


def test_a_process_id_that_is_given_out_again_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    guard, mine = OneProcess(), os.getpid()

    def require_as_if_it_were_the_parent() -> None:
        monkeypatch.setattr(os, "getpid", lambda: mine)
        guard.require("it")

    assert in_a_child(require_as_if_it_were_the_parent) == "SecretForked"
    guard.require("it")
