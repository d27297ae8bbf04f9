"""The man page says what the program and the manual say."""

from __future__ import annotations

import re

from stage import man_page

from frost_hsm import cli


def test_the_man_page_is_what_is_made_now() -> None:
    assert man_page.PATH.read_text() == man_page.made(), "cd tests && python -m stage.man_page"


def test_it_has_every_command_status_and_variable() -> None:
    text = man_page.PATH.read_text()
    terms = re.findall(r"^\.B (.*)", text, re.MULTILINE)
    assert {*cli.COMMANDS, "0", "75", "130", "FROST_HSM_HOME", "XDG_STATE_HOME, XDG_CACHE_HOME"} <= set(terms)
    assert not re.search(r"^['.](?!(?:TH|SH|B|I|PP|TP|TQ|nf|fi)\b)", text, re.MULTILINE), (
        "a line that roff takes for a request"
    )
