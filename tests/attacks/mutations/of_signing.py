"""What keeps files, records, commands and signatures: the attacks P1 to P10 and S1 to S19."""

from __future__ import annotations

from attacks.mutations.defence import BOUND_TO_CONTEXT, IDENTITY, defence

_IN_TOKEN = ("ceremony/sealing/shelf.py", "holder.identity.records is RecordPlace.TOKEN", "False")
_SIGNER = "ceremony/signing/sealed_signer.py"
_OWNER = ("ceremony/sealing/marks.py", "if owners != {(self._own,)}:", "if False:")

OF_SIGNING = (
    # ── Operations ──
    defence(
        "p01_a_list_without_end",
        "a list has no more entries than a group has people",
        ("forms/asn1.py", "while inner.more() and len(values) <= most:", "while inner.more():"),
    ),
    defence(
        "p01_files_that_are_too_large",
        "a file has a largest size",
        ("cli/files/door.py", "if len(data) > LARGEST:", "if False:"),
    ),
    defence(
        "p02_odd_contents",
        "an element does not begin behind the end",
        ("forms/der.py", "        if start > self._end:\n", "        if False:\n"),
        ("forms/der.py", "        if start + length > self._end:\n", "        if False:\n"),
    ),
    defence(
        "p03_another_version",
        "a message is of a version that is known",
        ("forms/asn1.py", "!= cls.version:", "== 99:"),
    ),
    defence(
        "p03_fields_that_are_unknown_missing_or_doubled",
        "no field is there twice",
        ("frost/encoding/json_text.py", "if name in members:", "if False:"),
    ),
    defence(
        "p04_secrets_on_the_command_line",
        "what is no source of PINs is not taken for the PIN",
        ("cli/talk/pin.py", "if kind not in sources or not place:", "if False:"),
    ),
    defence(
        "p05_swapped_records",
        "a record is bound to its ceremony, kind and owner",
        *BOUND_TO_CONTEXT,
        ("ceremony/history/keys.py", 'raise SealBroken(f"the sealed share is not', 'str(f"the sealed share is not'),
    ),
    defence(
        "p05_nonces_that_somebody_else_sealed",
        "a record is signed by its owner",
        ("ceremony/sealing/envelope.py", "record.verify(holder.public.sign_key)", "pass"),
        ("ceremony/sealing/envelope.py", " or record.signer_key_id != holder.public.sign_key.key_id", ""),
    ),
    defence(
        "p06_one_key_for_many_records",
        "every envelope has a key of its own",
        (
            "ceremony/sealing/envelope.py",
            "seeds.expand(seed, _KEY, recipients.KEY_LENGTH) as key,\n        Secret.join",
            "Secret.zeros(recipients.KEY_LENGTH) as key,\n        Secret.join",
        ),
    ),
    defence(
        "p07_secrets_in_text",
        "a secret is not shown",
        (
            "secret.py",
            'return f"<{type(self).__qualname__}>"',
            'return self._buffer.hex() if isinstance(self, Secret) else "secret"',
        ),
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
            "            partial = index.write_partial(self.path, data)\n",
            "            partial = path\n            path.touch(0o600)\n            path.write_bytes(data)\n",
        ),
    ),
    defence(
        "p08_kept_messages_in_each_others_place",
        "a kept message is what its name says",
        (
            "ceremony/history/transcript.py",
            "if kept is not None and (kept.sender != sender or not self._belongs(kept)):",
            "if False:",
        ),
    ),
    defence(
        "p08_damaged_and_exchanged_files",
        "what is read is what was written",
        ("ceremony/store.py", "if found is not None and _digest(found) == expected:", "if found is not None:"),
    ),
    defence(
        "p09_hashes_that_are_too_short",
        "a hash has 32 bytes",
        ("ceremony/messages/message.py", "if any(len(each) != HASH_LENGTH for each in hashes):", "if False:"),
    ),
    defence(
        "p10_a_key_for_another_purpose",
        "signers are shown what a key is for",
        ("cli/steps/requests.py", 'f", for: {key.purpose}" if key.purpose else ""', '""'),
    ),
    # ── Signing ──
    defence(
        "s01_nonce_reuse",
        "nonces are destroyed before they serve",
        (_SIGNER, "self._records.destroy(self._name(request, mine))", "pass"),
        (_SIGNER, "if subject in self._served:", "if False:"),
    ),
    defence(
        "s01_other_commitments_afterwards",
        "an answer is to one set of commitments",
        ("ceremony/signing/session.py", "if sent.message.commitments_hash != commitments_hash:", "if False:"),
    ),
    defence(
        "s01_nonces_made_ahead",
        "nonces are destroyed before they serve",
        (_SIGNER, "self._records.destroy(self._name(request, mine))", "pass"),
        (_SIGNER, "if subject in self._served:", "if False:"),
    ),
    defence(
        "s02_deterministic_nonces", "nonces are drawn", ("groups/libcrypto/scalars.py", "entropy(randomness)", "pass")
    ),
    defence(
        "s02_a_generator_that_repeats_itself",
        "nonces depend on the share as well",
        ("groups/libcrypto/scalars.py", "self._write(share, room.at_data + RANDOMNESS)", "pass"),
    ),
    defence(
        "s03_nonces_that_depend_on_each_other",
        "each nonce is drawn on its own",
        (
            "frost/signing.py",
            "= suite.group.make_nonces(suite.h3, share.scalar, 2 * count, entropy)",
            "= (2 * each for each in suite.group.make_nonces(suite.h3, share.scalar, count, entropy))",
        ),
    ),
    defence("s04_rollback", "nonces lie in the token", _IN_TOKEN),
    defence("s04_a_cloned_host", "nonces lie in the token", _IN_TOKEN),
    defence("s05_nonces_in_a_copy_of_the_state", "nonces lie in the token", _IN_TOKEN),
    defence(
        "s04_a_clone_that_was_stalled",
        "only who has destroyed the nonces themselves goes on",
        (
            _SIGNER,
            'raise NonceUsed("these nonces were used from another place at this instant") from None',
            "pass",
        ),
    ),
    defence(
        "s04_a_clone_that_was_stalled",
        "the record of a pair is named by its commitments",
        (_SIGNER, "{_hash(commitments)[:16].hex()}", "one"),
    ),
    defence("s04_another_state_directory", "a token works with one state directory", _OWNER),
    defence(
        "s04_another_state_directory",
        "whoever keeps a token open is shut out as well",
        (_SIGNER, "            self._records.require_own()\n", ""),
    ),
    defence(
        "s04_another_state_directory",
        "a token that is taken over lets go of the nonces in it",
        ("ceremony/sealing/marks.py", "for name in self._shelf.names() if others else ():", "for name in ():"),
    ),
    defence(
        "s04_a_forked_process",
        "a signer serves one process",
        (_SIGNER, '        self._process.require("this SealedSigner")\n', ""),
        shows="AssertionError",
    ),
    defence(
        "s06_crash_between_signing_and_sending",
        "nonces are destroyed and noted before a share exists",
        (_SIGNER, "            self._let_out(request, own)\n", ""),
    ),
    defence(
        "s06_nonces_that_come_back",
        "what was let out to serve is remembered",
        (_SIGNER, "if subject in self._served:", "if False:"),
    ),
    defence(
        "s06_a_token_that_fails",
        "no share without an answer of the token",
        (
            _SIGNER,
            "        except KeyNotFound:\n            raise NonceUsed",
            "        except Exception:\n            pass\n        if False:\n            raise NonceUsed",
        ),
    ),
    defence(
        "s06_the_same_request_again",
        "an answer is stored",
        (
            "ceremony/signing/session.py",
            "        sent = self.transcript.sent(Response)\n        if sent is None:\n            package",
            "        sent = None\n        if sent is None:\n            package",
        ),
    ),
    defence(
        "s07_parallel_sessions",
        "commitments are for one request",
        ("ceremony/signing/session.py", "return said.message.request == self.id and", "return"),
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
        ("groups/libcrypto/scalars.py", "if not self.is_zero(nonce):", "if True:"),
    ),
    defence("s09_a_commitment_to_zero", "the identity is no element", IDENTITY),
    defence(
        "s10_ones_own_commitment_changed",
        "a signer looks for its own commitments",
        (
            _SIGNER,
            "waiting = self._records.find(self._name(request, mine)",
            "waiting = self._records.find(self._any(request, mine)",
        ),
        (
            _SIGNER,
            "    def _find(self",
            "    def _any(self, request, mine):\n        return [*self._waiting(request), self._name(request, mine)][0]\n\n    def _find(self",
        ),
        (_SIGNER, "if self._commitments(waiting) != mine:", "if False:"),
        ("frost/signing.py", "if commitments[identifier] != nonces.commitments:", "if False:"),
    ),
    defence(
        "s11_malleable_signing_packages",
        "every signer is a participant",
        ("ceremony/signing/sealed_signer.py", "        self.key.participants(signers)", "        pass"),
    ),
    defence(
        "s12_blind_signing",
        "a request is for one key, in one state",
        (
            "ceremony/signing/session.py",
            "if (wanted.ceremony, wanted.state) != (key.ceremony, key.state.digest):",
            "if False:",
        ),
        (
            "ceremony/history/keys.py",
            'wanted = line[-1] if at is None and line else history.states.get(at or b"")',
            'wanted = history.states.get(at or b"", line[-1] if line else None)',
        ),
    ),
    defence(
        "s12_nobody_agrees_unseen",
        "a person is asked",
        (
            "cli/talk/terminal.py",
            "        if self._assume_yes:\n            return True\n        if not _is_terminal(sys.stderr):",
            "        if True:\n            return True\n        if not _is_terminal(sys.stderr):",
        ),
    ),
    defence(
        "s13_bad_shares_are_named",
        "every bad share is looked for",
        ("frost/signing.py", "most = 1 if cheater_detection is CheaterDetection.FIRST else None", "most = 1"),
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
        (
            "cli/commands/sign.py",
            "session.commit(place.holder)",
            "session.commit(place.holder, entropy=lambda view: None)",
        ),
    ),
    defence(
        "s18_nonces_in_forked_children",
        "a single-use secret knows its process",
        ("secret.py", "if self._made_in != (os.getpid(), _forks):", "if False:"),
    ),
    defence(
        "s19_errors_made_to_fit_the_weights_of_a_batch",
        "weights depend on what is weighed",
        ("groups/weights.py", "            self._hash.update(part)\n", "            pass\n"),
    ),
)
