"""Every defence that an attack is known to meet."""

from __future__ import annotations

from attacks.mutations.of_company import OF_COMPANY
from attacks.mutations.of_keys import OF_KEYS
from attacks.mutations.of_signing import OF_SIGNING

DEFENCES = (*OF_KEYS, *OF_SIGNING, *OF_COMPANY)
