"""How identities are shown, for people to compare and for programs."""

from __future__ import annotations

from frost_hsm.ceremony.people.identity import PublicIdentity


def identity_lines(public: PublicIdentity) -> list[str]:
    """Show whose it is, its fingerprint and, if it names a second token, that."""
    lines = [f"Identity of {public.name}", f"  fingerprint  {public.fingerprint}"]
    if public.recovery is not None:
        lines.append("  second token  named: it can make their shares again and take the place of the first")
    return lines


def identity_fields(public: PublicIdentity) -> dict[str, object]:
    """As `identity_lines`, for programs."""
    return {
        "name": public.name,
        "fingerprint": public.fingerprint.replace(" ", ""),
        "second_token": public.recovery is not None,
    }
