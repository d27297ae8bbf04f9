"""What a shell offers where a name or a file is wanted: read from the state directory, never from a token.

The shells list files themselves, each as its people know it: `path` only says that files are wanted, and where in the
word they begin.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import ClassVar, TypeAlias

import click
from click.shell_completion import CompletionItem, ShellComplete, add_completion_class, split_arg_string

from frost_hsm.cli.workplace import Workplace
from frost_hsm.errors import FrostHsmError

Completer: TypeAlias = "Callable[[click.Context, click.Parameter, str], list[CompletionItem[str]]]"


def path(begun: str, *, lead: str = "", kind: str = "file") -> CompletionItem[str]:
    """Have the shell offer files, or with kind ``dir`` folders. lead: what of the word stands before the path."""
    return CompletionItem(begun, type=kind, lead=lead)


def _names(folder: str, ending: str, *, or_files: bool = False) -> Completer:
    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        *before, last = incomplete.split(",")  # NAMES is a list: bob,carol
        offered = [
            CompletionItem(",".join([*before, name]))
            for name in _kept(context, folder, ending)
            if name.startswith(last) and name not in before
        ]
        return [*offered, path(incomplete)] if or_files else offered

    return complete


def _kept(context: click.Context, folder: str, ending: str) -> Iterable[str]:
    try:
        home = context.params.get("home")
        kept = Workplace(Path(home) if home is not None else None).home
        return sorted({re.sub(ending, "", name) for name in kept.names(folder)})
    except FrostHsmError:  # nothing is set up, or what is there is not ours: nothing to offer
        return []


def targets(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Offer the targets that are installed."""
    from frost_hsm.targets import installed

    return [CompletionItem(name) for name in sorted(installed()) if name.startswith(incomplete)]


def topics(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Offer the pages of the manual and the commands."""
    from frost_hsm.cli import COMMANDS
    from frost_hsm.manual import NAMES

    return [CompletionItem(name) for name in dict.fromkeys([*NAMES, *COMMANDS]) if name.startswith(incomplete)]


_OF_A_KEY = r"\.[0-9a-f]{64}$"
keys = _names("keys", _OF_A_KEY)
keys_or_files = _names("keys", _OF_A_KEY, or_files=True)
requests = _names("requests", "$", or_files=True)
peers = _names("peers", r"\.pem$")


# ── The shells ───────────────────────────────────────────────────────────────────────────────────────────────

_SEPARATOR = "\x1f"


class _Shell(ShellComplete):
    """Hands a shell one line for each thing to offer: its kind, what of the word stands before it, and itself."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the cursor, and the one that it stands in."""
        line = os.environ["COMP_LINE"]
        words = split_arg_string(line)[1:]
        is_begun = bool(words) and not line[-1:].isspace()
        return (words[:-1], words[-1]) if is_begun else (words, "")

    def complete(self) -> str:
        """Say what may stand at the cursor; names that would take more than a line are not offered."""
        arguments, word = self.get_completion_args()
        option, equals, _ = word.partition("=")
        before = option + equals if equals and word.startswith("-") else ""
        items = [(item.type, before + (item.lead or ""), item.value) for item in self.get_completions(arguments, word)]
        return "\n".join(_SEPARATOR.join(item) for item in items if "\n" not in item[2])


@add_completion_class
class Bash(_Shell):
    """The script for bash, which breaks words at colons and equals signs: what it offers is what follows them."""

    name: ClassVar[str] = "bash"
    source_template: ClassVar[str] = r"""
%(complete_func)s() {
    local kind lead value path done cur=${COMP_WORDS[COMP_CWORD]}
    [[ $cur == [:=] ]] && cur=
    COMPREPLY=()
    while IFS=$'\x1f' read -r kind lead value; do
        case $kind in
        plain)
            COMPREPLY+=("$value")
            [[ $value == *[:=] ]] && compopt -o nospace
            ;;
        file | dir)
            compopt -o filenames
            done=
            [[ $value == *"$cur" ]] && done=${value%%"$cur"}
            while IFS= read -r path; do
                COMPREPLY+=("${path#"$done"}")
            done < <(compgen -"${kind:0:1}" -- "$value")
            ;;
        esac
    done < <(COMP_LINE=${COMP_LINE:0:COMP_POINT} %(complete_var)s=bash_complete "$1" 2>/dev/null)
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""


@add_completion_class
class Zsh(_Shell):
    """The script for zsh."""

    name: ClassVar[str] = "zsh"
    source_template: ClassVar[str] = r"""#compdef %(prog_name)s
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i }
%(complete_func)s() {
    local line kind lead value begun="${(j: :)words[1,CURRENT-1]} $PREFIX"
    local -a parts
    for line in "${(@f)$(COMP_LINE=$begun %(complete_var)s=zsh_complete $words[1] 2>/dev/null)}"; do
        parts=("${(@ps:\x1f:)line}")
        kind=$parts[1] lead=$parts[2] value=$parts[3]
        case $kind in
        plain)
            if [[ $value == *[:=] ]]; then compadd -S '' -- $lead$value; else compadd -- $lead$value; fi
            ;;
        file) compset -P "${(b)lead}"; _files ;;
        dir) compset -P "${(b)lead}"; _files -/ ;;
        esac
    done
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    %(complete_func)s "$@"
else
    compdef %(complete_func)s %(prog_name)s
fi
"""


@add_completion_class
class Fish(_Shell):
    """The script for fish."""

    name: ClassVar[str] = "fish"
    source_template: ClassVar[str] = r"""
function %(complete_func)s
    for line in (COMP_LINE=(commandline -cp) %(complete_var)s=fish_complete %(prog_name)s 2>/dev/null)
        set -l part (string split -m 2 \x1f -- $line)
        switch $part[1]
            case plain
                echo $part[2]$part[3]
            case file
                for path in (__fish_complete_path $part[3])
                    echo $part[2]$path
                end
            case dir
                for path in (__fish_complete_directories $part[3])
                    echo $part[2]$path
                end
        end
    end
end
complete --no-files --command %(prog_name)s --arguments '(%(complete_func)s)'
"""


SHELLS = {shell.name: shell for shell in (Bash, Zsh, Fish)}
