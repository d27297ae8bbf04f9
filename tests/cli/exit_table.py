"""The table of exit statuses, made from `frost_hsm.errors`: python tests/cli/exit_table.py prints it for the README."""

from __future__ import annotations

from frost_hsm.errors import FrostHsmError

WHEN = {
    0: "done, or nothing to do",
    1: "a bug in frost-hsm",
    2: "parameters that can never work",
    10: "`verify`: the signature is not good",
    65: "a file is malformed, altered or of something else; a seal does not open",
    66: "a file, key or ceremony is not there",
    69: "no module, token or terminal, or the token cannot do it",
    73: "what would be written exists already",
    74: "disk, lock, or a token that went away",
    75: "something from others is missing; the same command works later",
    76: "a participant broke the protocol, provably; or doing it again would be dangerous",
    77: "the PIN is wrong, low or locked; another token; a key that may leave it",
    78: "the configuration",
    130: "interrupted, or you said no; nothing was changed",
}


def every_class() -> set[type[FrostHsmError]]:
    """Return every error class of the package itself."""
    found, waiting = {FrostHsmError}, [FrostHsmError]
    while waiting:
        kinds = [kind for kind in waiting.pop().__subclasses__() if kind.__module__.startswith("frost_hsm.")]
        waiting += kinds
        found.update(kinds)
    return found


def exit_table() -> str:
    """Return the table in Markdown."""
    lines = ["| status | when | codes in JSON |", "|---|---|---|"]
    for status, when in WHEN.items():
        codes = sorted({f"`{kind.code}`" for kind in every_class() if kind.exit == status})
        lines.append(f"| {status} | {when} | {', '.join(codes)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(exit_table())
