"""Requests that are finished and put away: all of them stays where it is, and no list shows them."""

from __future__ import annotations

from frost_hsm.ceremony.signing.session import ARCHIVED, SigningSession
from frost_hsm.ceremony.store import request_folder
from frost_hsm.errors import NotPossible


def is_finished(session: SigningSession) -> bool:
    """Whether nothing is left for me: it is signed or ended, or somebody else asked and has my answer."""
    if session.status().step in ("done", "aborted"):
        return True
    return session.has_answered and session.request.sender != session.key.me


def archive(session: SigningSession) -> None:
    """Put a request away, durably. Raises `NotPossible` if something is left for me to do."""
    if not is_finished(session):
        raise NotPossible(
            f"request {session.id[:8].hex()} is not finished",
            hint=f"see: frost-hsm sign status {session.id[:8].hex()}; or end it: frost-hsm sign abort",
        )
    with session.home.lock():
        session.home.put(f"{request_folder(session.id)}/{ARCHIVED}", b"")
