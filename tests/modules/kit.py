"""The conformance kit on whatever module the environment names: `test_modules` runs it, in a process with that module.

One token serves all tests: it is emptied before each with the right PIN, which also sets its count of tries back; and
the module is started again, since a TPM's keeps at most 27 objects for a process.
"""

from __future__ import annotations

import os

import pkcs11
import pytest

from frost_hsm.backends.pkcs11 import Pkcs11Backend
from frost_hsm.errors import TokenProblem
from frost_hsm.testing import BackendConformance, SilentInteraction

PATH, LABEL, PIN = (os.environ.get(f"MODULE_{name}", "") for name in ("PATH", "LABEL", "PIN"))


def empty_the_token() -> None:
    library = pkcs11.lib(PATH)
    library.reinitialize()
    session = library.get_token(token_label=LABEL).open(rw=True, user_pin=PIN)
    for item in list(session.get_objects()):
        try:
            item.destroy()
        except pkcs11.PKCS11Error:  # went with another one, or belongs to the token
            continue
    session.close()


FAULTS = {
    ("TPM2.0 Cryptoki", "test_deleted_keys_are_gone"): "gives a new object the handle of another that is still there",
}
"""What modules get wrong themselves, by what they call themselves: an error here, and nothing lost."""


@pytest.fixture(autouse=True)
def _expect_faults(request: pytest.FixtureRequest) -> None:
    fault = FAULTS.get((pkcs11.lib(PATH).library_description, request.node.name))
    if fault is not None:
        request.applymarker(pytest.mark.xfail(reason=fault, raises=TokenProblem, strict=True))


class TestModule(BackendConformance):
    @pytest.fixture
    def settings(self) -> dict[str, str]:
        return {"it": PATH}

    @pytest.fixture
    def backend(self, settings: dict[str, str]) -> Pkcs11Backend:
        return Pkcs11Backend(settings, SilentInteraction())

    @pytest.fixture
    def uri(self) -> str:
        empty_the_token()
        return f"pkcs11:token={LABEL.replace(' ', '%20')}?module-name=it"

    @pytest.fixture
    def pin(self) -> str:
        return PIN

    @pytest.fixture
    def wrong_pin(self) -> str:
        return "wrong-9876"

    @pytest.fixture
    def missing_uri(self) -> str:
        return "pkcs11:token=nobody;serial=0123456789abcdef?module-name=it"
