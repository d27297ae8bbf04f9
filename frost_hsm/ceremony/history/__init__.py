"""What became of a key: one chain of signed statements, of which everything else about the key is computed.

- the rules, without any bytes: ``rules``
- the chain: ``state`` ``chapter`` ``chain``, in a file of its own: ``dossier``
- who is at fault: ``signature_shares`` ``evidence``
- in the state directory: ``transcript`` ``kept``, as one participant has it: ``keys``
- for others, and for later: ``agreement`` ``bundle`` ``backup``
"""
