"""The bounds of what a `Token` is given, the same for every backend: checked before the token is asked."""

from __future__ import annotations

from frost_hsm.errors import NotPossible

KEY_ID_LENGTH = 16
MAX_NAME_LENGTH = 255
MAX_RECORD_LENGTH = 1 << 17  # the largest is the sealed polynomial of a threshold of 1024, 68 KiB

# P-256: y² = x³ - 3x + b over the field of p elements (SEC 2, secp256r1)
_P = 2**256 - 2**224 + 2**192 + 2**96 - 1
_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B


def check_new_key_id(key_id: bytes) -> None:
    """Refuse the id of a key to be made that is not 16 bytes."""
    _check_length("the id of a new key", key_id, KEY_ID_LENGTH)


def check_key_id(key_id: bytes) -> None:
    """Refuse a key id that is not 1 to 255 bytes: keys that are there already have ids of other makers."""
    if not 1 <= len(key_id) <= MAX_NAME_LENGTH:
        raise NotPossible(f"a key id has 1 to {MAX_NAME_LENGTH} bytes, not {len(key_id)}")


def check_digest(digest: bytes) -> None:
    """Refuse a digest that is not 32 bytes."""
    _check_length("the digest to sign", digest, 32)


def check_point(point: bytes) -> None:
    """Refuse what is not an uncompressed SEC1 point on P-256: tokens answer one in ways of their own."""
    _check_length("an uncompressed P-256 point", point, 65)
    x, y = int.from_bytes(point[1:33], "big"), int.from_bytes(point[33:], "big")
    if point[0] != 4 or x >= _P or y >= _P or (y * y - x * x * x + 3 * x - _B) % _P:
        raise NotPossible("the point to agree with is not on P-256")


def check_name(what: str, name: str) -> None:
    """Refuse a label or record name that is empty, has a NUL, or is longer than 255 bytes of UTF-8."""
    try:
        length = len(name.encode())
    except UnicodeEncodeError:
        raise NotPossible(f"{what} is not text that UTF-8 can hold: {name!r}") from None
    if not 1 <= length <= MAX_NAME_LENGTH or "\0" in name:
        raise NotPossible(f"{what} is 1 to {MAX_NAME_LENGTH} bytes of UTF-8 without NUL, not {name[:40]!r}")


def check_record(name: str, value: bytes) -> None:
    """Refuse a record whose name is out of bounds, or whose value is empty or above 128 KiB."""
    check_name("a record name", name)
    if not 1 <= len(value) <= MAX_RECORD_LENGTH:
        raise NotPossible(f'record "{name}" has {len(value)} bytes; possible are 1 to {MAX_RECORD_LENGTH}')


def _check_length(what: str, value: bytes, length: int) -> None:
    if len(value) != length:
        raise NotPossible(f"{what} has {length} bytes, not {len(value)}")
