"""For X.509: ``words`` ``unsigned`` ``cert`` ``profiles`` ``crl`` ``ocsp``."""
