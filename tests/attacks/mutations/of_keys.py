"""What keeps key generation, refreshes and repairs: the attacks K1 to K41."""

from __future__ import annotations

from attacks.mutations.defence import BOUND_TO_CONTEXT, IDENTITY, defence

_LENGTH = ("frost/keys/checks.py", "if len(package.commitment) != entries]", "if False]")
_PROOFS = ("frost/keys/dkg.py", "        _check_proofs(packages)\n        return share_out", "        return share_out")
_SAME_SESSION = ("ceremony/sharing/rounds.py", "return said.message.ceremony == self.id", "return True")
_MADE_AGAIN = (
    "ceremony/sealing/envelope.py",
    "if to is not None and encrypt(expected, plaintext, to, seed=seed) != data:",
    "if False:",
)
_ANY_STATE = (
    "ceremony/history/keys.py",
    'wanted = line[-1] if at is None and line else history.states.get(at or b"")',
    'wanted = history.states.get(at or b"", line[-1] if line else None)',
)
_ALWAYS_PRESENT = (
    "ceremony/history/keys.py",
    "status = KeyStatus.ACTIVE if line and wanted == line[-1] else KeyStatus.SUPERSEDED",
    "status = KeyStatus.ACTIVE",
)
_UNDECIDED = (("ceremony/history/bundle.py", "in _confirmed(chapter) if is_decided else", "in"),)

OF_KEYS = (
    # ── Key generation ──
    defence("k01_threshold_raising", "the length of a commitment is checked", _LENGTH),
    defence("k01_threshold_raising_in_a_refresh", "the length of a commitment is checked in a refresh", _LENGTH),
    defence(
        "k01b_a_failed_check_leaves_nothing",
        "messages are kept once they have been checked",
        (
            "ceremony/sharing/rounds.py",
            "        secret = sealed.recall()\n",
            "        self.transcript.keep(received)\n        secret = sealed.recall()\n",
        ),
    ),
    defence(
        "k02_top_coefficients_that_cancel_out",
        "the sum of all polynomials has the degree that was agreed",
        ("frost/keys/dkg.py", "if group.is_identity(total[0]) or group.is_identity(total[-1]):", "if False:"),
    ),
    defence("k03_rogue_key", "everybody proves to know the constant term", _PROOFS),
    defence("k04_proof_of_knowledge_of_another_session", "a message belongs to one ceremony", _SAME_SESSION),
    defence(
        "k05_a_signature_is_no_proof_of_knowledge",
        "proofs have a domain of their own",
        (
            "frost/keys/proof_of_knowledge.py",
            "hdkg(identifier.serialize() + commitment.constant_term + encoded)",
            "h2(encoded + commitment.constant_term + identifier.serialize())",
        ),
    ),
    defence(
        "k06_proof_forged_backwards",
        "the challenge of a proof covers R",
        ("frost/keys/proof_of_knowledge.py", "commitment.constant_term + encoded)", "commitment.constant_term)"),
    ),
    defence(
        "k07_a_retry_is_another_ceremony",
        "what was given up is not begun again",
        ("ceremony/sharing/rounds.py", "if self.home.exists(given_up_folder(self.id)):", "if False:"),
    ),
    defence(
        "k08_zero_identifier",
        "an identifier is not zero, negative or too large",
        ("frost/values.py", "if not 0 < self.value < self.ciphersuite.group.order:", "if False:"),
    ),
    defence(
        "k09_duplicate_identifiers",
        "nobody is in a roster twice",
        ("ceremony/people/roster.py", "if mark in seen:", "if False:"),
    ),
    defence(
        "k10_wrong_share",
        "a share is checked against what its sender committed to",
        ("frost/keys/dkg.py", "if strict or (strict is None", "if False and (strict is None"),
        ("frost/keys/dkg.py", "if not group.equal(verifying_share, verifying_shares[own]):", "if False:"),
    ),
    defence(
        "k11_share_overwrite",
        "two different messages of one sender stop the ceremony",
        ("ceremony/messages/inbox.py", "elif earlier.content_digest != said.content_digest:", "elif False:"),
    ),
    defence(
        "k12_another_view_with_the_same_group_key",
        "confirmations are compared in everything",
        (
            "ceremony/sharing/rounds.py",
            "if said.content_digest != own.content_digest:",
            "if said.message.public_key_package_hash != own.message.public_key_package_hash:",
        ),
    ),
    defence(
        "k13_a_confirmation_covers_every_message",
        "the hash of a round covers all of every message in it",
        (
            "ceremony/messages/signed.py",
            'b"".join(each.content_digest for each in signed)',
            'b"".join(b"" for each in signed)',
        ),
    ),
    defence(
        "k13_every_byte_of_a_confirmation_is_signed",
        "a signature covers the contents",
        ("forms/cms.py", "if hashlib.sha256(self.content).digest() != self.content_digest:", "if False:"),
    ),
    defence(
        "k14_a_pending_key_does_not_sign",
        "a key signs once all have confirmed it",
        ("ceremony/history/keys.py", "case KeyStatus.PENDING | KeyStatus.GIVEN_UP:", "case KeyStatus.GIVEN_UP:"),
    ),
    defence(
        "k14_nobody_is_parted_from_the_others",
        "all n confirmations count, whatever somebody says besides",
        ("ceremony/sharing/rounds.py", "if self.is_accepted and (agreed :=", "if False and (agreed :="),
        shows="CeremonyStopped",
    ),
    defence(
        "k14_what_was_given_up_does_not_come_back",
        "the token remembers what was given up",
        ("ceremony/sharing/rounds.py", "if Marks(holder, self.home).is_gone(self.id):", "if False:"),
    ),
    defence(
        "k14_a_confirmation_that_left_is_not_taken_back",
        "what one has confirmed is kept, given up or not",
        (
            "ceremony/sharing/rounds.py",
            "            if self.transcript.sent(Confirmation) is None:\n",
            "            if True:\n",
        ),
    ),
    defence(
        "k15_ones_own_contribution_altered",
        "a signature covers the contents",
        ("forms/cms.py", "if hashlib.sha256(self.content).digest() != self.content_digest:", "if False:"),
    ),
    defence(
        "k16_another_roster_for_the_victim",
        "everybody in a proposal is a peer under the same identity",
        ("ceremony/sharing/keygen.py", "if peers[identity.name] != identity:", "if False:"),
    ),
    defence(
        "k17_the_polynomial_is_evaluated_once",
        "the token remembers that a polynomial has served",
        (
            "ceremony/sharing/rounds.py",
            "        sealed.forget_polynomial()\n        return sent",
            "        return sent",
        ),
        (
            "ceremony/sharing/sealed_rounds.py",
            "if len(mark) != HASH_LENGTH + seeds.SEED_LENGTH or not bound.equals(wanted):",
            "if False:",
        ),
    ),
    defence(
        "k17_a_kill_in_between_changes_nothing",
        "a polynomial is bound to one set of messages before it is evaluated",
        (
            "ceremony/sharing/sealed_rounds.py",
            "if len(mark) != HASH_LENGTH + seeds.SEED_LENGTH or not bound.equals(wanted):",
            "if False:",
        ),
    ),
    defence(
        "k18_another_round1_at_the_end",
        "round 2 names the round-1 messages that it was made for",
        (
            "ceremony/sharing/rounds.py",
            "self._require_same(received[self.me.name].message.round1_hash == round1_hash)",
            "pass",
        ),
        ("ceremony/sharing/rounds.py", "if said.message.round1_hash != round1_hash:", "if False:"),
    ),
    defence(
        "k19_shares_in_clear",
        "shares are encrypted",
        (
            "ceremony/sealing/shares.py",
            "envelopes.append(Enclosure.of(envelope.encrypt(context, plaintext, identity.addressees, seed=seed)))",
            'envelopes.append(Enclosure.of(b"\\x30" + bytes([len(plaintext)]) + bytes(plaintext._buffer)))',
        ),
    ),
    defence(
        "k40_an_envelope_that_is_exchanged_on_its_way",
        "what lies beside a message is named in it",
        (
            "ceremony/messages/signed.py",
            "if len(enclosed) != (len(named.enclosed) if isinstance(named, Enclosing) else 0):",
            "if False:",
        ),
        shows="NotYet",
    ),
    defence(
        "k40_an_envelope_that_is_withheld",
        "a message without the envelope for us has not come",
        (
            "ceremony/history/transcript.py",
            "if lacking := [name for name in expected if not self.is_whole_for_us(found[name])]:",
            "if lacking := []:",
        ),
        ("ceremony/messages/message.py", "if self.data is None:", "if False:"),
        shows="TypeError",
    ),
    defence(
        "k20_all_others_together",
        "a share is encrypted to its recipient alone",
        (
            "ceremony/sealing/shares.py",
            "envelope.encrypt(context, plaintext, identity.addressees,",
            "envelope.encrypt(context, plaintext, "
            "(*identity.addressees, *(each for each in seat.roster if each != identity)),",
        ),
        (
            "ceremony/sealing/envelope.py",
            "        if to is not None:\n            _require_recipients",
            "        if False:\n            _require_recipients",
        ),
        _MADE_AGAIN,
    ),
    defence(
        "k21_the_envelope_of_another_sender",
        "an envelope is bound to its sender",
        *BOUND_TO_CONTEXT,
        _MADE_AGAIN,
    ),
    defence("k23_an_envelope_elsewhere", "an envelope is bound to its context", *BOUND_TO_CONTEXT),
    defence("k24_session_of_another_run", "a message belongs to one ceremony", _SAME_SESSION),
    # ── Blame ──
    defence(
        "k21_a_complaint_opens_one_envelope_and_no_key",
        "every envelope has a seed of its own",
        ("ceremony/sealing/shares.py", "seeds.expand(root, context.encode())", 'seeds.expand(root, b"all")'),
    ),
    defence(
        "k28_false_accusation",
        "a false complaint convicts its author",
        (
            "ceremony/history/evidence.py",
            "elif (recipient, sender) in claiming and recipient != sender:",
            "elif False:",
        ),
    ),
    defence(
        "k28_a_second_round1_for_the_judge",
        "a share is judged by the round 1 that its round 2 names",
        (
            "ceremony/history/evidence.py",
            "if said.content_digest == claim.message.round1_of_accused), None)",
            "if True), None)",
        ),
    ),
    defence(
        "k28_accusing_strangers",
        "a complaint lists the round 1 that the message names",
        (
            "ceremony/messages/complaints.py",
            "return (self.accused, self.round2, listed) == (accused, round2, round1_hash)",
            "return (self.accused, self.round2) == (accused, round2)",
        ),
    ),
    defence(
        "k28_a_cheat_who_will_not_show_it",
        "an opening has to make the envelope again, byte for byte",
        ("ceremony/history/evidence.py", "        if wrong is not None:\n", "        if False:\n"),
    ),
    # ── Values ──
    defence(
        "k22_no_key_is_used_twice",
        "every envelope has an ephemeral key of its own",
        (
            "ceremony/sealing/recipients.py",
            "ephemeral = _ephemeral(seed)",
            "ephemeral = ec.derive_private_key(5, ec.SECP256R1())",
        ),
    ),
    defence("k25_identity_in_round1", "the identity is no element", IDENTITY),
    defence("k25_identity_as_nonce_commitment", "the identity is no element", IDENTITY),
    defence(
        "k25_identity_as_group_key",
        "the group key is not the identity",
        ("frost/keys/dkg.py", "if group.is_identity(total[0]) or group.is_identity(total[-1]):", "if False:"),
        (
            "groups/libcrypto/curves.py",
            "return self._octets(element, COMPRESSED, 33)",
            "return b'' if self.is_identity(element) else self._octets(element, COMPRESSED, 33)",
        ),
    ),
    defence(
        "k25_points_that_a_token_never_sees",
        "a point is checked before a token sees it",
        ("ceremony/sealing/recipients.py", "        point(self.ephemeral)", "        pass"),
    ),
    defence(
        "k26_other_spellings",
        "an element has one spelling",
        (
            "groups/libcrypto/curves.py",
            "if len(data) != 33 or data[0] not in (2, 3):",
            "if data[0] in (6, 7):\n            data = bytes([data[0] - 4]) + data[1:]\n        if len(data) != 33:",
        ),
    ),
    defence(
        "k26_a_scalar_that_is_not_reduced",
        "nothing follows a package",
        (
            "frost/encoding/postcard.py",
            "        if self._rest:\n            raise",
            "        if False:\n            raise",
        ),
    ),
    defence(
        "k26_y_coordinates_of_another_point",
        "y coordinates are checked",
        ("groups/libcrypto/curves.py", '            data = b"\\4" + data[1:] + y\n', "            pass\n"),
    ),
    defence(
        "k27_small_subgroups",
        "points are in the subgroup of prime order",
        ("groups/pycryptodome/edwards.py", "        if not found:\n", "        if False:\n"),
    ),
    defence(
        "k29_taproot_commitment_in_the_group_key",
        "a Taproot key is tweaked once it is made",
        (
            "frost/keys/dkg.py",
            "taproot.tweak_public_key_package(public_key_package, taproot.NO_SCRIPTS)",
            "public_key_package",
        ),
        ("frost/keys/dkg.py", "taproot.tweak_key_package(key_package, taproot.NO_SCRIPTS)", "key_package"),
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
        ("ceremony/messages/making.py", "if not 2 <= self.min_signers <= len(self.roster):", "if False:"),
    ),
    # ── Epochs ──
    defence(
        "k28_an_opening_for_nobody",
        "an envelope is opened for a participant",
        ("ceremony/history/evidence.py", " and position <= len(seat.roster)", ""),
        shows="NotKnown",
    ),
    defence(
        "k30_a_refresh_of_something_else",
        "a refresh is of this key, in this state",
        ("ceremony/sharing/refresh.py", "if not key.is_changed_by(proposal.message):", "if False:"),
        _ANY_STATE,
    ),
    defence("k30_a_refresh_from_a_state_that_has_ended", "a refresh is of the present state", _ALWAYS_PRESENT),
    defence(
        "k30_the_key_and_the_threshold_stay",
        "a refresh does not change the threshold",
        ("frost/keys/refresh.py", "if secret.min_signers != key_package.min_signers:", "if False:"),
        (
            "frost/keys/refresh.py",
            "if public_key_package.min_signers not in (None, key_package.min_signers):",
            "if False:",
        ),
        shows="IncorrectNumberOfPackages",
    ),
    defence(
        "k31_shares_of_two_epochs",
        "a request is for the present state, and the token knows which it is",
        _ALWAYS_PRESENT,
        (
            "ceremony/history/keys.py",
            "records.require_not_behind(self.ceremony, self.state.height, self.state.digest, self.overtaken)",
            "pass",
        ),
    ),
    defence(
        "k31_the_old_share_is_gone",
        "the old share is destroyed",
        ("ceremony/sharing/refresh.py", "records.destroy_all(each.sharing, each.position)", "pass"),
    ),
    defence(
        "k31_the_old_share_stays_until_all_have_confirmed",
        "the old share is kept until all have confirmed",
        (
            "ceremony/sharing/refresh.py",
            "        confirmations = self._compare(inbox)\n",
            "        with open_holder() as holder, self.home.lock():\n"
            "            SealedRecords(holder, self.home).destroy_all(self.key.sharing, self.key.position)\n"
            "        confirmations = self._compare(inbox)\n",
        ),
        shows="KeyNotFound",
    ),
    defence(
        "k31_one_confirmation_for_each_half",
        "all n confirmations count, whatever somebody says besides",
        ("ceremony/sharing/rounds.py", "if self.is_accepted and (agreed :=", "if False and (agreed :="),
        shows="CeremonyStopped",
    ),
    defence(
        "k32_too_few_helpers",
        "at least as many help as sign",
        ("frost/keys/repair.py", "if len(helpers) < min_signers:", "if False:"),
    ),
    defence(
        "k32_two_ends_of_a_repair",
        "a roster changes once all have confirmed the same end",
        ("ceremony/history/chapter.py", "if len(alike) < len(self._voting):", "if len(alike) > 1:"),
        (
            "ceremony/history/chapter.py",
            "[{voter: alike[voter] for voter in self.voters} for alike in decided]",
            "[*decided]",
        ),
    ),
    defence(
        "k32_a_share_of_another_key",
        "a repaired share is compared with the group's public key package",
        (
            "frost/keys/repair.py",
            "if not suite.group.equal(suite.group.multiply_base(scalar), expected.element):",
            "if False:",
        ),
    ),
    defence(
        "k35_a_refresh_that_undoes_itself",
        "everybody proves to know every coefficient",
        (
            "frost/keys/proof_of_knowledge.py",
            "return not group.is_identity(point) and group.encode(point) == encoded",
            "return True",
        ),
    ),
    defence(
        "k36_a_proof_from_another_refresh",
        "the proof is bound to the ceremony",
        ("frost/keys/proof_of_knowledge.py", 'len(context).to_bytes(4, "big") + context', 'b""'),
    ),
    defence(
        "k37_a_dealer_who_leaves_a_share_as_it_was",
        "every share has to change",
        (
            "frost/keys/refresh.py",
            "    if same:\n        raise UnchangedShare",
            "    if False:\n        raise UnchangedShare",
        ),
    ),
    defence(
        "k38_a_repair_is_confirmed_in_one_way",
        "the token notes what was confirmed, and not only of what",
        (
            "ceremony/sealing/marks.py",
            'if any(each[:2] == mark[:2] and each != mark for each in self._listed("vote")):',
            "if False:",
        ),
    ),
    defence(
        "k39_nobody_deals_twice",
        "the token notes that one has dealt",
        ("ceremony/sharing/dealing.py", "            _require_not_dealt(ceremony, marks)\n", ""),
    ),
    defence(
        "k41_another_key_confirmed_besides",
        "a chapter has the package that all have confirmed",
        (
            "ceremony/history/bundle.py",
            "[said for found in chapter.confirmed() for said in found.values()]",
            "chapter.of(Confirmation)",
        ),
        shows="StorageProblem",
    ),
    defence("k41_another_round2_besides", "what is taken in of a chapter was confirmed by all", *_UNDECIDED),
    defence("k41_another_sigma_besides", "what is taken in of a repair was confirmed by all", *_UNDECIDED),
    defence(
        "k41_a_package_before_ones_own",
        "nobody else says which package one makes",
        ("ceremony/history/bundle.py", "if said.sender == me or me not in chapter.roster]", "]"),
        shows="StepConflict",
    ),
    defence(
        "k41_a_package_before_ones_own",
        "what all have confirmed takes the place of what one of them said besides",
        ("ceremony/history/transcript.py", "                other[path] = said.to_pem()\n", "                pass\n"),
    ),
    defence(
        "k41_one_vote_for_alice_and_another_for_the_others",
        "all confirmations of a repair count, whatever somebody says besides",
        (
            "ceremony/sharing/voting.py",
            "if key.me in chapter.voters and not is_agreed:",
            "if key.me in chapter.voters:",
        ),
        shows="Contradiction",
    ),
)
