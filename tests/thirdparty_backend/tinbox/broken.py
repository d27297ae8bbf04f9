"""A backend whose library is not installed: it fails to import, and must take nothing with it."""

import a_library_that_nobody_has  # noqa: F401


class BrokenBackend: ...
