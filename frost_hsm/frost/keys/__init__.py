"""Keys and their shares (ZcashFoundation: ``keys``): made without a dealer, shared out, made anew, rebuilt.

- what they stand on: ``many_commitments`` ``proof_of_knowledge`` ``checks``
- making a key: ``round1`` ``round2`` ``dkg``, or sharing one out: ``dealer``
- later: ``refresh`` ``repair``
"""
