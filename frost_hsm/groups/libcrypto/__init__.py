"""The libcrypto that the interpreter has loaded, through `ctypes`: where it is, and the signatures we use.

CPython's `_hashlib` is linked against OpenSSL, so looking symbols up through that extension module reaches
the very library the interpreter uses: nothing is installed, nothing is loaded twice. Every call drops the
interpreter's lock.

On it stand ``hashing`` ``scalars`` ``curves``.
"""

from __future__ import annotations

import ctypes
import importlib
import threading
from collections.abc import Iterator
from ctypes import c_char_p, c_int, c_size_t, c_ubyte, c_void_p
from typing import Any

_REQUIRED: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "BN_CTX_free": (None, (c_void_p,)),
    "BN_CTX_secure_new": (c_void_p, ()),
    "BN_MONT_CTX_free": (None, (c_void_p,)),
    "BN_MONT_CTX_new": (c_void_p, ()),
    "BN_MONT_CTX_set": (c_int, (c_void_p, c_void_p, c_void_p)),
    "BN_add": (c_int, (c_void_p, c_void_p, c_void_p)),
    "BN_bin2bn": (c_void_p, (c_void_p, c_int, c_void_p)),
    "BN_bn2binpad": (c_int, (c_void_p, c_void_p, c_int)),
    "BN_bn2lebinpad": (c_int, (c_void_p, c_void_p, c_int)),
    "BN_clear_free": (None, (c_void_p,)),
    "BN_clear": (None, (c_void_p,)),
    "BN_cmp": (c_int, (c_void_p, c_void_p)),
    "BN_copy": (c_void_p, (c_void_p, c_void_p)),
    "BN_free": (None, (c_void_p,)),
    "BN_is_zero": (c_int, (c_void_p,)),
    "BN_lebin2bn": (c_void_p, (c_void_p, c_int, c_void_p)),
    "BN_lshift": (c_int, (c_void_p, c_void_p, c_int)),
    "BN_mask_bits": (c_int, (c_void_p, c_int)),
    "BN_mod_add_quick": (c_int, (c_void_p, c_void_p, c_void_p, c_void_p)),
    "BN_mod_exp_mont": (c_int, (c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p)),
    "BN_mod_mul_montgomery": (c_int, (c_void_p, c_void_p, c_void_p, c_void_p, c_void_p)),
    "BN_mul_word": (c_int, (c_void_p, c_size_t)),  # BN_ULONG: a machine word
    "BN_new": (c_void_p, ()),
    "BN_nnmod": (c_int, (c_void_p, c_void_p, c_void_p, c_void_p)),
    "BN_num_bits": (c_int, (c_void_p,)),
    "BN_rshift": (c_int, (c_void_p, c_void_p, c_int)),
    "BN_secure_new": (c_void_p, ()),
    "BN_set_flags": (None, (c_void_p, c_int)),
    "BN_to_montgomery": (c_int, (c_void_p, c_void_p, c_void_p, c_void_p)),
    "EC_GROUP_free": (None, (c_void_p,)),
    "EC_GROUP_get0_generator": (c_void_p, (c_void_p,)),
    "EC_GROUP_new_by_curve_name": (c_void_p, (c_int,)),
    "EC_POINT_add": (c_int, (c_void_p, c_void_p, c_void_p, c_void_p, c_void_p)),
    "EC_POINT_cmp": (c_int, (c_void_p, c_void_p, c_void_p, c_void_p)),
    "EC_POINT_copy": (c_int, (c_void_p, c_void_p)),
    "EC_POINT_dbl": (c_int, (c_void_p, c_void_p, c_void_p, c_void_p)),
    "EC_POINT_free": (None, (c_void_p,)),
    "EC_POINT_invert": (c_int, (c_void_p, c_void_p, c_void_p)),
    "EC_POINT_is_at_infinity": (c_int, (c_void_p, c_void_p)),
    "EC_POINT_mul": (c_int, (c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p)),
    "EC_POINT_new": (c_void_p, (c_void_p,)),
    "EC_POINT_oct2point": (c_int, (c_void_p, c_void_p, c_char_p, c_size_t, c_void_p)),
    "EC_POINT_point2oct": (c_size_t, (c_void_p, c_void_p, c_int, c_void_p, c_size_t, c_void_p)),
    "ERR_clear_error": (None, ()),
    "EVP_Digest": (c_int, (c_void_p, c_size_t, c_void_p, c_void_p, c_void_p, c_void_p)),
    "EVP_DigestFinalXOF": (c_int, (c_void_p, c_void_p, c_size_t)),
    "EVP_DigestInit_ex": (c_int, (c_void_p, c_void_p, c_void_p)),
    "EVP_DigestUpdate": (c_int, (c_void_p, c_void_p, c_size_t)),
    "EVP_MD_CTX_free": (None, (c_void_p,)),
    "EVP_MD_CTX_new": (c_void_p, ()),
    "EVP_get_digestbyname": (c_void_p, (c_char_p,)),
    "OPENSSL_cleanse": (None, (c_void_p, c_size_t)),
    "OpenSSL_version": (c_char_p, (c_int,)),
}

_OPTIONAL: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "EVP_MD_fetch": (c_void_p, (c_void_p, c_char_p, c_char_p)),  # since 3.0, where the other way fetches at every use
    # deprecated since 3.0 and present in 3.5: a multi-scalar multiplication
    "EC_POINTs_mul": (c_int, (c_void_p, c_void_p, c_void_p, c_size_t, c_void_p, c_void_p, c_void_p)),
}


class Libcrypto:
    """The functions of one libcrypto, as attributes under their C names, with their argument types set.

    A missing optional function is None. Raises `AttributeError` if a required one is missing.
    """

    def __init__(self, library: ctypes.CDLL) -> None:
        for name, (result, arguments) in (_REQUIRED | _OPTIONAL).items():
            function = getattr(library, name) if name in _REQUIRED else getattr(library, name, None)
            if function is not None:
                function.restype = result
                function.argtypes = arguments
            setattr(self, name, function)

        self._kinds: dict[str, int | None] = {}

    def digest_kind(self, algorithm: str) -> int | None:
        """Return the EVP_MD of what `hashlib` calls so, looked up once; None if there is none."""
        if algorithm not in self._kinds:
            name = algorithm.replace("_", "").encode()
            fetched = self.EVP_MD_fetch(None, name, None) if self.EVP_MD_fetch else None  # stays with the library
            self._kinds[algorithm] = fetched or self.EVP_get_digestbyname(name)
        return self._kinds[algorithm]

    def __getattr__(self, name: str) -> Any:  # the C functions, typed by their argtypes
        raise AttributeError(name)


class _Workspace:
    """What one thread computes with: a BN_CTX, two BIGNUMs and a buffer, for public values only; and what it may use
    again, wiped, to hash in.
    """

    def __init__(self, library: Libcrypto) -> None:
        self._library = library
        self.context = library.BN_CTX_secure_new()
        self.a = library.BN_new()
        self.b = library.BN_new()
        self.buffer = (c_ubyte * 65)()
        self.rooms: dict[Any, Any] = {}

    def __del__(self) -> None:
        self._library.BN_CTX_free(self.context)
        self._library.BN_free(self.a)
        self._library.BN_free(self.b)


class Workspaces(threading.local):
    """One `_Workspace` a thread, made on the thread's first use and freed when it ends."""

    def __init__(self, library: Libcrypto) -> None:
        self.mine = _Workspace(library)


def find() -> Iterator[Libcrypto]:
    """Yield each libcrypto in reach that has what we need, the interpreter's own first."""
    for path in _candidates():
        try:
            yield Libcrypto(ctypes.CDLL(path))
        except (OSError, AttributeError):  # not loadable here, or without the functions: the next one
            continue


def _candidates() -> Iterator[str | None]:
    for name in ("_hashlib", "_ssl"):
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        yield getattr(module, "__file__", None)  # None: built into the interpreter itself
    from ctypes import util  # takes longer to import than all the rest

    path = util.find_library("crypto")
    if path is not None:
        yield path
