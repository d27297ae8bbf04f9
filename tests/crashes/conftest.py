"""One stage for each kind of token, on which every story is told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from crashes.stage import Stage
from stage import killing


@pytest.fixture(scope="package", params=["software", "softhsm"])
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    if not killing.IS_POSSIBLE:
        pytest.skip("system calls are traced on Linux on x86-64 only")
    if request.param == "softhsm":
        request.getfixturevalue("softhsm_module")
    made = Stage(tmp_path_factory.mktemp(request.param), request.param)
    yield made
    made.close()
