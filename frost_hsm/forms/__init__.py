"""Bytes and keys in standard forms, each strict: DER, PEM, X.509, CMS. Nothing of ceremonies.

In the order in which one may read it: ``der`` ``asn1`` ``oids`` ``pem`` ``oaep`` ``public_key`` ``certificate`` ``cms``
"""
