"""What is said, one class a message, and how it travels.

``message`` what all have in common; ``making`` a key and its shares; ``changing`` who has them; ``using`` them to sign;
``complaints``; then ``signed`` into a file, taken apart once (``memory``), and read from what is in the ``inbox``.
"""
