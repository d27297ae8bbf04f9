"""Any PKCS#11 module, through python-pkcs11: SoftHSM2, smart cards, YubiKeys, TPMs, network HSMs.

``pkcs11:…`` (RFC 7512) selects a token. Modules are C libraries with habits of their own. What this package
does about them is told where it does it: ``calls`` asks them and says what they answer, ``modules`` finds and loads
them; then ``session`` (one login), ``generating`` ``records`` ``oaep`` (which hashes a token knows). On them stand
``token`` and ``backend``.
"""

from __future__ import annotations

from frost_hsm.backends.pkcs11.backend import MAKE_ONE, Pkcs11Backend
from frost_hsm.backends.pkcs11.modules.known import known_modules
from frost_hsm.backends.pkcs11.modules.p11kit import own_module

__all__ = ["MAKE_ONE", "Pkcs11Backend", "known_modules", "own_module"]
