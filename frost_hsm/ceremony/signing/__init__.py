"""Using shares: ``sealed_signer``, and between people ``aborting`` ``session`` ``attempts`` ``ahead`` ``archiving``."""
