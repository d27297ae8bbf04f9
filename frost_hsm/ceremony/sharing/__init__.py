"""Making shares: in rounds by all, or dealt; anew; again; and what is done about those who cheat.

``sealed_rounds`` ``blame`` ``rounds`` ``keygen`` ``refresh`` ``private_key`` ``dealing`` ``repair``
``recovery`` ``dispute``
"""
