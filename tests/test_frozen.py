"""What `frozen` makes behaves as what dataclasses makes of the same class."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass, field, fields, replace
from typing import Any, ClassVar, Generic, TypeVar

import pytest

from frost_hsm.frozen import frozen

T = TypeVar("T")


def _classes(make: Any) -> dict[str, Any]:
    """The same classes by one decorator or the other."""

    @make
    class Empty:
        """Nothing."""

    @make
    class Base(Generic[T]):
        """Of every kind of field."""

        kind: ClassVar[str] = "base"
        number: int
        hidden: bytes = field(repr=False)
        told: T | None = field(default=None, compare=False)
        many: list[int] = field(default_factory=list)
        seen: list[int] = field(init=False, default_factory=list, compare=False)
        sum: int = field(init=False, repr=False, compare=False)
        last: int = field(init=False, default=7)

        def __post_init__(self) -> None:
            object.__setattr__(self, "sum", self.number + len(self.hidden))

    @make
    class Derived(Base[str]):
        """With a field more, and words of its own."""

        more: str = "more"

        def __repr__(self) -> str:
            return "derived"

    @make
    class Same:
        """All alike."""

        number: int

        def __eq__(self, other: object) -> bool:
            return isinstance(other, type(self))

        def __hash__(self) -> int:
            return 1

    @make
    class Near:
        """Compared in its own way, without a hash of its own."""

        number: int

        def __eq__(self, other: object) -> bool:
            return isinstance(other, type(self)) and abs(self.number - other.number) < 2

    return {each.__name__: each for each in (Empty, Base, Derived, Same, Near)}


OURS, THEIRS = _classes(frozen), _classes(dataclass(frozen=True, slots=True))
MADE: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("Empty", (), {}),
    ("Base", (1, b"x"), {}),
    ("Base", (1, b"y"), {}),
    ("Base", (1,), {"hidden": b"x", "told": "it"}),
    ("Base", (1, b"x", None, [2]), {}),
    ("Derived", (1, b"x"), {"many": [3], "more": "less"}),
    ("Derived", (1, b"x"), {}),
    ("Same", (1,), {}),
    ("Same", (2,), {}),
    ("Near", (1,), {}),
    ("Near", (2,), {}),
]


def _all(classes: dict[str, Any]) -> list[Any]:
    return [classes[name](*given, **named) for name, given, named in MADE]


def test_values_are_shown_and_compared_alike() -> None:
    ours, theirs = _all(OURS), _all(THEIRS)
    assert [repr(one).rpartition(">.")[2] for one in ours] == [repr(one).rpartition(">.")[2] for one in theirs]
    assert [[one == other for other in ours] for one in ours] == [[one == other for other in theirs] for one in theirs]
    assert not any(one == other for one in ours for other in theirs)


def test_fields_and_slots_are_alike() -> None:
    for ours, theirs in zip(_all(OURS), _all(THEIRS), strict=True):
        assert type(ours).__slots__ == type(theirs).__slots__
        assert vars(type(ours)).keys() - vars(type(theirs)).keys() == set()
        assert type(ours).__match_args__ == type(theirs).__match_args__
        assert not hasattr(ours, "__dict__")
        for each in fields(ours):
            assert getattr(ours, each.name) == getattr(theirs, each.name)


@pytest.mark.parametrize("name", ["Same", "Near", "Empty"])
def test_values_that_are_the_same_have_one_hash(name: str) -> None:
    given = [arguments for made, arguments, _ in MADE if made == name]
    for classes in (OURS, THEIRS):
        assert {hash(classes[name](*arguments)) for arguments in given for _ in range(2)} <= {
            hash(classes[name](*arguments)) for arguments in given
        }
    assert hash(OURS["Same"](1)) == hash(OURS["Same"](2)) == 1


def test_what_is_not_compared_is_not_in_the_hash() -> None:
    one, other = (OURS["Base"](1, b"x", told, ()) for told in ("one", "other"))
    assert one == other
    assert hash(one) == hash(other)
    assert hash(one) != hash(OURS["Base"](2, b"x", "one", ()))


def test_a_list_that_is_made_is_made_for_each() -> None:
    one, other = OURS["Base"](1, b"x"), OURS["Base"](1, b"x")
    assert one.many == other.many == []
    assert one.many is not other.many
    assert one.seen == other.seen == []
    assert one.seen is not other.seen


@pytest.mark.parametrize("classes", [OURS, THEIRS], ids=["ours", "theirs"])
def test_nothing_is_changed_afterwards(classes: dict[str, Any]) -> None:
    value = classes["Derived"](1, b"x")
    for name in ("number", "more", "sum"):
        with pytest.raises(FrozenInstanceError):
            setattr(value, name, 2)
        with pytest.raises(FrozenInstanceError):
            delattr(value, name)
    assert replace(value, number=5).sum == 6
    assert replace(value, number=5) == classes["Derived"](5, b"x")


@pytest.mark.parametrize("classes", [OURS, THEIRS], ids=["ours", "theirs"])
@pytest.mark.parametrize("given", [(), (1,), (1, b"x", None, [], "more", "too much")])
def test_what_is_missing_or_too_much_is_refused(classes: dict[str, Any], given: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError):
        classes["Derived"](*given)
    with pytest.raises(TypeError):
        classes["Derived"](1, b"x", sum=3)
