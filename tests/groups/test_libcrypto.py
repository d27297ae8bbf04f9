"""Finding libcrypto, choosing between it and pycryptodome, and leaving no trace in its error queue."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

import pytest
from stage import p256

from frost_hsm.errors import MalformedElement, NoConstantTime
from frost_hsm.groups import Group, foundations, libcrypto, pycryptodome, self_test
from frost_hsm.groups.libcrypto import Libcrypto, curves
from frost_hsm.groups.libcrypto.curves import P256Libcrypto
from frost_hsm.groups.pycryptodome.koblitz import Secp256k1Libcrypto
from frost_hsm.groups.pycryptodome.weierstrass import Secp256k1


@pytest.fixture
def library() -> Libcrypto:
    return next(libcrypto.find())


def test_the_interpreters_own_libcrypto_comes_first(library: Libcrypto) -> None:
    import ssl

    assert library.OpenSSL_version(0).decode() == ssl.OPENSSL_VERSION


def choose(monkeypatch: pytest.MonkeyPatch, *found: Libcrypto) -> Group:
    monkeypatch.setattr(foundations, "_native", lambda: None)
    monkeypatch.setattr(libcrypto, "find", lambda: iter(found))
    return foundations.p256.__wrapped__()


def choose_secp256k1(monkeypatch: pytest.MonkeyPatch, *found: Libcrypto) -> Group:
    monkeypatch.setattr(foundations, "_native", lambda: None)
    monkeypatch.setattr(foundations, "_libcrypto", foundations._libcrypto.__wrapped__)
    monkeypatch.setattr(libcrypto, "find", lambda: iter(found))
    return foundations.secp256k1.__wrapped__()


def test_libcrypto_helps_pycryptodome(monkeypatch: pytest.MonkeyPatch, library: Libcrypto) -> None:
    group = choose_secp256k1(monkeypatch, library)
    assert isinstance(group, Secp256k1Libcrypto)
    assert group.backend.startswith("pycryptodome ")
    assert " and libcrypto (OpenSSL " in group.backend


def test_without_libcrypto_pycryptodome_does_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    group = choose_secp256k1(monkeypatch)
    assert type(group) is Secp256k1
    assert "libcrypto" not in group.backend
    assert self_test.computes(group)


def test_a_libcrypto_without_secp256k1_still_computes_scalars(
    monkeypatch: pytest.MonkeyPatch, library: Libcrypto
) -> None:
    monkeypatch.setattr(library, "EC_GROUP_new_by_curve_name", lambda number: None)
    group = choose_secp256k1(monkeypatch, library)
    assert type(group) is Secp256k1
    assert " and libcrypto (OpenSSL " in group.backend


@pytest.mark.parametrize("function", ["BN_mod_mul_montgomery", "BN_mod_exp_mont", "BN_mod_add_quick"])
def test_a_libcrypto_that_computes_wrong_helps_nobody(
    monkeypatch: pytest.MonkeyPatch, library: Libcrypto, function: str
) -> None:
    monkeypatch.setattr(library, function, lambda *arguments: 1)  # says that it did something
    group = choose_secp256k1(monkeypatch, library)
    assert "libcrypto" not in group.backend
    assert self_test.computes(group)


def test_libcrypto_is_chosen_if_it_is_fit(monkeypatch: pytest.MonkeyPatch, library: Libcrypto) -> None:
    assert choose(monkeypatch, library).backend.startswith("libcrypto (OpenSSL ")


def test_without_libcrypto_pycryptodome_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    group = choose(monkeypatch)
    assert group.backend.startswith("pycryptodome ")
    assert self_test.computes(group)


def test_a_libcrypto_that_computes_wrong_is_not_chosen(monkeypatch: pytest.MonkeyPatch, library: Libcrypto) -> None:
    double = library.EC_POINT_dbl

    def wrong(group: int, result: int, point: int, context: int) -> int:
        return double(group, result, point, context) and double(group, result, result, context)

    library.EC_POINT_dbl = wrong
    assert choose(monkeypatch, library).backend.startswith("pycryptodome ")


def test_a_libcrypto_without_p256_is_not_chosen(monkeypatch: pytest.MonkeyPatch, library: Libcrypto) -> None:
    library.EC_GROUP_new_by_curve_name = lambda nid: None
    assert choose(monkeypatch, library).backend.startswith("pycryptodome ")


def test_a_slow_libcrypto_is_not_chosen(monkeypatch: pytest.MonkeyPatch, library: Libcrypto) -> None:
    monkeypatch.setattr(foundations, "_SLOW", 1e-9)
    assert choose(monkeypatch, library).backend.startswith("pycryptodome ")


def test_a_libcrypto_that_lacks_a_function_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(libcrypto._REQUIRED, "EC_POINT_no_such_function", (ctypes.c_int, ()))
    assert list(libcrypto.find()) == []


def test_what_cannot_be_loaded_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libcrypto, "_candidates", lambda: iter(("/nonexistent/libcrypto.so", __file__)))
    assert list(libcrypto.find()) == []


def test_a_missing_optional_function_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(libcrypto._OPTIONAL, "EC_POINTs_no_such_function", libcrypto._OPTIONAL["EC_POINTs_mul"])
    assert next(libcrypto.find()).EC_POINTs_no_such_function is None


def test_p256_does_without_the_optional_function(library: Libcrypto) -> None:
    library.EC_POINTs_mul = None
    group = P256Libcrypto(library)
    g = group.decode(p256.G)
    assert group.equal(group.sum_products((2, 3), (g, g)), group.combine_base(5, 0, g))


@pytest.mark.parametrize("data", [b"\2" + b"\xff" * 32, b"\2" + bytes(31) + b"\1"])
def test_a_failed_call_leaves_no_error_behind(library: Libcrypto, data: bytes) -> None:
    peek = ctypes.CDLL(next(libcrypto._candidates())).ERR_peek_error
    peek.restype = ctypes.c_ulong
    group = P256Libcrypto(library)
    library.ERR_clear_error()
    with pytest.raises(MalformedElement):
        group.decode(data)
    assert peek() == 0


def test_secrets_cannot_be_written_as_text() -> None:
    # the functions that would turn a BIGNUM into digits are not even declared
    declared = libcrypto._REQUIRED.keys() | libcrypto._OPTIONAL.keys()
    assert declared.isdisjoint({"BN_bn2dec", "BN_bn2hex", "BN_print", "BN_get_word", "BN_bn2bin"})
    assert "BN_bn2binpad" in declared


@pytest.mark.parametrize("function", ["BN_bin2bn", "EC_POINT_mul", "BN_mod_add_quick", "BN_bn2binpad"])
def test_a_call_that_fails_is_noticed(library: Libcrypto, function: str) -> None:
    group = P256Libcrypto(library)
    secret = group.random_scalar()
    setattr(library, function, lambda *arguments: 0)
    with pytest.raises(MemoryError):
        group.multiply_base(secret)
        group.add_scalars([secret, secret])
        group.encode_scalar(secret)
        group.decode_scalar(p256.Secret(bytes(32)))


def test_importing_the_protocol_loads_no_library() -> None:
    program = (
        "import sys, frost_hsm.frost.signing, frost_hsm.frost.keys.dkg;"
        "heavy = {'ctypes', 'Crypto', 'cryptography', 'asn1crypto', 'pkcs11', 'click'} & set(sys.modules);"
        "assert not heavy, heavy;"
        "from frost_hsm.frost.ciphersuites import P256; P256.group;"
        "assert 'ctypes' in sys.modules and 'Crypto' not in sys.modules, P256.group.backend"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def run_without_c_code(program: str) -> None:
    """Run a program where pycryptodome falls back to Python's integers, as it does where its C code does not load, and
    where there is no native library.
    """
    environment = {**os.environ, "PYCRYPTODOME_INTEGER": "native", "FROST_HSM_NATIVE": "0"}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)


def test_no_curve_is_computed_in_variable_time() -> None:
    run_without_c_code("""
from frost_hsm.errors import NoConstantTime
from frost_hsm.frost.ciphersuites import ALL, P256
assert P256.group.backend.startswith("libcrypto")
for suite in ALL[1:]:
    try:
        suite.group
    except NoConstantTime as error:
        assert "C code" in str(error) and error.hint
    else:
        raise SystemExit(f"{suite} computes on {suite.group.backend}")
""")


@pytest.mark.parametrize("name", ["P256Pycryptodome", "Secp256k1"])
def test_without_any_c_library_the_program_stops(name: str) -> None:
    run_without_c_code(f"""
from frost_hsm.errors import NoConstantTime
from frost_hsm.groups import foundations, libcrypto
from frost_hsm.groups.pycryptodome import weierstrass
libcrypto.find = lambda: iter(())
for make in (foundations.p256, foundations.secp256k1, weierstrass.{name}):
    try:
        make()
    except NoConstantTime:
        continue
    raise SystemExit(f"{{make}} computes")
""")


def test_without_any_library_the_program_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "frost_hsm.groups.pycryptodome.weierstrass", None)  # how an import fails
    monkeypatch.delattr(pycryptodome, "weierstrass", raising=False)
    with pytest.raises(NoConstantTime, match="can be loaded"):
        choose(monkeypatch)


def test_many_values_are_freed(library: Libcrypto) -> None:
    made = freed = 0
    new, free = library.EC_POINT_new, library.EC_POINT_free

    def counting_new(group: int) -> int:
        nonlocal made
        made += 1
        return new(group)

    def counting_free(point: int) -> None:
        nonlocal freed
        freed += 1
        free(point)

    library.EC_POINT_new, library.EC_POINT_free = counting_new, counting_free
    group = curves.P256Libcrypto(library)
    for _ in range(10):
        group.encode(group.combine_base(3, 4, group.decode(p256.G)))
    assert made == freed > 10
