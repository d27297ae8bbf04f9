"""Records: private data objects of a token, kept apart by their label."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress

from pkcs11 import Attribute, ObjectClass, TokenFlag

from frost_hsm.backends.pkcs11.calls.answers import Answer
from frost_hsm.backends.pkcs11.calls.attributes import Template, Told, application_of, record_template
from frost_hsm.backends.pkcs11.modules import softhsm
from frost_hsm.backends.pkcs11.session import SharedSession
from frost_hsm.errors import KeyExists, TokenLost, TokenProblem

_NEVER_DATA = {
    "CKR_ACTION_PROHIBITED",
    "CKR_ATTRIBUTE_TYPE_INVALID",
    "CKR_ATTRIBUTE_VALUE_INVALID",
    "CKR_FUNCTION_NOT_SUPPORTED",
    "CKR_SESSION_READ_ONLY",
    "CKR_TEMPLATE_INCOMPLETE",
    "CKR_TEMPLATE_INCONSISTENT",
    "CKR_TOKEN_WRITE_PROTECTED",
    "CKR_USER_TYPE_INVALID",  # the security officer makes them
}
"""What a token answers to a data object that it will never take."""

_NAMED = (Attribute.LABEL, Attribute.APPLICATION)


def are_taken(session: SharedSession, *, private: bool) -> bool:
    """Whether the token holds data objects that exactly one destroys. What an answer says of this moment is raised."""
    if session.token.flags & TokenFlag.WRITE_PROTECTED or session.module.lets_all_destroy:
        return False
    probe = {Attribute.TOKEN: False, Attribute.PRIVATE: private, Attribute.VALUE: b"probe"}
    try:
        handle = session.create({**record_template("probe"), **probe})
    except Answer as answer:
        if answer.name in _NEVER_DATA:
            return False
        if not private:  # nobody has logged in, so this says little
            return True
        raise
    session.destroy(handle)
    return True


def names(session: SharedSession, beginning: str) -> list[str]:
    """List the names of our records that begin so: those of one kind if it says which."""
    wanted: Template = {Attribute.CLASS: ObjectClass.DATA}
    if "." in beginning:
        wanted[Attribute.APPLICATION] = application_of(beginning)
    found = session.find(wanted)
    if not found:
        session.check_serial()
    shown = [(session.read(handle, _NAMED), handle) for handle in found]
    ours = [(told[Attribute.LABEL], handle) for told, handle in shown if _is_named(told, told.get(Attribute.LABEL, ""))]
    times = Counter(name for name, _ in ours)
    session.records |= {name: handle for name, handle in ours if times[name] == 1}
    return [name for name, _ in ours if name.startswith(beginning)]


def write(session: SharedSession, name: str, value: bytes) -> None:
    """Create a record, and read back what came of it.

    PKCS#11 keeps no names apart. Of two processes that create the same one at the same instant, both may be accepted;
    then `read` refuses to choose.
    """
    wanted = record_template(name)
    if session.find(wanted):
        raise KeyExists(f'{session.name} has a record "{name}" already')
    kept = {Attribute.TOKEN: True, Attribute.PRIVATE: True, Attribute.VALUE: value}
    created = session.records[name] = session.create({**wanted, **kept})
    if _value(session, created, name) != value:
        raise TokenLost(f'{session.name} lost record "{name}" as soon as it was written')


def read(session: SharedSession, name: str) -> bytes:
    """Read a record."""
    known = session.records.get(name)
    with suppress(TokenProblem):  # the handle may have become another object's
        value = None if known is None else _value(session, known, name)
        if value is not None:
            return value
    found = session.find(record_template(name))
    if len(found) > 1:
        raise TokenProblem(f'{session.name} has {len(found)} records "{name}"')
    value = _value(session, found[0], name) if found else None
    if value is None:
        raise session.not_found(f'no record "{name}"')
    session.records[name] = found[0]
    return value


def delete(session: SharedSession, name: str) -> None:
    """Destroy a record, and look whether it is gone, from the disk too, where that is ours to see to."""
    if not _destroy_known(session, name):
        destroyed = [_destroy(session, handle, name) for handle in session.find(record_template(name))]
        if not any(destroyed):
            raise session.not_found(f'no record "{name}"')
    if session.module.is_softhsm:
        softhsm.sync(session.token.serial.rstrip(b"\0 ").decode("utf-8", "replace"))


def _destroy_known(session: SharedSession, name: str) -> bool:
    """Destroy a record by the handle that it had; False if it has that no more."""
    known = session.records.pop(name, None)
    with suppress(TokenProblem):  # the handle may have become another object's
        return known is not None and _destroy(session, known, name)
    return False


def _value(session: SharedSession, handle: int, name: str) -> bytes | None:
    """Read a record that was found or made; None if it is gone again."""
    told = session.read(handle, (*_NAMED, Attribute.VALUE))
    value: bytes | None = told.get(Attribute.VALUE) if _is_there(session, told, name) else None
    return value


def _destroy(session: SharedSession, handle: int, name: str) -> bool:
    """Destroy a record that was found; False if another process was quicker."""
    destroyed = _is_there(session, session.read(handle, _NAMED), name) and session.destroy(handle)
    left = session.read(handle, _NAMED)
    if _is_named(left, name):
        raise TokenProblem(f'{session.name} still has record "{name}", though it was destroyed')
    return destroyed


def _is_there(session: SharedSession, told: Told, name: str) -> bool:
    """Whether a handle still is that of a record; False if the record is gone.

    Raises `TokenProblem` if it is another object's now: tpm2-pkcs11 gives handles a second time.
    """
    if told and not _is_named(told, name):
        raise TokenProblem(f'{session.name} shows another object in the place of record "{name}"')
    return bool(told)


def _is_named(told: Told, name: str) -> bool:
    return (told.get(Attribute.LABEL), told.get(Attribute.APPLICATION)) == (name, application_of(name))
