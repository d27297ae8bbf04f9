"""p11-kit, which brings every module that the system is configured for; and the module of a token's own behind it.

Through p11-kit each command runs all these modules, and hears what they complain of. So a token that was found there is
from then on looked for in its own module.
"""

from __future__ import annotations

import ctypes
import glob
from collections.abc import Iterator

from frost_hsm.backends import TokenInfo
from frost_hsm.backends.pkcs11.calls.answers import explained
from frost_hsm.backends.pkcs11.modules.module import load, locked
from frost_hsm.errors import TokenProblem

NAME = "p11-kit"

_PLACES = (
    "/usr/lib/*/p11-kit-proxy.so",
    "/usr/lib64/p11-kit-proxy.so",
    "/usr/lib/p11-kit-proxy.so",
    "/usr/local/lib/p11-kit-proxy.so",
    "/opt/homebrew/lib/p11-kit-proxy.dylib",
)


def find_proxy() -> str | None:
    """Find p11-kit's own module; None where p11-kit is not installed."""
    return next((found for place in _PLACES for found in sorted(glob.glob(place))), None)  # noqa: PTH207


def own_module(info: TokenInfo) -> tuple[str, str] | None:
    """Find the module of a token that p11-kit brought: its name in p11-kit's configuration, and its path.

    None if there is not exactly one that shows the token by itself, as for a remote token.
    """
    wanted = (info.label, info.serial, info.manufacturer, info.model)
    found = [(name, path) for name, path in configured() if wanted in _shown(path)]
    return found[0] if len(found) == 1 else None


def configured() -> list[tuple[str, str]]:
    """List p11-kit's modules that start without words of its configuration: name and path."""
    proxy = find_proxy()
    if proxy is None:
        return []
    p11kit = ctypes.CDLL(proxy)  # the proxy is the library
    p11kit.p11_kit_modules_load.restype = ctypes.POINTER(ctypes.c_void_p)
    for name in ("p11_kit_module_get_name", "p11_kit_module_get_filename", "p11_kit_config_option"):
        getattr(p11kit, name).restype = ctypes.c_char_p  # the few bytes that it points to are not given back
    modules = p11kit.p11_kit_modules_load(None, 0)
    found: list[ctypes.c_void_p] = []
    while modules and modules[len(found)]:
        found.append(ctypes.c_void_p(modules[len(found)]))
    named = [
        (p11kit.p11_kit_module_get_name(module), p11kit.p11_kit_module_get_filename(module))
        for module in found
        if not p11kit.p11_kit_config_option(module, b"x-init-reserved")
    ]
    p11kit.p11_kit_modules_release(modules)
    return [(name.decode(), path.decode()) for name, path in named if name and path and path.startswith(b"/")]


def _shown(path: str) -> Iterator[tuple[str, str, str, str]]:
    try:
        module = load(path)
        with locked(), explained(f"looking for tokens of {path}"):
            for token in module.present_tokens():
                serial = token.serial.rstrip(b"\0 ").decode("utf-8", "replace")
                yield token.label, serial, token.manufacturer_id, token.model
    except TokenProblem:
        return
