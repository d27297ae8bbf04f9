"""The person in front: what is told to them, and what is asked, always on the terminal itself."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TextIO

from frost_hsm.cli.talk import keyboard
from frost_hsm.cli.talk.output import say
from frost_hsm.cli.talk.text import quoted, unusable_secret, visible
from frost_hsm.errors import Aborted, NoTerminal, PinUnusable

ATTEMPTS = 3


class Terminal:
    """Asks and tells; the `Interaction` that backends are handed.

    Questions go to the controlling terminal and answers come from it, even when stdin and stdout are redirected:
    what is piped into a command is data and never an answer. What was typed before a question does not answer it.
    """

    def __init__(self, *, assume_yes: bool = False, until: int | None = None) -> None:
        """Begin. until: a descriptor; once it can be read, whatever is asked raises `Aborted`."""
        self._assume_yes = assume_yes
        self._until = until

    @property
    def assumes_yes(self) -> bool:
        """Whether ``--yes`` answers what is asked."""
        return self._assume_yes

    def message(self, text: str) -> None:
        """Show one line of talk."""
        say(text)

    def waiting(self, text: str) -> None:
        """Say what is being waited for."""
        say(f"waiting: {text}")

    def request_secret(self, prompt: str) -> str:
        """Ask without echo, again for what cannot be a secret: empty, no text, or with what cannot be seen.

        Raises `NoTerminal`, `Aborted` if the input ends, and `PinUnusable` after three in vain.
        """
        for _ in range(ATTEMPTS):
            try:
                typed = self._ask(f"{prompt}:", is_hidden=True).decode()
                problem = unusable_secret(typed)
            except UnicodeDecodeError:
                problem = "is no text"
            if problem is None:
                return typed
            self.message(f"what was typed {problem}; it was not tried")
        raise PinUnusable(f"what was typed {problem}; it was not tried", hint="run the same command again")

    def confirm(self, prompt: str) -> bool:
        """Ask yes or no, where nothing is lost either way; ``--yes`` answers for itself."""
        if self._assume_yes:
            return True
        return self._answer(f"{prompt} [y/N]").lower() in ("y", "yes")

    def agree(
        self,
        question: str,
        *,
        what: str,
        shown: str,
        last: int = 0,
        lines: Sequence[str] = (),
        view: Callable[[], str] | None = None,
    ) -> bool:
        """Show lines and have something of them typed, which nobody can who has not seen them.

        shown: what is to be typed, and ``what`` names it: "the name of the key"; upper case and spaces do not matter.
        last: of a number, how many of its last digits are enough; whoever pastes all of it has it compared. ``--yes``
        answers for itself. An empty answer, or n, is no. view: makes the text that v shows, all of it.
        """
        for line in lines:
            say(line)
        if self._assume_yes:
            return True
        if not _is_terminal(sys.stderr):  # then nobody has seen them
            with suppress(NoTerminal):  # the question says so
                self._show(lines)
        typed = f"the last {last} digits of {what}" if last else what
        all_of_it = ", v to see all of it" if view is not None else ""
        for _ in range(ATTEMPTS):
            answer = self._answer(f"{question} To agree, type {typed}{all_of_it}:")
            while view is not None and answer.lower() == "v":
                self._page(view())
                answer = self._answer(f"{question} To agree, type {typed}{all_of_it}:")
            if _plain(answer) in (_plain(shown), _plain(shown[-last:])):
                return True
            if _plain(answer) in ("", "n", "no"):
                return False
            self.message(f"that is not {typed}, as it is shown above; Enter alone is no")
        return False

    def ask(self, prompt: str, *, hint: str) -> str:
        """Have one line typed, which may be empty. hint: what to do where nobody can answer."""
        return self._answer(prompt, hint)

    def confirm_by_name(self, what: str, name: str, given: str | None) -> None:
        """Have the name of what will be lost typed again; ``--yes`` does not answer this."""
        if given is None:
            given = self._answer(f"{what}. Type its name to go on:", hint=f"add --confirm-name {quoted(name)}")
        if given != name:
            raise Aborted(f"the name typed is not {name}; nothing was changed")

    def _answer(self, prompt: str, hint: str = "look at what is asked, then add --yes") -> str:
        return self._ask(prompt, is_hidden=False, hint=hint).decode(errors="replace").strip()

    def _ask(self, prompt: str, *, is_hidden: bool, hint: str | None = None) -> bytes:
        try:
            with keyboard.opened() as terminal:
                return keyboard.ask(terminal, prompt, is_hidden=is_hidden, until=self._until)
        except NoTerminal as error:
            raise NoTerminal(f"{error}: {prompt}", hint=hint) from None

    def _show(self, lines: Sequence[str]) -> None:
        with keyboard.opened() as terminal:
            for line in lines:
                keyboard.write(terminal, f"{visible(line)}\n")

    def _page(self, text: str) -> None:
        from frost_hsm.cli.talk.pager import show

        with keyboard.opened() as terminal:
            show(text, terminal)


def _plain(answer: str) -> str:
    return "".join(answer.split()).casefold()


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # it was closed
        return False
