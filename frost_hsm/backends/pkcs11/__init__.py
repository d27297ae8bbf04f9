"""Any PKCS#11 module, through python-pkcs11: SoftHSM2, smart cards, YubiKeys, TPMs, network HSMs.

``pkcs11:…`` (RFC 7512) selects a token. Modules are C libraries with habits of their own. What this package
does about them is told where it does it: ``module`` (loading; one call at a time), ``session`` (one login),
``attributes`` (nothing left to defaults), ``answers`` (every error a sentence), ``native`` (what the binding lacks),
``oaep`` (which hashes a token knows). On them stand ``token`` and ``backend``.
"""

from __future__ import annotations

from frost_hsm.backends.pkcs11.backend import Pkcs11Backend

__all__ = ["Pkcs11Backend"]
