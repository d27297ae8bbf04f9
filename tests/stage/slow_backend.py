"""SoftHSM2 tokens as slow as those that people own; other processes find the backend by `installed`.

settings: ``module``, that of SoftHSM2; ``seconds``, what every operation with a private key takes; ``counted``, a
folder in which a file named for the token grows by a byte for each. URIs are those of ``pkcs11:``, but for that word.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from frost_hsm.backends import Interaction, PinSource, TokenInfo
from frost_hsm.backends.pkcs11 import Pkcs11Backend

SLOW = ("sign", "agree", "decrypt")


def installed(folder: Path) -> Path:
    """Make a folder a distribution that brings the backend, for whoever has it in PYTHONPATH."""
    described = folder / "slow_backend-1.dist-info"
    described.mkdir(parents=True)
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: slow-backend\nVersion: 1\n")
    (described / "entry_points.txt").write_text("[frost_hsm.backends]\nslow = stage.slow_backend:SlowBackend\n")
    return folder


class SlowBackend:
    def __init__(self, settings: Mapping[str, str], interaction: Interaction) -> None:
        self._real = Pkcs11Backend({"softhsm": settings["module"]}, interaction)
        self._seconds = float(settings["seconds"])
        self._counted = Path(settings["counted"])

    def describe(self) -> list[tuple[bool, str]]:
        return self._real.describe()

    def tokens(self) -> list[TokenInfo]:
        return [_named(info) for info in self._real.tokens()]

    def open(self, uri: str, pin_source: PinSource | None, *, allow_final_try: bool = False) -> SlowToken:
        real = self._real.open(uri.replace("slow:", "pkcs11:", 1), pin_source, allow_final_try=allow_final_try)
        return SlowToken(real, self._seconds, self._counted / real.info.label)

    def create(self, uri: str, pin_source: PinSource) -> TokenInfo:
        return self._real.create(uri.replace("slow:", "pkcs11:", 1), pin_source)


class SlowToken:
    """Passes everything on to a real token, and takes its time for what uses a private key."""

    def __init__(self, real: Any, seconds: float, counted: Path) -> None:
        self._real = real
        self._seconds = seconds
        self._counted = counted
        self.info = _named(real.info)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._real, name)
        if name not in SLOW:
            return value

        def take_time(*arguments: Any) -> Any:
            end = time.monotonic() + self._seconds
            done = value(*arguments)
            time.sleep(max(0.0, end - time.monotonic()))
            with self._counted.open("ab") as file:
                file.write(b".")
            return done

        return take_time

    def __enter__(self) -> SlowToken:
        return self

    def __exit__(self, *exc: object) -> None:
        self._real.close()


def _named(info: TokenInfo) -> TokenInfo:
    return replace(info, uri=info.uri.replace("pkcs11:", "slow:", 1))
