"""The modules that a machine has: those that p11-kit is configured for, and those in the places of their makers."""

from __future__ import annotations

import glob
import os

from frost_hsm.backends.pkcs11.modules.p11kit import configured

_PLACES = {
    "softhsm": (
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib64/softhsm/libsofthsm.so",
        "/usr/lib64/pkcs11/libsofthsm2.so",
        "/usr/local/lib/softhsm/libsofthsm2.so",
        "/opt/homebrew/lib/softhsm/libsofthsm2.so",
    ),
    "ykcs11": ("/usr/lib/*/libykcs11.so*", "/usr/lib64/libykcs11.so*", "/opt/homebrew/lib/libykcs11.dylib"),
    "yubihsm": ("/usr/lib/*/pkcs11/yubihsm_pkcs11.so", "/usr/lib64/pkcs11/yubihsm_pkcs11.so"),
    "opensc": ("/usr/lib/*/opensc-pkcs11.so", "/usr/lib64/opensc-pkcs11.so", "/opt/homebrew/lib/opensc-pkcs11.so"),
    "tpm2": (
        "/usr/lib/*/libtpm2_pkcs11.so.1",
        "/usr/lib/*/pkcs11/libtpm2_pkcs11.so",
        "/usr/lib64/pkcs11/libtpm2_pkcs11.so",
    ),
    "opencryptoki": (
        "/usr/lib/*/opencryptoki/libopencryptoki.so.0",
        "/usr/lib64/opencryptoki/libopencryptoki.so",
    ),
    "nethsm": ("/usr/lib/nitrokey/libnethsm_pkcs11.so", "/usr/lib64/pkcs11/libnethsm_pkcs11.so"),
    "luna": ("/usr/safenet/lunaclient/lib/libCryptoki2_64.so",),
    "cloudhsm": ("/opt/cloudhsm/lib/libcloudhsm_pkcs11.so",),
    "nshield": ("/opt/nfast/toolkits/pkcs11/libcknfast.so",),
}


def known_modules() -> dict[str, str]:
    """List the modules found, none of them loaded: an alias for each, and its path; each library once."""
    found = dict(configured())
    if not _has_tpm():  # without one, its module says so in twenty lines
        found = {alias: path for alias, path in found.items() if "tpm2" not in path}
    libraries = {os.path.realpath(path) for path in found.values()}
    for alias, places in _PLACES.items():
        if alias == "tpm2" and not _has_tpm():
            continue
        for path in (each for place in places for each in sorted(glob.glob(place))):  # noqa: PTH207
            if os.path.realpath(path) not in libraries:
                libraries.add(os.path.realpath(path))
                found.setdefault(alias, path)
    return found


def _has_tpm() -> bool:
    return bool(glob.glob("/dev/tpm*")) or "TPM2_PKCS11_TCTI" in os.environ  # noqa: PTH207
