"""Making shares: in rounds by all, or dealt; anew; again; and what is done about those who cheat.

- what stays sealed: ``sealed_rounds``, what is said of cheats: ``blame``, one's vote: ``voting``
- in three rounds: ``rounds``, of a new key: ``keygen``, anew: ``refresh``; or by a dealer: ``private_key`` ``dealing``
- somebody's share: ``repair``, one's own: ``recovery``
- when people disagree: ``dispute``, or give something up: ``abandonment``
"""
