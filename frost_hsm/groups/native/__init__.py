"""The native library: a small one of our own, in Rust, that a platform wheel brings along.

Where it is, it computes what it is faster at than what is there otherwise; where it is not, nothing is missing. Its
sources are in src/ beside these modules, on curve25519-dalek, k256, libsecp256k1 and crrl. It takes arrays, so that a
step of the protocol crosses into it once.

- what it is: ``library``; how it is made: ``build``
- what it computes: ``scalars`` ``curves`` ``p256``
"""
