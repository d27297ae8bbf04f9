"""PKCS#11 URIs (RFC 7512): which token, through which module.

Stricter than the RFC in four places. A PIN never stands in a URI, nor does its source, which is an option of
its own. A slot number does not select, because it changes by itself. An attribute that we do not know is
refused, unless its name begins with ``x-``: ignoring it might select another token. ``module-path`` and
``module-name`` may stand in the path part, where other programs write them too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import ClassVar, Self
from urllib.parse import quote, unquote_to_bytes

from frost_hsm.errors import UsageProblem

MAX_URI_LENGTH = 4096

_ATTRIBUTE = re.compile(r"(?P<name>[a-zA-Z0-9_-]+)=(?P<value>(?:[a-zA-Z0-9._~:\[\]@!$'()*+,=&/?|-]|%[0-9a-fA-F]{2})*)")

_REFUSED = {
    "pin-value": (
        "a PIN does not belong in a URI",
        "leave it out to be asked, or use --pin-source; change this PIN",
    ),
    "pin-source": ("the source of the PIN is not read from a URI", "pass it with --pin-source"),
    "slot-id": (
        "slot numbers change by themselves, so they select nothing",
        "select by token= and serial=; frost-hsm token list prints both",
    ),
}


@dataclass(frozen=True, slots=True)
class Pkcs11Uri:
    """The attributes of a URI, decoded; None where it does not say.

    ``module_name`` is an alias of the configuration, ``module_path`` an absolute path. ``str()`` gives the
    one canonical form: attributes in the order of the fields, and nothing percent-encoded without need.
    """

    token: str | None = None
    manufacturer: str | None = None
    serial: str | None = None
    model: str | None = None
    library_manufacturer: str | None = None
    library_description: str | None = None
    library_version: str | None = None
    slot_manufacturer: str | None = None
    slot_description: str | None = None
    object: str | None = None
    type: str | None = None
    id: bytes | None = None
    module_name: str | None = None
    module_path: str | None = None

    _QUERY: ClassVar[tuple[str, ...]] = ("module-name", "module-path")
    _TYPES: ClassVar[tuple[str, ...]] = ("public", "private", "cert", "secret-key", "data")

    @classmethod
    def parse(cls, uri: str) -> Self:
        """Read a URI. Raises `UsageProblem` that names the attribute; never repeats the value of a PIN."""
        if len(uri) > MAX_URI_LENGTH:
            raise UsageProblem(f"the token URI has more than {MAX_URI_LENGTH} characters")
        scheme, _, rest = uri.partition(":")
        if scheme.lower() != "pkcs11":
            raise UsageProblem("a PKCS#11 URI begins with pkcs11:", hint="like pkcs11:token=LABEL;serial=SERIAL")
        path, question, query = rest.partition("?")
        found: dict[str, str | bytes] = {}
        for part in [*_split(path, ";"), *_split(query, "&", required=bool(question))]:
            name, value = _attribute(part)
            if name.startswith("x-"):
                continue
            if name not in _NAMES:
                raise UsageProblem(f'the token URI has an unknown attribute "{name}"', hint="see RFC 7512")
            if _NAMES[name] in found:
                raise UsageProblem(f'the token URI has "{name}" twice')
            found[_NAMES[name]] = value if name == "id" else _text(name, value)
        parsed = cls(**found)  # type: ignore[arg-type]
        if parsed.module_path is not None and not parsed.module_path.startswith("/"):
            raise UsageProblem("module-path is not an absolute path", hint="modules are not searched for")
        if parsed.type is not None and parsed.type not in cls._TYPES:
            raise UsageProblem(f'the token URI has an unknown type "{parsed.type}"', hint=", ".join(cls._TYPES))
        return parsed

    def __str__(self) -> str:
        parts: dict[bool, list[str]] = {False: [], True: []}
        for name, field in _NAMES.items():
            value = getattr(self, field)
            if value is None:
                continue
            if isinstance(value, bytes):
                encoded = "".join(f"%{byte:02x}" for byte in value)
            else:
                encoded = quote(value, safe="/" if name in self._QUERY else "")
            parts[name in self._QUERY].append(f"{name}={encoded}")
        path, query = ";".join(parts[False]), "&".join(parts[True])
        return f"pkcs11:{path}?{query}" if query else f"pkcs11:{path}"


_NAMES = {field.name.replace("_", "-"): field.name for field in fields(Pkcs11Uri)}


def _split(text: str, separator: str, *, required: bool = False) -> list[str]:
    return text.split(separator) if text or required else []


def _attribute(part: str) -> tuple[str, bytes]:
    name = part.partition("=")[0]
    if name in _REFUSED:
        message, hint = _REFUSED[name]
        raise UsageProblem(message, hint=hint)
    match = _ATTRIBUTE.fullmatch(part)
    if match is None:
        raise UsageProblem(
            f'the token URI is malformed at "{name[:40]}"',
            hint="NAME=VALUE, separated by ; and after ? by &; other characters as %XX, a space as %20",
        )
    return name, unquote_to_bytes(match["value"])


def _text(name: str, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise UsageProblem(f'"{name}" in the token URI is not UTF-8') from None
