"""Where ciphersuites depart from RFC 9591 (ZcashFoundation: the provided methods of the trait ``Ciphersuite``)."""

from __future__ import annotations

from typing import ClassVar


class Hooks:
    """What every suite does but one: nothing in particular."""

    tweaks_new_keys: ClassVar[bool] = False
    """Whether key generation ends with a tweak without scripts (ZcashFoundation: ``post_dkg``)."""

    def shorten(self, encoded: bytes) -> bytes:
        """Return what of an element's encoding goes into signatures and challenges."""
        return encoded

    def restore(self, data: bytes) -> bytes:
        """Return the encoding of the element that `shorten` stands for: of the normal one."""
        return data

    def normal(self, encoded: bytes) -> bytes:
        """Return, for a group key or R, the encoding of that one of ±element by which signatures verify."""
        return self.restore(self.shorten(encoded))

    def sign(self, encoded: bytes) -> int:
        """Return the factor, 1 or -1, that makes an element the normal one."""
        return 1 if self.normal(encoded) == encoded else -1


class Taproot(Hooks):
    """secp256k1-tr: keys and R stand for the one with an even y, and are written by x alone (BIP-340)."""

    tweaks_new_keys = True

    def shorten(self, encoded: bytes) -> bytes:
        """Leave the first byte out, which tells the sign of y."""
        return encoded[1:]

    def restore(self, data: bytes) -> bytes:
        """Take y as even."""
        return b"\2" + data
