"""Tokens, their modules and backends, and PINs."""

from __future__ import annotations

from frost_hsm.errors.kinds import FrostHsmError, UsageProblem


class TokenProblem(FrostHsmError):
    """A token, its module or its backend."""

    code = "token"
    exit = 69
    default_hint = "frost-hsm doctor says what is there"


class BackendUnavailable(TokenProblem):
    """The backend is not installed or cannot be imported."""

    code = "backend-unavailable"


class ModuleUnavailable(TokenProblem):
    """The PKCS#11 module is missing, is not one, or does not initialise."""

    code = "module-unavailable"


class TokenNotFound(TokenProblem):
    """No token matches."""

    code = "token-missing"
    default_hint = "connect it; frost-hsm token list shows what is there"


class TokenAmbiguous(TokenProblem):
    """More than one token matches."""

    code = "token-ambiguous"
    default_hint = "pass one of these lines to --token"


class TokenReadOnly(TokenProblem):
    """The token lets its user write nothing, or not this."""

    code = "token-read-only"
    default_hint = "its security officer may be able to, with the vendor's tool"


class TokenLost(TokenProblem):
    """The token went away or failed in the middle of something."""

    code = "device-lost"
    exit = 74
    default_hint = "connect it again and run the same command; steps can be repeated"


class WrongToken(TokenProblem):
    """Another token than the one that holds the identity or the key."""

    code = "token-mismatch"
    exit = 77
    default_hint = "no PIN was tried; connect the right token or leave --token out"


class MechanismUnsupported(TokenProblem):
    """The token cannot do what was asked."""

    code = "mechanism-unsupported"


class KeyNotFound(TokenProblem):
    """The token does not hold the key, certificate or record."""

    code = "token-key-missing"
    default_hint = "is this the token of this identity? frost-hsm token list"


class KeyExists(TokenProblem):
    """The token holds this key or record already."""

    code = "token-key-exists"
    exit = 73


class KeyPolicy(TokenProblem):
    """The token's key does not have the attributes that keep it inside."""

    code = "key-policy"
    exit = 77


class SealBroken(TokenProblem):
    """A sealed record or envelope does not open here, or is not what its context says."""

    code = "seal-broken"
    exit = 65
    default_hint = "altered, meant for another token, or the token failed; restore it from a backup"


class NoTerminal(TokenProblem):
    """A PIN or an answer is needed and there is no terminal to ask on."""

    code = "no-terminal"
    default_hint = "use --pin-source file:PATH, fd:N or env:NAME"


class PinOnCommandLine(UsageProblem):
    """A PIN was given as an argument, where every user of the machine can read it."""

    code = "pin-on-command-line"
    default_hint = "leave the option out to be asked, or use --pin-source; change this PIN, it may be recorded already"


class PinProblem(TokenProblem):
    """The PIN, never retried by a program."""

    code = "pin"
    exit = 77


class PinIncorrect(PinProblem):
    """The token refused the PIN."""

    code = "pin-incorrect"
    default_hint = "each wrong attempt counts against the token; make sure of the PIN first"


class PinFinalTry(PinProblem):
    """One try left before the token locks."""

    code = "pin-final-try"
    default_hint = "make sure of the PIN first; to use the last try: add --allow-final-pin-try"


class PinLocked(PinProblem):
    """The token has locked its PIN."""

    code = "pin-locked"
    default_hint = "the security officer can set a new user PIN with the vendor's tool"


class PinUnusable(PinProblem):
    """No user PIN is set, it has expired, or its source gives none."""

    code = "pin-unusable"
