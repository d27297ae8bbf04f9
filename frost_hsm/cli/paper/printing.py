"""How a script and a record look: HTML in one file, to be read in a browser and printed, without scripts.

Needs Jinja2 and segno, the extra ``ceremony``. What is put into a page, whoever wrote it, goes through the door for
text (`frost_hsm.cli.talk.text`) and is escaped, all of it in one place here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from frost_hsm import __version__
from frost_hsm.cli.talk.output import grouped
from frost_hsm.cli.talk.text import visible
from frost_hsm.errors import NotPossible
from frost_hsm.plans import script as scripts
from frost_hsm.plans.plan import Plan
from frost_hsm.plans.record import PARTICIPANT, Record, record_name, signature_name

if TYPE_CHECKING:
    from jinja2 import Environment


def script(plan: Plan, file: str, digests: Mapping[str, str]) -> bytes:
    """Print the script of a plan. digests: SHA-256, in hex, of the files that have to be there, the plan among them."""
    return _print(
        "script.html.j2",
        plan=plan,
        file=file,
        digests=digests,
        parts=scripts.parts(plan, file),
        version=__version__,
    )


def record(found: Record) -> bytes:
    """Print a record: the same bytes wherever it is done by the same version."""
    key = found.plan.key
    signatures = {each.name: signature_name(key, each.name) for each in found.statements}
    return _print(
        "record.html.j2",
        record=found,
        plan=found.plan,
        agreed=found.agreed,
        participant=PARTICIPANT,
        name=record_name(key),
        signatures=signatures,
        verifying=scripts.verifying_record(key),
    )


def _print(template: str, **values: object) -> bytes:
    text: str = _environment().get_template(template).render(values)
    return text.encode()


@cache
def _environment() -> Environment:
    """Load the libraries. Raises `NotPossible` if they are not there."""
    try:
        import segno
        from jinja2 import Environment, PackageLoader, StrictUndefined
        from markupsafe import Markup
    except ImportError as error:
        raise NotPossible(
            f"a ceremony on paper needs a library that is not installed: {error.name}",
            hint="pip install 'frost-hsm[ceremony]'",
        ) from None

    def shown(value: Any) -> Any:
        return value if isinstance(value, Markup) else visible(str(value))

    def code(text: str) -> Markup:
        """Draw a QR code of a text that is shown beside it; in capitals, which make it coarser, and easier to read."""
        drawn = segno.make(text.upper(), error="m", micro=False).svg_inline(border=2, omitsize=True)
        return Markup(drawn)  # noqa: S704 - drawn by segno, the text is in it as squares alone

    environment = Environment(
        loader=PackageLoader("frost_hsm.cli.paper", "."),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )

    def compared(digits: str) -> str:
        return grouped(bytes.fromhex(digits))

    filters: dict[str, Callable[[str], object]] = {"code": code, "grouped": compared}
    environment.filters.update(filters)
    return environment
