"""An agent: a program that stays, and answers for its owner what is asked on a board.

It decides nothing by itself. What is asked is a `Question`; a policy that its owner wrote answers it, or a program that
its owner named, or its owner in person; without any of them nothing is signed. All of it is in a log. The agent also
stands where programs of SSH look for keys, and asks the group for them; other programs ask it by `asking.Agent`.

The board and the token are the business of whoever runs it (`frost_hsm.cli.sittings.attending`).

- what is asked, and who answers: ``question`` ``policy`` ``hook`` ``judge``
- what is kept of that: ``log``
- programs of SSH: ``ssh_protocol`` ``ssh_socket`` ``ssh_items``; other programs: ``asking``
"""
