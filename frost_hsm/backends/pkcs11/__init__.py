"""Any PKCS#11 module, through python-pkcs11: SoftHSM2, smart cards, YubiKeys, TPMs, network HSMs.

``pkcs11:…`` (RFC 7512) selects a token. Modules are C libraries with habits of their own. What this package
does about them is told where it does it: ``return_values`` ``answers`` (every error a sentence), ``attributes``
(nothing left to defaults), ``native`` (the module's functions, as they are), ``softhsm`` (its files), ``initialising``
``module`` (loading; one call at a time), ``p11kit`` ``known`` (which modules there are), ``session`` (one login),
``generating`` ``records`` ``oaep`` (which hashes a token knows). On them stand ``token`` and ``backend``.
"""

from __future__ import annotations

from frost_hsm.backends.pkcs11.backend import MAKE_ONE, Pkcs11Backend
from frost_hsm.backends.pkcs11.known import known_modules
from frost_hsm.backends.pkcs11.p11kit import own_module

__all__ = ["MAKE_ONE", "Pkcs11Backend", "known_modules", "own_module"]
