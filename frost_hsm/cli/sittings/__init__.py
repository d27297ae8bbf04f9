"""Work over a board: what ``join``, ``status`` and ``agent`` stand on.

- what is put there: ``posting``
- what people do together, one matter each: ``matter`` ``signing_matter`` ``matters``
- what one hears: ``heard``
- one person at work, and an agent: ``sitting`` ``owner`` ``attending``
"""
