"""Using shares: ``sealed_signer``, and between people ``turns`` ``aborting`` ``session`` ``attempts`` ``ahead``,
``archiving``.
"""
