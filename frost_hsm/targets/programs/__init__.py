"""For programs that want signatures, and wait or are run again until the group has signed.

``group_private_key`` is what libraries that sign are handed; ``message_folder`` keeps what they want signed;
``tuf_signer`` is what securesystemslib calls a signer.
"""
