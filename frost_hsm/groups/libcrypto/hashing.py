"""Hashing secret data to integers on libcrypto, in buffers of ours that are wiped."""

from __future__ import annotations

from ctypes import addressof, c_ubyte

from frost_hsm.groups.libcrypto import Libcrypto
from frost_hsm.groups.secret_hash import ExpandedHash, SecretHash

DIGEST_LENGTHS = {"sha256": 32, "sha512": 64}  # of the others, as long as wanted
_B = DIGEST_LENGTHS["sha256"]


class HashRoom:
    """What secret data of one length are hashed in, as often as wanted; wiped at the end of a block, and good for more.

    data, at_data: where the caller puts them. at, length: where the integer is after `hash`, and its bytes.
    """

    def __init__(self, library: Libcrypto, how: SecretHash, data_length: int) -> None:
        self._library = library
        if isinstance(how, ExpandedHash):
            before, after, self.length = how.before, how.after, 48
            self._block = bytearray(b"".join((bytes(_B + 1), how.suffix)))
            self._at_block = address(self._block)
            self._kind = library.digest_kind("sha256")
            self.hash = self._expand
        else:
            before, after, self.length = how.prefix, b"", how.length
            self._block = bytearray()
            self._algorithm = how.algorithm
            self.hash = self._digest
        self._message = bytearray(b"".join((before, bytes(data_length), after)))
        self._wide = bytearray(self.length)
        self._at_message, self.at = address(self._message), address(self._wide)
        self.at_data = self._at_message + len(before)
        self.data = memoryview(self._message)[len(before) : len(before) + data_length]
        self._chained, self._uniform = memoryview(self._block)[:_B], memoryview(self._wide)

    def _digest(self) -> None:
        digest(self._library, self._algorithm, self._message, self._wide)

    def _expand(self) -> None:
        hash_once, kind, block, wide = self._library.EVP_Digest, self._kind, self._block, self._wide
        at_block, length = self._at_block, len(block)
        done = hash_once(self._at_message, len(self._message), at_block, None, kind, None)  # b₀
        block[_B] = 1
        done &= hash_once(at_block, length, self.at, None, kind, None)  # b₁
        for k in range(_B):
            block[k] ^= wide[k]
        block[_B] = 2
        done &= hash_once(at_block, length, at_block, None, kind, None)  # b₂
        self._uniform[_B:] = self._chained[: self.length - _B]  # as bytes they would be left behind
        if not done:
            raise MemoryError("libcrypto failed, probably out of memory")

    def __enter__(self) -> HashRoom:
        return self

    def __exit__(self, *exc: object) -> None:
        for secret in (self.data, self._chained, self._uniform):
            secret[:] = bytes(len(secret))


def digest(library: Libcrypto, algorithm: str, source: bytearray | memoryview, target: bytearray | memoryview) -> None:
    """Hash from one buffer into another. Raises `ValueError` for an unknown algorithm or another length."""
    kind = library.digest_kind(algorithm)
    if not kind or len(target) != DIGEST_LENGTHS.get(algorithm, len(target)):
        raise ValueError(f"no digest {algorithm} of {len(target)} bytes")
    read, write = _array(source), _array(target)
    if algorithm in DIGEST_LENGTHS:
        done = library.EVP_Digest(read, len(source), write, None, kind, None)
    else:
        context = library.EVP_MD_CTX_new()
        try:
            done = (
                library.EVP_DigestInit_ex(context, kind, None)
                and library.EVP_DigestUpdate(context, read, len(source))
                and library.EVP_DigestFinalXOF(context, write, len(target))
            )
        finally:
            library.EVP_MD_CTX_free(context)  # which clears it
    if not done:
        raise MemoryError("libcrypto failed, probably out of memory")


def address(buffer: bytearray) -> int:
    """Return where a buffer lies, as long as its owner keeps it and its length."""
    return addressof((c_ubyte * len(buffer)).from_buffer(buffer))


def _array(buffer: bytearray | memoryview) -> object:
    """Lend a buffer; it cannot be released or resized before the array is gone."""
    return (c_ubyte * len(buffer)).from_buffer(buffer)
