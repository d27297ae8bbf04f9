"""What follows from signature shares: each is one equation for the share and the two nonces that it was made with."""

from __future__ import annotations

from collections.abc import Iterable

from frost_hsm.ceremony.history.keys import GroupKey
from frost_hsm.frost import signing
from frost_hsm.frost.packages import SignatureShare, SigningPackage

Answer = tuple[SigningPackage, SignatureShare]


def solve(key: GroupKey, who: str, answers: Iterable[Answer]) -> int | None:
    """Return the signing share of a participant, if their answers determine it."""
    order, identifier = key.suite.group.order, key.identifier(who)
    rows = []
    for package, share in answers:
        session = signing._Session.open(package, key.public_key_package.verifying_key)
        pair = package.signing_commitments[identifier].serialize()
        weights: dict[object, int] = {
            (pair, "hiding"): 1,
            (pair, "binding"): session.binding_factors[identifier],
            "share": session.challenge * session.lagrange(identifier) % order,
            "answer": session.sign * int.from_bytes(share.serialize(), "big") % order,
        }
        rows.append(weights)
    for unknown in sorted({each for row in rows for each in row} - {"share", "answer"}, key=str):
        taken = next((row for row in rows if row.get(unknown)), None)
        if taken is not None:
            rows.remove(taken)
            rows = [_without(unknown, row, taken, order) for row in rows]
    for row in rows:
        if row.get("share"):
            return row["answer"] * pow(row["share"], -1, order) % order
    return None


def _without(unknown: object, row: dict[object, int], taken: dict[object, int], order: int) -> dict[object, int]:
    factor = row.get(unknown, 0) * pow(taken[unknown], -1, order)
    return {each: (row.get(each, 0) - factor * taken.get(each, 0)) % order for each in row | taken}
