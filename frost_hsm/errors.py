"""Every error of frost-hsm, in one tree: what went wrong, who is provably at fault, what to do about it.

| class              | exit | meaning                                                            |
|--------------------|------|--------------------------------------------------------------------|
| `UsageProblem`     | 2    | parameters that can never work                                     |
| `InvalidSignature` | 10   | a signature does not verify                                        |
| `InputProblem`     | 65+  | a file or package is missing, malformed, altered or foreign        |
| `TokenProblem`     | 69+  | no token, another token, a PIN, a key, a broken seal               |
| `BoardProblem`     | 69+  | a board that is away, or cannot be used                            |
| `NotYet`           | 75   | something from others is missing; the same command works later     |
| `ProtocolViolation`| 76   | somebody broke the protocol and it can be proven: `culprits`       |
| `Refused`          | 76   | doing it again would be dangerous                                  |
| `ConfigProblem`    | 78   | the configuration                                                  |

``code`` is stable and goes into JSON; ``exit`` is the exit status of the command line. A message is one
sentence, lower case, without a full stop, and names the thing. A hint says what to do.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar


class FrostHsmError(Exception):
    """What every error of this package is.

    ``details`` are further lines, each about one of several things that the message sums up: no line of them can be
    made by what is inside another.

    ``culprits`` names the participants proven to be at fault, and nobody else: `Identifier` values below
    ``ceremony/``, participant names from there up. It is empty wherever somebody on the way could have done it.
    """

    code: ClassVar[str] = "internal"
    exit: ClassVar[int] = 1
    default_hint: ClassVar[str | None] = None

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        culprits: Iterable[object] = (),
        details: Iterable[str] = (),
    ) -> None:
        super().__init__(message)
        self.hint = hint if hint is not None else self.default_hint
        self.culprits = tuple(culprits)
        self.details = tuple(details)


# ── The caller's own parameters ──────────────────────────────────────────────────────────────────────────────


class UsageProblem(FrostHsmError):
    """Parameters that can never work."""

    code = "usage"
    exit = 2
    default_hint = "see --help for what is possible"


class InvalidMinSigners(UsageProblem):
    """The threshold is below 2 or above the number of participants (ZcashFoundation: ``InvalidMinSigners``)."""

    code = "invalid-min-signers"
    default_hint = "the threshold is at least 2 and at most the number of participants"


class InvalidMaxSigners(UsageProblem):
    """Fewer than two participants (ZcashFoundation: ``InvalidMaxSigners``)."""

    code = "invalid-max-signers"
    default_hint = "a group has at least 2 participants and at most 65535"


class DuplicatedIdentifier(UsageProblem):
    """The same identifier twice (ZcashFoundation: ``DuplicatedIdentifier``)."""

    code = "duplicated-identifier"
    default_hint = "each participant has an identifier of their own"


class IncorrectNumberOfIdentifiers(UsageProblem):
    """Not as many identifiers as participants, or too few helpers (ZcashFoundation's name, too)."""

    code = "incorrect-number-of-identifiers"
    default_hint = "one identifier for each participant, and at least as many helpers as the threshold"


class SecretConsumed(UsageProblem):
    """A single-use secret was used before: a secret package, or nonces."""

    code = "secret-consumed"
    default_hint = "each secret package and each pair of nonces serves once; make a new one"


class SecretForked(SecretConsumed):
    """A single-use secret in a process forked off the one that made it, where it may serve as well."""

    code = "secret-forked"
    default_hint = "make it after the fork, in the process that uses it, or start that one by spawn"


class PinOnCommandLine(UsageProblem):
    """A PIN was given as an argument, where every user of the machine can read it."""

    code = "pin-on-command-line"
    default_hint = "leave the option out to be asked, or use --pin-source; change this PIN, it may be recorded already"


class NotPossible(UsageProblem):
    """The request contradicts itself or what it names."""

    code = "not-possible"


# ── A verdict ────────────────────────────────────────────────────────────────────────────────────────────────


class InvalidSignature(FrostHsmError):
    """The signature is not one by this key on this message (ZcashFoundation: ``InvalidSignature``)."""

    code = "signature-invalid"
    exit = 10
    default_hint = "check that the message, the signature and the key belong together"


# ── Files and packages ───────────────────────────────────────────────────────────────────────────────────────


class InputProblem(FrostHsmError):
    """Something that was read is missing, malformed, altered or belongs elsewhere. Proves nobody's fault."""

    code = "input"
    exit = 65
    default_hint = "ask its sender for the file again; nothing was changed"


class FileMissing(InputProblem):
    """A named file is not there or cannot be read."""

    code = "file-missing"
    exit = 66
    default_hint = "check the path"


class NotKnown(InputProblem):
    """No peer, key, ceremony or request of this name in the state directory."""

    code = "not-known"
    exit = 66
    default_hint = "see: frost-hsm keys list, frost-hsm peer list, frost-hsm dkg status"


class MalformedMessage(InputProblem):
    """Bytes that are not a message of ours in its one canonical form."""

    code = "package-malformed"
    default_hint = "the file was damaged on its way, or is something else; ask for it again"


class DeserializationError(MalformedMessage):
    """Bytes that are not ZcashFoundation's encoding of what was asked for."""

    code = "package-malformed"


class MalformedScalar(DeserializationError):
    """A scalar of the wrong length or not below the group order."""


class MalformedElement(DeserializationError):
    """An element of the wrong length, off the curve or in a non-canonical form."""


class InvalidIdentityElement(DeserializationError):
    """The identity element where ZcashFoundation refuses it: everywhere."""


class InvalidNonPrimeOrderElement(DeserializationError):
    """A point of the curve outside the subgroup of prime order: of low order, or with a part of it."""


class InvalidZeroScalar(DeserializationError):
    """A zero where none may be: an identifier, a signing key, a signing share."""


class BadMessageSignature(InputProblem):
    """A message whose CMS signature does not verify: damaged or altered by anyone, so nobody is named."""

    code = "package-signature"
    default_hint = "this does not show that its sender did anything wrong; ask for it again by another way"


class FingerprintMismatch(InputProblem):
    """An identity is not the one whose fingerprint its owner told."""

    code = "fingerprint-mismatch"
    default_hint = "somebody may have swapped the file; get it from its owner in another way"


class UnknownSender(InputProblem):
    """A message signed by a key that is not in the roster."""

    code = "sender-unknown"
    default_hint = "nothing was changed; add the sender with frost-hsm peer add if you know them"


class ForeignMessage(InputProblem):
    """A good message that belongs to another ceremony, request, suite or step."""

    code = "package-foreign"
    default_hint = "it may be left from an earlier attempt; nothing was changed"


class IncorrectNumberOfPackages(InputProblem):
    """Not one package from each other participant (ZcashFoundation: ``IncorrectNumberOfPackages``)."""

    code = "incorrect-number-of-packages"


class IncorrectPackage(InputProblem):
    """Packages that do not belong together (ZcashFoundation: ``IncorrectPackage``)."""

    code = "incorrect-package"


class UnchangedShare(InputProblem):
    """A refresh that leaves somebody's share as it was. Nothing shows by whom, and so nobody is named."""

    code = "refresh-unchanged-share"
    default_hint = (
        "nothing was changed, the old shares go on; start another refresh, and if it was dealt, by somebody else"
    )


class UnknownIdentifier(InputProblem):
    """An identifier that has no place here (ZcashFoundation: ``UnknownIdentifier``)."""

    code = "unknown-identifier"


class IncorrectNumberOfSigners(InputProblem):
    """Fewer commitments or shares than min_signers, or one without the other.

    ZcashFoundation: ``IncorrectNumberOfCommitments`` and ``IncorrectNumberOfShares`` of signing.
    """

    code = "incorrect-number-of-signers"


class MissingCommitment(InputProblem):
    """The signing package lacks the signer's own commitments (ZcashFoundation: ``MissingCommitment``)."""

    code = "missing-commitment"


class IncorrectCommitment(InputProblem):
    """The signing package holds other commitments for the signer (ZcashFoundation: ``IncorrectCommitment``)."""

    code = "incorrect-commitment"


class IdentityCommitment(InputProblem):
    """Commitments that add up to the identity (ZcashFoundation: ``IdentityCommitment``)."""

    code = "identity-commitment"


class OutputExists(InputProblem):
    """An output file exists with other contents."""

    code = "output-exists"
    exit = 73
    default_hint = "use another name with -o, or --force"


class StorageProblem(InputProblem):
    """The state directory or a file cannot be written, locked or read."""

    code = "storage"
    exit = 74
    default_hint = "make the directory yours and writable, with space left, and run the same command again"


# ── Waiting ──────────────────────────────────────────────────────────────────────────────────────────────────


class NotYet(FrostHsmError):
    """Something from others is missing; the same command works once it is there."""

    code = "waiting"
    exit = 75
    default_hint = "ask for what is missing, then run the same command again"


# ── Somebody broke the protocol, provably ────────────────────────────────────────────────────────────────────


class ProtocolViolation(FrostHsmError):
    """A correctly signed message is wrong: its sender is at fault, and the message is the proof."""

    code = "protocol-violation"
    exit = 76
    default_hint = "the ceremony is stopped here; show the evidence file to the others, then start a new one"


class IncorrectNumberOfCommitments(ProtocolViolation):
    """A round-1 commitment without exactly min_signers entries: it would raise or lower the threshold."""

    code = "dkg-commitment-length"


class InvalidProofOfKnowledge(ProtocolViolation):
    """A round-1 proof of knowledge that does not verify (ZcashFoundation: ``InvalidProofOfKnowledge``)."""

    code = "dkg-bad-proof"


class InvalidSecretShare(ProtocolViolation):
    """A round-2 share that does not match its sender's commitment (ZcashFoundation: ``InvalidSecretShare``).

    Its recipient alone sees it, until its sender opens it.
    """

    code = "dkg-bad-share"


class InvalidContents(ProtocolViolation):
    """A correctly signed message whose contents its sender cannot have made by following the protocol."""

    code = "invalid-contents"
    default_hint = "its sender cannot deny the file: show it to the others"


class Equivocation(ProtocolViolation):
    """Two different signed messages of one step from one sender, or views of one ceremony that differ."""

    code = "equivocation"
    default_hint = "restored from an old backup, or cheating: do not go on; show the evidence file to the others"


class InvalidSignatureShare(ProtocolViolation):
    """A signature share that does not verify (ZcashFoundation: ``InvalidSignatureShare``)."""

    code = "sign-bad-share"
    default_hint = "make a new request with other signers"


# ── We will not do it twice ──────────────────────────────────────────────────────────────────────────────────


class Refused(FrostHsmError):
    """Doing this would be dangerous or contradict what was done before."""

    code = "refused"
    exit = 76


class StepConflict(Refused):
    """The same step again with other input than the first time."""

    code = "step-conflict"
    default_hint = "run it with the files of the first time; nothing was changed"


class NonceUsed(Refused):
    """Nonces that have served, or were on their way to when something failed."""

    code = "nonce-used"
    default_hint = "answering twice would reveal your share; ask for a new request"


class StateRolledBack(Refused):
    """The token shows that a later step was taken than the state directory knows of."""

    code = "state-rolled-back"
    default_hint = "put the files you sent beside those of the others and go on: frost-hsm dkg finish NAME --in DIR"


class TokenOwnedElsewhere(Refused):
    """The token works with another state directory; it has to be taken over in so many words."""

    code = "token-owned-elsewhere"
    default_hint = "to go on here, and shut the other one out: frost-hsm init --take-over"


class CeremonyStopped(Refused):
    """The ceremony was aborted here, or stopped by evidence against a participant."""

    code = "ceremony-stopped"
    default_hint = "start a new one: frost-hsm dkg propose"


class Aborted(FrostHsmError):
    """The person said no, or pressed Ctrl-C."""

    code = "aborted"
    exit = 130


# ── The machine ──────────────────────────────────────────────────────────────────────────────────────────────


class NoConstantTime(FrostHsmError):
    """No C library computes with secrets on a curve, in time that does not depend on them. Nothing else may."""

    code = "no-constant-time"
    exit = 69
    default_hint = "install pycryptodome from a wheel with its C code, or a Python with OpenSSL; see frost-hsm doctor"


# ── Tokens ───────────────────────────────────────────────────────────────────────────────────────────────────


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


class NoTerminal(TokenProblem):
    """A PIN or an answer is needed and there is no terminal to ask on."""

    code = "no-terminal"
    default_hint = "use --pin-source file:PATH, fd:N or env:NAME"


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


class TokenLost(TokenProblem):
    """The token went away or failed in the middle of something."""

    code = "device-lost"
    exit = 74
    default_hint = "connect it again and run the same command; steps can be repeated"


class TokenReadOnly(TokenProblem):
    """The token lets its user write nothing, or not this."""

    code = "token-read-only"
    default_hint = "its security officer may be able to, with the vendor's tool"


class WrongToken(TokenProblem):
    """Another token than the one that holds the identity or the key."""

    code = "token-mismatch"
    exit = 77
    default_hint = "no PIN was tried; connect the right token or leave --token out"


class KeyPolicy(TokenProblem):
    """The token's key does not have the attributes that keep it inside."""

    code = "key-policy"
    exit = 77


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


class SealBroken(TokenProblem):
    """A sealed record or envelope does not open here, or is not what its context says."""

    code = "seal-broken"
    exit = 65
    default_hint = "altered, meant for another token, or the token failed; restore it from a backup"


# ── Boards ───────────────────────────────────────────────────────────────────────────────────────────────────


class BoardProblem(FrostHsmError):
    """A board that cannot be used as it is: not installed, not permitted, full, or none."""

    code = "board"
    exit = 69
    default_hint = "frost-hsm board check URI says what works"


class BoardUnreachable(BoardProblem):
    """A board that is away; the same command works once it is back."""

    code = "board-unreachable"
    exit = 75
    default_hint = "see that it is there and run the same command again; nothing is lost"


# ── Configuration ────────────────────────────────────────────────────────────────────────────────────────────


class ConfigProblem(FrostHsmError):
    """The configuration is missing or wrong."""

    code = "config-invalid"
    exit = 78
    default_hint = "write a new one: frost-hsm init"
