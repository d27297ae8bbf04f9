"""The commands, each in the module of its name.

What several share: ``rounds`` of ``dkg`` and ``refresh``; ``requests`` ``preparing`` ``plain`` of ``sign``.
"""
