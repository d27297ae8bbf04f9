"""A participant's signature on a record: detached CMS by the sign key of their token, their identity with it."""

from __future__ import annotations

from contextlib import suppress
from itertools import permutations

from frost_hsm.ceremony.people.identity import Holder, PublicIdentity
from frost_hsm.errors import BadMessageSignature, InputProblem, InvalidSignature, MalformedMessage
from frost_hsm.forms import cms


def sign(paper: bytes, holder: Holder) -> bytes:
    """Return the DER of a signature on a record. One operation of the token."""
    return cms.sign_detached(paper, holder, holder.public.certificates)


def verify(paper: bytes, data: bytes) -> PublicIdentity:
    """Return who signed a record. Whether they are who the name says, their fingerprint tells.

    Raises `MalformedMessage` for what is no such signature, and `InvalidSignature`.
    """
    found = cms.parse_detached(data)
    signer = signer_of(found)
    try:
        found.verify(signer.sign_key, paper)
    except BadMessageSignature as error:
        raise InvalidSignature(f"BAD signature of {signer.name}: {error}") from None
    return signer


def signer_of(found: cms.DetachedSignature) -> PublicIdentity:
    """Return the identity that the certificates in a signature, which are in no order, make up.

    Raises `MalformedMessage`; whether it signed is not looked at.
    """
    for first, second, *others in permutations(found.certificates) if len(found.certificates) > 1 else ():
        with suppress(InputProblem):
            public = PublicIdentity(first, second, tuple(others))
            if public.sign_key.key_id == found.signer_key_id:
                return public
    raise MalformedMessage("the certificates in a signature are of no identity, or of another signer's")
