"""The protocol, pure: ZcashFoundation's FROST key generation and RFC 9591 signing. No files, no clock, no token.

In the order in which one may read it:

- suites: ``hashing`` ``hooks`` ``ciphersuites``
- what there is, and how it is written: ``keeping`` ``values`` ``polynomial`` ``encoding`` ``packages``
- signing: ``signing`` ``batch`` ``rerandomized`` ``taproot``
- making a key, and later its shares anew: ``keys``
"""
