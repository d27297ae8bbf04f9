"""Every defence that an attack is known to meet, and how to take it out of the program.

A defence is one or more passages of the source, each of which must be there exactly once, and what stands in its place
afterwards. Where one defence stands behind another, both go: it is the attack that has to succeed.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

ATTACKS = Path(__file__).parents[1]

Edit = tuple[str, str, str]
"""A file of the program, what stands in it, and what comes in its place."""


@dataclass(frozen=True, slots=True)
class Defence:
    """what: what is taken out. attack: the test that has to notice. shows: how its failure may begin."""

    what: str
    attack: str
    edits: tuple[Edit, ...]
    shows: tuple[str, ...] = ("AssertionError", "Failed: DID NOT RAISE")

    def remove(self, program: Path, copy: Path) -> None:
        """Copy the program without this defence. Raises `LookupError` if the source has changed since."""
        shutil.copytree(program, copy)
        for name, old, new in self.edits:
            source = (copy / name).read_text()
            if source.count(old) != 1:
                raise LookupError(f"{name} holds {source.count(old)} times: {old}")
            (copy / name).write_text(source.replace(old, new))

    def nodes(self) -> list[str]:
        """Return what pytest calls the test."""
        return [
            f"{path}::{self.attack}" for path in ATTACKS.glob("test_*.py") if f"def {self.attack}(" in path.read_text()
        ]


def defence(attack: str, what: str, *edits: Edit, shows: str | None = None) -> Defence:
    return Defence(what, f"test_{attack}", edits, (shows,) if shows else ("AssertionError", "Failed: DID NOT RAISE"))


_BOUND_TO_CONTEXT = (
    ("ceremony/recipients.py", "Context.decode(self.ukm).require(expected)", "pass"),
    ("ceremony/envelope.py", "if target[:_HASH_LENGTH] != hashlib.sha256(expected.encode()).digest():", "if False:"),
)
_LENGTH = ("frost/checks.py", "if len(package.commitment) != entries]", "if False]")
_PROOFS = ("frost/dkg.py", "        _check_proofs(packages)\n        return share_out", "        return share_out")
_SAME_SESSION = ("ceremony/rounds.py", "return said.message.ceremony == self.id", "return True")
_STILL_GIVEN_UP = ("ceremony/rounds.py", "if self.home.exists(given_up_folder(self.id)) or (", "if False and (")
_IN_TOKEN = ("ceremony/records.py", "Capability.DATA in holder.token.capabilities", "False")
_IDENTITY = (
    "groups/openssl.py",
    "        if len(data) != 33 or data[0] not in (2, 3):\n            raise self._not_a_point(data)\n",
    "        if data == bytes(33):\n            return self.identity()\n",
)

DEFENCES = (
    # ── Key generation ──
    defence("k01_threshold_raising", "the length of a commitment is checked", _LENGTH),
    defence("k01_threshold_raising_in_a_refresh", "the length of a commitment is checked in a refresh", _LENGTH),
    defence(
        "k01b_a_failed_check_leaves_nothing",
        "messages are kept once they have been checked",
        (
            "ceremony/rounds.py",
            "        secret = sealed.recall()\n",
            "        self.transcript.keep(received)\n        secret = sealed.recall()\n",
        ),
    ),
    defence(
        "k02_top_coefficients_that_cancel_out",
        "the sum of all polynomials has the degree that was agreed",
        ("frost/dkg.py", "if group.is_identity(total[0]) or group.is_identity(total[-1]):", "if False:"),
    ),
    defence("k03_rogue_key", "everybody proves to know the constant term", _PROOFS),
    defence("k04_proof_of_knowledge_of_another_session", "a message belongs to one ceremony", _SAME_SESSION),
    defence(
        "k05_a_signature_is_no_proof_of_knowledge",
        "proofs have a domain of their own",
        (
            "frost/proof_of_knowledge.py",
            "hdkg(identifier.serialize() + commitment.constant_term + encoded)",
            "h2(encoded + commitment.constant_term + identifier.serialize())",
        ),
    ),
    defence(
        "k06_proof_forged_backwards",
        "the challenge of a proof covers R",
        ("frost/proof_of_knowledge.py", "commitment.constant_term + encoded)", "commitment.constant_term)"),
    ),
    defence("k07_a_retry_is_another_ceremony", "what was given up is not begun again", _STILL_GIVEN_UP),
    defence(
        "k08_zero_identifier",
        "an identifier is not zero, negative or too large",
        ("frost/values.py", "if not 0 < self.value < self.ciphersuite.group.order:", "if False:"),
    ),
    defence(
        "k09_duplicate_identifiers",
        "nobody is in a roster twice",
        ("ceremony/roster.py", "if mark in seen:", "if False:"),
    ),
    defence(
        "k10_wrong_share",
        "a share is checked against what its sender committed to",
        ("frost/dkg.py", "if strict or (strict is None", "if False and (strict is None"),
        ("frost/dkg.py", "if not group.equal(verifying_share, verifying_shares[own]):", "if False:"),
    ),
    defence(
        "k11_share_overwrite",
        "two different messages of one sender stop the ceremony",
        ("ceremony/inbox.py", "elif earlier.content_digest != said.content_digest:", "elif False:"),
    ),
    defence(
        "k12_another_view_with_the_same_group_key",
        "confirmations are compared in everything",
        (
            "ceremony/rounds.py",
            "if said.content_digest != own.content_digest:",
            "if said.message.public_key_package_hash != own.message.public_key_package_hash:",
        ),
    ),
    defence(
        "k13_a_confirmation_covers_every_message",
        "the hash of a round covers all of every message in it",
        ("ceremony/signed.py", 'b"".join(each.content_digest for each in signed)', 'b"".join(b"" for each in signed)'),
    ),
    defence(
        "k13_every_byte_of_a_confirmation_is_signed",
        "a signature covers the contents",
        ("ceremony/cms.py", "if hashlib.sha256(self.content).digest() != self.content_digest:", "if False:"),
    ),
    defence(
        "k14_a_pending_key_does_not_sign",
        "a key signs once all have confirmed it",
        ("ceremony/keys.py", "if self.state is KeyState.PENDING:", "if False:"),
    ),
    defence(
        "k14_nobody_is_parted_from_the_others",
        "all n confirmations count, whatever somebody says besides",
        ("ceremony/rounds.py", "if self.is_accepted and (agreed :=", "if False and (agreed :="),
        shows="CeremonyStopped",
    ),
    defence("k14_what_was_given_up_does_not_come_back", "what is being given up is not confirmed", _STILL_GIVEN_UP),
    defence(
        "k15_ones_own_contribution_altered",
        "a signature covers the contents",
        ("ceremony/cms.py", "if hashlib.sha256(self.content).digest() != self.content_digest:", "if False:"),
    ),
    defence(
        "k16_another_roster_for_the_victim",
        "everybody in a proposal is a peer under the same identity",
        ("ceremony/keygen.py", "if peers[identity.name] != identity:", "if False:"),
    ),
    defence(
        "k17_the_polynomial_is_evaluated_once",
        "the token remembers that a polynomial has served",
        ("ceremony/rounds.py", "        sealed.forget_polynomial()\n        return sent", "        return sent"),
        (
            "ceremony/sealed_rounds.py",
            "if len(mark) != HASH_LENGTH + seeds.SEED_LENGTH or not bound.equals(wanted):",
            "if False:",
        ),
    ),
    defence(
        "k17_a_kill_in_between_changes_nothing",
        "a polynomial is bound to one set of messages before it is evaluated",
        (
            "ceremony/sealed_rounds.py",
            "if len(mark) != HASH_LENGTH + seeds.SEED_LENGTH or not bound.equals(wanted):",
            "if False:",
        ),
    ),
    defence(
        "k18_another_round1_at_the_end",
        "round 2 names the round-1 messages that it was made for",
        ("ceremony/rounds.py", "self._require_same(received[self.me.name].message.round1_hash == round1_hash)", "pass"),
        ("ceremony/rounds.py", "if said.message.round1_hash != round1_hash:", "if False:"),
    ),
    defence(
        "k19_shares_in_clear",
        "shares are encrypted",
        (
            "ceremony/shares.py",
            "envelopes.append(envelope.encrypt(context, plaintext, identity.addressees, seed=seed))",
            'envelopes.append(b"\\x30" + bytes([len(plaintext)]) + bytes(plaintext._buffer))',
        ),
    ),
    defence(
        "k20_all_others_together",
        "a share is encrypted to its recipient alone",
        (
            "ceremony/shares.py",
            "envelope.encrypt(context, plaintext, identity.addressees,",
            "envelope.encrypt(context, plaintext, "
            "(*identity.addressees, *(each for each in seat.roster if each != identity)),",
        ),
        (
            "ceremony/envelope.py",
            "        if to is not None:\n            _require_recipients",
            "        if False:\n            _require_recipients",
        ),
    ),
    defence("k21_the_envelope_of_another_sender", "an envelope is bound to its sender", *_BOUND_TO_CONTEXT),
    defence("k23_an_envelope_elsewhere", "an envelope is bound to its context", *_BOUND_TO_CONTEXT),
    defence("k24_session_of_another_run", "a message belongs to one ceremony", _SAME_SESSION),
    # ── Blame ──
    defence(
        "k21_a_complaint_opens_one_envelope_and_no_key",
        "every envelope has a seed of its own",
        ("ceremony/shares.py", "seeds.expand(root, context.encode())", 'seeds.expand(root, b"all")'),
    ),
    defence(
        "k28_false_accusation",
        "a false complaint convicts its author",
        ("ceremony/judgement.py", "elif (recipient, complaint) in complaints and recipient != sender:", "elif False:"),
    ),
    defence(
        "k28_a_cheat_who_will_not_show_it",
        "an opening has to make the envelope again, byte for byte",
        ("ceremony/judgement.py", "        if wrong is not None:\n", "        if False:\n"),
    ),
    # ── Values ──
    defence(
        "k22_no_key_is_used_twice",
        "every envelope has an ephemeral key of its own",
        (
            "ceremony/recipients.py",
            "ephemeral = _ephemeral(seed)",
            "ephemeral = ec.derive_private_key(5, ec.SECP256R1())",
        ),
    ),
    defence("k25_identity_in_round1", "the identity is no element", _IDENTITY),
    defence("k25_identity_as_nonce_commitment", "the identity is no element", _IDENTITY),
    defence(
        "k25_identity_as_group_key",
        "the group key is not the identity",
        ("frost/dkg.py", "if group.is_identity(total[0]) or group.is_identity(total[-1]):", "if False:"),
        (
            "groups/openssl.py",
            "return self._octets(element, COMPRESSED, 33)",
            "return b'' if self.is_identity(element) else self._octets(element, COMPRESSED, 33)",
        ),
    ),
    defence(
        "k25_points_that_a_token_never_sees",
        "a point is checked before a token sees it",
        ("ceremony/recipients.py", "        point(self.ephemeral)", "        pass"),
    ),
    defence(
        "k26_other_spellings",
        "an element has one spelling",
        (
            "groups/openssl.py",
            "if len(data) != 33 or data[0] not in (2, 3):",
            "if data[0] in (6, 7):\n            data = bytes([data[0] - 4]) + data[1:]\n        if len(data) != 33:",
        ),
    ),
    defence(
        "k26_a_scalar_that_is_not_reduced",
        "nothing follows a package",
        ("frost/postcard.py", "        if self._rest:\n            raise", "        if False:\n            raise"),
    ),
    defence(
        "k26_y_coordinates_of_another_point",
        "y coordinates are checked",
        ("groups/openssl.py", '            data = b"\\4" + data[1:] + y\n', "            pass\n"),
    ),
    defence(
        "k27_small_subgroups",
        "points are in the subgroup of prime order",
        ("groups/edwards.py", "        if not found:\n", "        if False:\n"),
    ),
    defence(
        "k29_taproot_commitment_in_the_group_key",
        "a Taproot key is tweaked once it is made",
        (
            "frost/hooks.py",
            "taproot.tweak_public_key_package(public_key_package, taproot.NO_SCRIPTS)",
            "public_key_package",
        ),
        ("frost/hooks.py", "taproot.tweak_key_package(key_package, taproot.NO_SCRIPTS)", "key_package"),
    ),
    defence(
        "k33_signers_are_not_their_place_in_a_list",
        "Lagrange coefficients are of the identifiers",
        (
            "frost/signing.py",
            "numbers = [signer.value for signer in self.signing_package.signing_commitments]",
            "numbers = sorted({identifier.value, *range(1, len(self.signing_package.signing_commitments))})",
        ),
        shows="InvalidSignature",
    ),
    defence(
        "k34_impossible_thresholds",
        "a threshold is from 2 to the number of participants",
        ("ceremony/messages.py", "if not 2 <= self.min_signers <= len(self.roster):", "if False:"),
    ),
    # ── Epochs ──
    defence(
        "k30_a_refresh_of_something_else",
        "a refresh is of this key, in this epoch, among these people",
        ("ceremony/refresh.py", "if not key.is_refreshed_by(proposal.message):", "if False:"),
    ),
    defence(
        "k30_the_key_and_the_threshold_stay",
        "a refresh does not change the threshold",
        ("frost/refresh.py", "if secret.min_signers != key_package.min_signers:", "if False:"),
        ("frost/refresh.py", "if public_key_package.min_signers not in (None, key_package.min_signers):", "if False:"),
        shows="IncorrectNumberOfPackages",
    ),
    defence(
        "k31_shares_of_two_epochs",
        "a request is for one epoch",
        ("ceremony/signing.py", "if wanted.epoch != key.epoch:", "if False:"),
        ("ceremony/keys.py", "if self.state is KeyState.SUPERSEDED:", "if False:"),
    ),
    defence(
        "k31_the_old_share_is_gone",
        "the old share is destroyed",
        ("ceremony/refresh.py", "            records.destroy_all(self.key.sharing, self.key.position)\n", ""),
    ),
    defence(
        "k31_the_old_share_stays_until_all_have_confirmed",
        "the old share is kept until all have confirmed",
        (
            "ceremony/refresh.py",
            "        self.compare(inbox)\n        with open_holder() as holder, self.home.lock():\n",
            "        with open_holder() as holder, self.home.lock():\n"
            "            SealedRecords(holder, self.home).destroy_all(self.key.sharing, self.key.position)\n",
        ),
        shows="KeyNotFound",
    ),
    defence(
        "k31_one_confirmation_for_each_half",
        "all n confirmations count, whatever somebody says besides",
        ("ceremony/rounds.py", "if self.is_accepted and (agreed :=", "if False and (agreed :="),
        shows="CeremonyStopped",
    ),
    defence(
        "k32_too_few_helpers",
        "at least as many help as sign",
        ("frost/repair.py", "if len(helpers) < min_signers:", "if False:"),
    ),
    defence(
        "k32_a_share_of_another_key",
        "a repaired share is compared with the group's public key package",
        (
            "frost/repair.py",
            "if not suite.group.equal(suite.group.multiply_base(scalar), expected.element):",
            "if False:",
        ),
    ),
    # ── Operations ──
    defence(
        "p01_a_list_without_end",
        "a list has no more entries than a group has people",
        ("ceremony/asn1.py", "while inner.more() and len(values) <= most:", "while inner.more():"),
    ),
    defence(
        "p01_files_that_are_too_large",
        "a file has a largest size",
        ("cli/files.py", "if len(data) > LARGEST:", "if False:"),
    ),
    defence(
        "p02_odd_contents",
        "an element does not begin behind the end",
        ("ceremony/der.py", "        if start > self._end:\n", "        if False:\n"),
        ("ceremony/der.py", "        if start + length > self._end:\n", "        if False:\n"),
    ),
    defence(
        "p03_another_version",
        "a message is of a version that is known",
        ("ceremony/asn1.py", "!= VERSION:", "== 3:"),
    ),
    defence(
        "p03_fields_that_are_unknown_missing_or_doubled",
        "no field is there twice",
        ("frost/json_text.py", "if name in members:", "if False:"),
    ),
    defence(
        "p04_secrets_on_the_command_line",
        "what is no source of PINs is not taken for the PIN",
        ("cli/pin.py", "if kind not in sources or not place:", "if False:"),
    ),
    defence(
        "p05_swapped_records",
        "a record is bound to its ceremony, kind and owner",
        *_BOUND_TO_CONTEXT,
        ("ceremony/keys.py", 'raise SealBroken(f"the sealed share is not', 'str(f"the sealed share is not'),
    ),
    defence(
        "p05_nonces_that_somebody_else_sealed",
        "a record is signed by its owner",
        ("ceremony/envelope.py", "record.verify(holder.public.sign_key)", "pass"),
        ("ceremony/envelope.py", " or record.signer_key_id != holder.public.sign_key.key_id", ""),
    ),
    defence(
        "p06_one_key_for_many_records",
        "every envelope has a key of its own",
        (
            "ceremony/envelope.py",
            "seeds.expand(seed, _KEY, recipients.KEY_LENGTH) as key,\n        Secret.join",
            "Secret.zeros(recipients.KEY_LENGTH) as key,\n        Secret.join",
        ),
    ),
    defence(
        "p07_secrets_in_text",
        "a secret is not shown",
        ("secret.py", 'return f"<Secret {len(self._buffer)} bytes>"', "return self._buffer.hex()"),
    ),
    defence(
        "p07_every_kind_of_secret_is_redacted",
        "every secret object is redacted",
        (
            "frost/values.py",
            '    """A participant\'s share of the signing key',
            '    __repr__ = object.__repr__\n    """A participant\'s share of the signing key',
        ),
    ),
    defence(
        "p08_half_a_file",
        "a file is written beside the old one",
        (
            "ceremony/store.py",
            "path, partial = self.path / name, self.path / _PARTIAL",
            "path = partial = self.path / name",
        ),
        (
            "ceremony/store.py",
            "os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC",
            "os.O_WRONLY | os.O_CREAT | os.O_TRUNC",
        ),
    ),
    defence(
        "p08_kept_messages_in_each_others_place",
        "a kept message is what its name says",
        (
            "ceremony/transcript.py",
            "if kept is not None and (kept.sender != sender or not self._belongs(kept)):",
            "if False:",
        ),
    ),
    defence(
        "p08_damaged_and_exchanged_files",
        "what is kept is what was confirmed",
        ("ceremony/keys.py", "if confirmed.message.ceremony != ceremony or confirmed.sender != sender:", "if False:"),
    ),
    defence(
        "p09_hashes_that_are_too_short",
        "a hash has 32 bytes",
        ("ceremony/messages.py", "if any(len(each) != HASH_LENGTH for each in hashes):", "if False:"),
    ),
    defence(
        "p10_a_key_for_another_purpose",
        "signers are shown what a key is for",
        ("cli/requests.py", 'f", for: {key.purpose}" if key.purpose else ""', '""'),
    ),
    # ── Signing ──
    defence(
        "s01_nonce_reuse",
        "nonces are destroyed before they serve",
        ("ceremony/sealed_signer.py", "self._records.destroy(loose)", "pass"),
    ),
    defence(
        "s01_other_commitments_afterwards",
        "an answer is to one set of commitments",
        ("ceremony/signing.py", "if sent.message.commitments_hash != commitments_hash:", "if False:"),
    ),
    defence("s02_deterministic_nonces", "nonces are drawn", ("frost/signing.py", "entropy(view)", "pass")),
    defence(
        "s02_a_generator_that_repeats_itself",
        "nonces depend on the share as well",
        ("frost/signing.py", "with Secret.join(randomness, encoded) as seed:", "with Secret.join(randomness) as seed:"),
    ),
    defence(
        "s03_nonces_that_depend_on_each_other",
        "each nonce is drawn on its own",
        (
            "frost/signing.py",
            "hiding, binding = _nonce(share, entropy), _nonce(share, entropy)",
            "hiding = binding = _nonce(share, entropy)",
        ),
    ),
    defence("s04_rollback", "nonces lie in the token", _IN_TOKEN),
    defence("s04_a_cloned_host", "nonces lie in the token", _IN_TOKEN),
    defence("s05_nonces_in_a_copy_of_the_state", "nonces lie in the token", _IN_TOKEN),
    defence(
        "s06_crash_between_signing_and_sending",
        "nonces are bound to one signing package",
        ("ceremony/sealed_signer.py", "hashed = hashlib.sha256(package.serialize())", "hashed = hashlib.sha256()"),
    ),
    defence(
        "s06_the_same_request_again",
        "an answer is stored",
        (
            "ceremony/signing.py",
            "        sent = self.transcript.sent(Response)\n        if sent is None:\n            package",
            "        sent = None\n        if sent is None:\n            package",
        ),
        shows="",
    ),
    defence(
        "s07_parallel_sessions",
        "commitments are for one request",
        ("ceremony/signing.py", "return said.message.request == self.id and", "return"),
    ),
    defence(
        "s07_binding_factors_cover_everything",
        "a binding factor covers the list of commitments",
        ("frost/signing.py", " + suite.h5(encoded_list)", ""),
    ),
    defence(
        "s08_a_message_that_pretends_to_be_commitments",
        "message and list are hashed on their own",
        (
            "frost/signing.py",
            "suite.h4(signing_package.message) + suite.h5(encoded_list)",
            "encoded_list + signing_package.message",
        ),
    ),
    defence(
        "s09_a_nonce_of_zero",
        "a nonce of zero is drawn again",
        ("frost/signing.py", "if not suite.group.is_zero(scalar):", "if True:"),
        shows="InvalidIdentityElement",
    ),
    defence("s09_a_commitment_to_zero", "the identity is no element", _IDENTITY),
    defence(
        "s10_ones_own_commitment_changed",
        "a signer looks for its own commitments",
        ("ceremony/sealed_signer.py", "if waiting is not None and self._commitments(waiting) != mine:", "if False:"),
        ("frost/signing.py", "if commitments[identifier] != nonces.commitments:", "if False:"),
    ),
    defence(
        "s11_malleable_signing_packages",
        "every signer is a participant",
        ("ceremony/sealed_signer.py", "            self.key.participant(identifier)\n", "            pass\n"),
    ),
    defence(
        "s12_blind_signing",
        "a request is for one key",
        ("ceremony/signing.py", "if (wanted.ceremony, wanted.key) != (key.ceremony, key.verifying_key):", "if False:"),
    ),
    defence(
        "s12_nobody_agrees_unseen",
        "a person is asked",
        ("cli/agreement.py", 'if not terminal.confirm("Agree to sign this message?"):', "if False:"),
    ),
    defence(
        "s13_bad_shares_are_named",
        "every bad share is looked for",
        ("frost/signing.py", "if cheater_detection is CheaterDetection.FIRST:", "if True:"),
    ),
    defence(
        "s14_unverified_aggregate",
        "a signature is verified before it is let out",
        (
            "frost/signing.py",
            "if session.fits(response, session.challenge, key.element, session.group_commitment):",
            "if True:",
        ),
    ),
    defence(
        "s17_randomness_from_outside",
        "no command says where randomness comes from",
        ("cli/sign.py", "session.commit(place.holder)", "session.commit(place.holder, entropy=lambda view: None)"),
    ),
)
