"""The protocol, pure: ZcashFoundation's FROST key generation and RFC 9591 signing. No files, no clock, no token.

In the order in which one may read it:

- suites: ``hashing`` ``hooks`` ``ciphersuites``
- what there is: ``keeping`` ``values`` ``packages`` ``round1`` ``round2``
- how it is written: ``postcard`` ``json_text`` ``codecs`` ``encoding``
- making a key: ``polynomial`` ``many_commitments`` ``proof_of_knowledge`` ``checks`` ``dkg``, or sharing one out:
  ``dealer``
- signing: ``signing`` ``batch`` ``rerandomized`` ``taproot``
- later: ``refresh`` ``repair``
"""
