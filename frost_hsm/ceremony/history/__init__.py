"""What became of a key.

``dossier`` ``signature_shares`` ``judgement`` ``transcript`` ``keys`` ``lineage`` ``agreement``
``chapters`` ``bundle`` ``backup``
"""
