"""Dataclasses that do not change, made in a fraction of the time.

For each class ``dataclass(frozen=True, slots=True)`` compiles the same methods again: a third of what a command took to
start. Here only ``__init__`` is compiled, which is called often, and all else is shared.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields
from operator import attrgetter
from typing import Any, NoReturn, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[T]) -> type[T]:
    """Make a class what ``dataclass(frozen=True, slots=True)`` makes of it; every field may be given by position.

    What the class itself defines stays, as there: ``__eq__``, ``__hash__`` and ``__repr__``. `dataclasses.fields` and
    `dataclasses.replace` take what is made.
    """
    own = vars(cls)
    made: Any = dataclass(init=False, repr=False, eq=False, slots=True)(cls)
    known = fields(made)
    made.__init__ = _init(made, known)
    made.__setattr__ = made.__delattr__ = _refuse
    compared = [each.name for each in known if each.compare]
    content = attrgetter(*compared) if compared else lambda value: ()
    shown = [each.name for each in known if each.repr]

    def equals(self: object, other: object) -> bool:
        return content(self) == content(other) if self.__class__ is other.__class__ else NotImplemented

    def show(self: object) -> str:
        return f"{self.__class__.__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"

    if "__eq__" not in own:
        made.__eq__ = equals
    if own.get("__hash__") is None:  # Python puts None there beside an __eq__
        made.__hash__ = lambda self: hash(content(self))
    if "__repr__" not in own:
        made.__repr__ = show
    return made  # type: ignore[no-any-return]


def _init(made: Any, known: tuple[Field[Any], ...]) -> Any:
    """Compile ``__init__``: a parameter for each field, put into its slot, since nothing else may assign."""
    names: dict[str, Any] = {"_MISSING": MISSING}
    parameters, lines = ["self"], []
    for each in known:
        name = value = each.name
        default = ""
        if each.default_factory is not MISSING:
            names[f"_make_{name}"] = each.default_factory
            default, value = "=_MISSING", f"_make_{name}() if {name} is _MISSING else {name}"
        elif each.default is not MISSING:
            names[f"_default_{name}"] = each.default
            default = f"=_default_{name}"
        if each.init:
            parameters.append(name + default)
        elif default:
            lines.append(f" {name}{default}")
        if each.init or default:
            names[f"_set_{name}"] = getattr(made, name).__set__
            lines.append(f" _set_{name}(self, {value})")
    lines.append(" self.__post_init__()" if hasattr(made, "__post_init__") else " pass")
    exec(f"def __init__({', '.join(parameters)}):\n" + "\n".join(lines), names)  # noqa: S102 - names in our own source
    return names["__init__"]


def _refuse(self: object, name: str, value: object = None) -> NoReturn:
    raise FrozenInstanceError(f"cannot change field {name!r}")
