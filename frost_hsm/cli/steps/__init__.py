"""What the steps of several commands have alike.

- what people are asked to take part in, in words: ``proposals``
- a file for each in place of one for all: ``parting``
- the three rounds of ``dkg`` and ``refresh``: ``rounds``
- a signing request, shown, agreed to and finished: ``requests``
"""
