"""The commands, each in the module of its name.

What several share: ``rounds`` of ``dkg`` and ``refresh``; ``requests`` ``preparing`` ``plain`` ``archiving`` of
``sign``. What is done over a board, by ``join``, ``status`` and ``agent``: ``matter`` ``signing_matter`` ``matters``
``heard`` ``posting`` ``attending``.
"""
