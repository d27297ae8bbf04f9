"""People making and using a key: signed, encrypted, agreed, and resumable after any crash.

In the order in which one may read it:

- forms: ``der`` ``asn1`` ``oids`` ``pem`` ``cms``, each strict, with one form for everything
- who speaks: ``names`` ``public_key`` ``private_key`` ``certificate`` ``identity`` ``roster`` ``numbering``
- what is said: ``messages`` ``upkeep`` ``complaints``, and how it travels: ``signed`` ``inbox``
- what is secret: ``context`` ``seeds`` ``recipients`` ``envelope`` ``records``
- what is kept: ``store`` ``transcript`` ``keys``
- making a key: ``seat`` ``shares`` ``sealed_rounds`` ``rounds`` ``keygen``, or of one that exists: ``dealing``
- signing: ``sealed_signer`` ``signature_shares`` ``signing``
- later: ``refresh`` ``repair``
- when people disagree: ``lineage`` ``dossier`` ``judgement`` ``blame`` ``dispute``, and when they agree: ``agreement``
- when something is lost: ``chapters`` ``bundle`` ``recovery`` ``backup``
"""
