"""A plug-in may fail in any way, and a sentence says which one did."""

from __future__ import annotations

from typing import NoReturn

import pytest
from stage.parties import Silent

from frost_hsm import backends, plugins
from frost_hsm.errors import BackendUnavailable, ConfigProblem, FrostHsmError


@pytest.mark.parametrize(
    ("failure", "expected"),
    [(ValueError("no reader"), BackendUnavailable), (ConfigProblem("no such setting"), ConfigProblem)],
)
def test_a_backend_that_does_not_start(
    monkeypatch: pytest.MonkeyPatch, failure: Exception, expected: type[FrostHsmError]
) -> None:
    def start(*_: object) -> NoReturn:
        raise failure

    monkeypatch.setattr(plugins.Own, "load", lambda _: start)
    with pytest.raises(expected, match=str(failure)):
        backends.load("software", {}, Silent())
