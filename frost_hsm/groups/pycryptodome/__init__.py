"""Curves on pycryptodome, which every installation has; what libcrypto is faster at, it does where it serves.

- secret ``scalars``; sums of many products: ``buckets`` ``windows``
- what the ``curves`` have in common; then ``weierstrass`` ``koblitz`` ``edwards`` ``ristretto``
"""
