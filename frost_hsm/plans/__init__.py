"""A ceremony as a document: what is planned, who types what, and what came of it. Pure: bytes in, values out.

In the order in which one may read it:

- before: ``plan``, read from a file that people write, and ``script``, what each of them types
- after: ``statement``, what one participant's machine says of it, ``record``, what all say, and ``signature`` on that

How they look on paper is the business of the command line (`frost_hsm.cli.paper`).
"""
