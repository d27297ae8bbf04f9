"""What every backend, and every board, must pass: tests to subclass, which need pytest (``frost-hsm[testing]``).

```python
class TestMyBackend(BackendConformance):
    @pytest.fixture
    def backend(self): return MyBackend({}, SilentInteraction())

    @pytest.fixture
    def uri(self): ...           # of a new, empty token with a PIN, for each test
```

and likewise ``pin``, ``wrong_pin``, ``missing_uri``, and ``settings`` if they are not empty. Each test says which
sentence of `frost_hsm.backends` it holds the backend to. What a token's capabilities exclude is skipped.

``opening`` ``keys`` ``records`` hold the tests, ``judge`` what they judge by, ``actors`` ``fixtures`` who takes part.
`BoardConformance`, in ``boards``, does the same for `frost_hsm.boards`, with two fixtures.
"""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite(*(f"frost_hsm.testing.{name}" for name in ("opening", "keys", "records", "boards")))

from frost_hsm.testing.actors import PinSourceSpy, SilentInteraction  # noqa: E402
from frost_hsm.testing.boards import BoardConformance  # noqa: E402
from frost_hsm.testing.keys import KeyTests  # noqa: E402
from frost_hsm.testing.opening import OpeningTests  # noqa: E402
from frost_hsm.testing.records import RecordTests  # noqa: E402

__all__ = ["BackendConformance", "BoardConformance", "PinSourceSpy", "SilentInteraction"]


class BackendConformance(OpeningTests, KeyTests, RecordTests):
    """All tests of the `Backend` and `Token` contracts. Subclass it and override the five fixtures."""
