"""What keeps people on a board, agents, and processes at one state directory, from each other's harm."""

from __future__ import annotations

from attacks.mutations.defence import defence

_AHEAD = "ceremony/signing/ahead.py"
_ATTEMPTS = "ceremony/signing/attempts.py"
_HEARD = "cli/sittings/heard.py"
_ON_BOARDS = "boards/test_attempts.py"

OF_COMPANY = (
    # ── Attempts at a request ──
    defence(
        f"{_ON_BOARDS}::who_offers_what_somebody_else_offered_takes_nothing_from_them",
        "commitments in an attempt are taken from those alone whom it names",
        (
            _ATTEMPTS,
            "each for attempt in self._all for each in _by_signer(attempt)}",
            "each[1] for attempt in self._all for each in _by_signer(attempt)}",
        ),
        (_ATTEMPTS, "theirs = ((said.sender.name, each) for each in", "theirs = (each for each in"),
    ),
    defence(
        f"{_ON_BOARDS}::who_answers_something_else_is_not_waited_for",
        "an answer to something else is none",
        (_ATTEMPTS, "if signature_shares.answered_hash(said.message) == wanted}", "}"),
    ),
    defence(
        f"{_ON_BOARDS}::attempts_with_pairs_that_nobody_has_fill_no_token",
        "nobody offers twice for pairs made ahead that they never made",
        (
            _ATTEMPTS,
            "return attempt in ahead and all(each.transcript.sent(Commitment) is None for each in ahead)",
            "return attempt in ahead",
        ),
    ),
    defence(
        f"{_ON_BOARDS}::attempts_with_pairs_that_nobody_has_fill_no_token",
        "no more attempts count than whoever keeps to the rules begins",
        (_ATTEMPTS, "            if len(found) == most:\n                break\n", ""),
    ),
    defence(
        f"{_ON_BOARDS}::a_bad_share_in_one_attempt_spoils_no_other_that_is_complete",
        "other attempts are looked at after a bad share",
        (_ATTEMPTS, "                if not attempt.transcript.is_stopped:  # it", "                if True:  # it"),
    ),
    defence(
        "ceremony/test_second_signatures.py::one_pair_serves_one_signature_whatever_who_asks_says",
        "a pair that has served is known",
        ("ceremony/signing/sealed_signer.py", "        if subject in self._served:", "        if False:"),
        ("ceremony/signing/sealed_signer.py", "self._records.destroy(self._name(request, mine))", "pass"),
    ),
    defence(
        "ceremony/test_aborting.py::who_says_no_while_the_token_is_waited_for_does_not_sign",
        "who said no meanwhile is heard before an answer is made",
        (
            "ceremony/signing/session.py",
            "            self.require_open()\n            yield holder",
            "            yield holder",
        ),
    ),
    # ── Nonces made ahead ──
    defence(
        "ceremony/test_stock.py::who_has_no_part_in_a_key_takes_up_nothing_of_it",
        "who takes nonces up is a participant",
        (
            _AHEAD,
            "self._taken.get(commitments, {}).items() if sender in key.roster]",
            "self._taken.get(commitments, {}).items()]",
        ),
    ),
    defence(
        "ceremony/test_stock.py::what_is_no_commitment_is_looked_at_once",
        "what is no commitment is forgotten",
        (
            _AHEAD,
            "handed them out\n                    del offered[encoded]",
            "handed them out\n                    pass",
        ),
    ),
    defence(
        "boards/test_join.py::what_others_are_asked_takes_up_what_is_offered",
        "requests to others take up nonces",
        (_HEARD, "if not isinstance(message, SigningRequest):  # one", "if True:  # one"),
    ),
    # ── What is heard on a board ──
    defence(
        "boards/test_join.py::who_takes_somebody_s_name_takes_none_of_their_room",
        "people are held to a limit by their identity",
        (_HEARD, 'return f"{sender.name}, {sender.fingerprint}"', "return sender.name"),
    ),
    defence(
        "boards/test_join.py::nobody_fills_the_memory_of_who_listens",
        "each is held to a limit",
        ("boards/reading.py", "if used.messages >= self._most or", "if False or"),
    ),
    defence(
        "boards/test_join.py::strangers_envelopes_keep_nobody_from_theirs",
        "the board is read again for envelopes that strangers' crowded out",
        (_HEARD, " or self._are_crowded_out():", ":"),
    ),
    defence(
        "boards/test_requests.py::what_is_over_is_forgotten_by_who_stays",
        "what is let go of counts no more",
        (_HEARD, "            self._reading.let_go([*said, *self._beginnings.pop(matter.id, ())])", "            pass"),
        shows="ValueError",
    ),
    # ── Agents ──
    defence(
        "agent/test_log.py::a_line_of_which_a_full_disk_took_a_part_was_not_written",
        "all of a line is written",
        ("agent/log.py", "            while left:  # a", "            for left in [left]:  # a"),
    ),
    defence(
        "agent/test_posting.py::a_board_that_takes_no_such_message",
        "what cannot be posted is ended",
        (
            "cli/sittings/attending.py",
            "            self._withdraw(session.id, str(error))\n            raise",
            "            raise",
        ),
    ),
    defence(
        "agent/test_posting.py::what_programs_wanted_of_an_agent_that_ended_is_taken_back",
        "a new agent takes back what was left",
        ("cli/sittings/attending.py", "        self._take_back_what_was_left()\n", ""),
    ),
    # ── Processes at one state directory ──
    defence(
        "ceremony/test_refresh.py::deleting_a_key_that_went_on_meanwhile_leaves_no_record",
        "a key is deleted as it is now",
        ("ceremony/history/keys.py", "now = GroupKey.read(home, self.folder, self.me)", "now = self"),
    ),
    defence(
        "ceremony/test_store.py::what_is_removed_while_it_is_read_is_not_read",
        "what was listed is read whole, or listed again",
        ("ceremony/store.py", "            if len(found) == len(names):\n", "            if True:\n"),
    ),
    defence(
        "ceremony/test_finding_keys.py::a_key_that_another_process_deletes_while_it_is_read",
        "a key that is deleted is not taken for a damaged one",
        (
            "ceremony/history/kept.py",
            "        if not home.names(folder):\n            raise unknown",
            "        if False:\n            raise unknown",
        ),
        shows="StorageProblem",
    ),
    defence(
        "cli/test_temporary.py::what_a_killed_command_left_goes_with_the_next",
        "what was left is cleared away",
        ("cli/files/temporary.py", "        _clear_away(prefix)\n", "        pass\n"),
    ),
    defence(
        "test_plugins.py::nobody_brings_another_of_our_names",
        "a name of ours is ours",
        (
            "plugins.py",
            "entry = self._own.get(name) or self.installed().get(name)",
            "entry = self.installed().get(name)",
        ),
        shows="BackendUnavailable",
    ),
)
