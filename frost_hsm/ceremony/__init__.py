"""People making and using a key: signed, encrypted, agreed, and resumable after any crash.

In wings, each standing on those before it:

- ``people``: who takes part
- ``index``: what is in a state directory, and what only lies there
- ``store``: the state directory, where all is kept
- ``messages``: what is said
- ``sealing``: what is secret
- ``history``: what became of a key
- ``sharing``: making shares
- ``signing``: using them
"""
