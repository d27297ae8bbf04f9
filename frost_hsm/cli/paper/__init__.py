"""A ceremony on paper: ``stating`` finds out what happened, ``printing`` fills the templates beside it.

What is printed needs nothing but itself: no scripts, no other files.
"""
