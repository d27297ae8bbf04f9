"""What people do with the program, as stories: each step a command, and each a place where everything may end.

`>` marks the steps that are struck; the others lead from one to the next. What a step writes goes to all.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from frost_hsm.errors import NonceUsed, NotKnown, OutputExists

MEET = """
    alice init --me alice --token {alice} {module}
    bob   init --me bob --token {bob} {module}
    alice identity create
    bob   identity create
    alice peer add ../inbox/bob.identity.pem
    bob   peer add ../inbox/alice.identity.pem
"""
GENERATE = """
    {0} alice dkg propose treasury -t 2 --with bob
    {0} alice dkg round1 ../inbox/treasury.proposal.pem
    bob   dkg round1 ../inbox/treasury.proposal.pem
    {0} alice dkg round2 treasury --in ../inbox
    bob   dkg round2 treasury --in ../inbox
    {0} alice dkg finish treasury --in ../inbox
    bob   dkg finish treasury --in ../inbox
    {0} alice dkg confirm treasury --in ../inbox
    bob   dkg confirm treasury --in ../inbox
    {0} alice dkg status treasury
"""
SIGN = """
    {0} alice sign request treasury ../message --signers alice,{1}
    {0} alice sign commit ../inbox/message.request.pem
    {1}   sign commit ../inbox/message.request.pem
    {0} alice sign respond ../inbox/message.request.pem --in ../inbox
    {1}   sign respond ../inbox/message.request.pem --in ../inbox
    {0} alice sign aggregate ../inbox/message.request.pem --in ../inbox
    {0} alice sign status
    {0} alice verify --key treasury ../message message.sig
"""
BEGINNINGS = {
    "two who know each other": (None, MEET),
    "a key": ("two who know each other", GENERATE.format("")),
    "a key and a newcomer": (
        "a key",
        """
    carol init --me carol --token {carol} {module}
    carol identity create
    alice peer add ../inbox/carol.identity.pem
    bob   peer add ../inbox/carol.identity.pem
    carol peer add ../inbox/alice.identity.pem
    carol peer add ../inbox/bob.identity.pem
    alice keys export treasury --format bundle
    """,
    ),
}
"""What came before: what led there, and the steps since."""

STORIES = {
    "an identity": (
        None,
        """
    > alice init --me alice --token {new} {module}
    bob     init --me bob --token {bob} {module}
    > alice identity create
    bob     identity create
    > alice identity show
    > alice identity export
    > alice peer add ../inbox/bob.identity.pem
    > alice peer list
    > alice peer remove bob
    alice   peer add ../inbox/bob.identity.pem
    bob     peer add ../inbox/alice.identity.pem
    > alice {list}
    > alice doctor
    > alice completion bash
    """
        + GENERATE.format("")
        + "alice keys show treasury --check-token --pin-source file:pin",
    ),
    "a key is made": ("two who know each other", GENERATE.format(">") + SIGN.format("", "bob")),
    "a signature": (
        "a key",
        SIGN.format(">", "bob")
        + """
    > alice inspect ../inbox/message.request.pem
    > alice keys list
    > alice keys show treasury --check-token --pin-source file:pin
    > alice keys export treasury
    """,
    ),
    "a file for minisign": (
        "two who know each other",
        GENERATE.format("").replace("--with bob", "--with bob --for release")
        + """
    > alice sign request treasury ../message --as minisign --signers alice,bob
    > alice sign commit ../inbox/message.request.pem
    bob     sign commit ../inbox/message.request.pem
    > alice sign respond ../inbox/message.request.pem --in ../inbox
    bob     sign respond ../inbox/message.request.pem --in ../inbox
    > alice sign respond ../inbox/message.request.pem --in ../inbox
    bob     sign respond ../inbox/message.request.pem --in ../inbox
    > alice sign aggregate ../inbox/message.request.pem --in ../inbox
    > alice verify --key treasury --as minisign ../message message.minisig
    """,
    ),
    "a signature in plain JSON": (
        "a key",
        """
    > alice sign commit --key treasury
    bob     sign commit --key treasury
    > alice sign request treasury ../message --commitments alice=../inbox/treasury.alice.commitments.json
              --commitments bob=../inbox/treasury.bob.commitments.json
    > alice sign respond ../inbox/message.package.json --key treasury
    bob     sign respond ../inbox/message.package.json --key treasury
    > alice sign aggregate ../inbox/message.package.json --key treasury alice=../inbox/treasury.alice.share.json
              bob=../inbox/treasury.bob.share.json
    alice   verify --key treasury ../message message.sig
    """,
    ),
    "a refresh": (
        "a key",
        """
    > alice refresh propose treasury
    > alice refresh round1 ../inbox/treasury.refresh1.proposal.pem
    bob     refresh round1 ../inbox/treasury.refresh1.proposal.pem
    > alice refresh round2 treasury --in ../inbox
    bob     refresh round2 treasury --in ../inbox
    > alice refresh finish treasury --in ../inbox
    bob     refresh finish treasury --in ../inbox
    > alice refresh confirm treasury --in ../inbox
    bob     refresh confirm treasury --in ../inbox
    > alice refresh status treasury
    """
        + SIGN.format("", "bob"),
    ),
    "a repair": (
        "a key and a newcomer",
        """
    > carol keys import ../inbox/treasury.public.bundle.pem
    > carol repair request treasury --helpers alice,bob --new
    > alice repair delta ../inbox/treasury.repair3.request.pem
    bob     repair delta ../inbox/treasury.repair3.request.pem
    > alice repair sigma ../inbox/treasury.repair3.request.pem --in ../inbox
    bob     repair sigma ../inbox/treasury.repair3.request.pem --in ../inbox
    > carol repair finish ../inbox/treasury.repair3.request.pem --in ../inbox
    > alice repair confirm ../inbox/treasury.repair3.request.pem --in ../inbox
    bob     repair confirm ../inbox/treasury.repair3.request.pem --in ../inbox
    carol   repair confirm ../inbox/treasury.repair3.request.pem --in ../inbox
    alice   repair confirm ../inbox/treasury.repair3.request.pem --in ../inbox
    bob     repair confirm ../inbox/treasury.repair3.request.pem --in ../inbox
    carol   repair confirm ../inbox/treasury.repair3.request.pem --in ../inbox
    > alice repair status ../inbox/treasury.repair3.request.pem
    """
        + SIGN.format("", "carol"),
    ),
    "a dealt key": (
        "two who know each other",
        """
    alice   dkg propose treasury -t 2 --with bob
    > alice dealer split treasury --key-file ../key
    > alice dealer accept ../inbox/treasury.proposal.pem ../inbox/treasury.dealing.pem
    bob     dealer accept ../inbox/treasury.proposal.pem ../inbox/treasury.dealing.pem
    alice   dkg confirm treasury --in ../inbox
    bob     dkg confirm treasury --in ../inbox
    """
        + SIGN.format("", "bob"),
    ),
    "nonces made ahead": (
        "a key",
        """
    > alice sign preprocess treasury --count 2
    bob     sign preprocess treasury --count 2
    > alice sign request treasury ../message --prepared alice:1=../inbox/treasury.alice.prepared.json
              --prepared bob:1=../inbox/treasury.bob.prepared.json
    > alice sign respond ../inbox/message.request.pem
    bob     sign respond ../inbox/message.request.pem
    > alice sign check ../inbox/message.request.pem --in ../inbox
    alice   sign aggregate ../inbox/message.request.pem --in ../inbox
    alice   verify --key treasury ../message message.sig
    > alice sign discard treasury
    """,
    ),
    "a dealt refresh": (
        "a key",
        """
    alice   refresh propose treasury
    > alice dealer refresh treasury
    > alice dealer accept ../inbox/treasury.refresh1.proposal.pem ../inbox/treasury.refresh1.dealing.pem
    bob     dealer accept ../inbox/treasury.refresh1.proposal.pem ../inbox/treasury.refresh1.dealing.pem
    alice   refresh confirm treasury --in ../inbox
    bob     refresh confirm treasury --in ../inbox
    """
        + SIGN.format("", "bob"),
    ),
    "an abandonment": (
        "a key",
        """
    alice   refresh propose treasury
    alice   refresh round1 ../inbox/treasury.refresh1.proposal.pem
    bob     refresh round1 ../inbox/treasury.refresh1.proposal.pem
    alice   refresh round2 treasury --in ../inbox
    bob     refresh round2 treasury --in ../inbox
    alice   refresh finish treasury --in ../inbox
    bob     refresh finish treasury --in ../inbox
    > alice history show treasury
    > alice history abandon treasury
    > alice history abandon ../inbox/treasury.abandonment.pem
    bob     history abandon ../inbox/treasury.abandonment.pem
    > alice history abandon ../inbox/treasury.abandonment.pem ../inbox/treasury.abandonment.bob.confirm.pem
    bob     history abandon ../inbox/treasury.abandonment.pem ../inbox/treasury.abandonment.alice.confirm.pem
    > alice history standing treasury
    bob     history standing treasury
    > alice history take ../inbox/treasury.bob.standing.pem
    """
        + SIGN.format("", "bob"),
    ),
    "a loss": (
        "a key",
        """
    > alice backup create
    > alice backup verify ../inbox/alice.backup.pem
    alice   rm -r home
    alice   init --me alice --token {alice} {module} --take-over --yes
    > alice backup restore ../inbox/alice.backup.pem
    > alice recover treasury
    """
        + SIGN.format("", "bob"),
    ),
    "a record": (
        "a key",
        """
    > alice ceremony plan ../plan.toml
    bob     ceremony record ../plan.toml --began 10:00 --ended 11:00
    > alice ceremony record ../plan.toml --began 10:00 --ended 11:00
    > alice ceremony sign ../plan.toml
    bob     ceremony sign ../plan.toml
    > alice ceremony verify ../treasury.record.html ../treasury.record.alice.p7s ../treasury.record.bob.p7s
    """,
    ),
    "giving up": (
        "a key",
        """
    alice   sign request treasury ../message --signers alice,bob
    alice   sign commit ../inbox/message.request.pem
    > alice sign abort ../inbox/message.request.pem
    > alice sign archive
    alice   dkg propose other -t 2 --with bob
    alice   dkg round1 ../inbox/other.proposal.pem
    > alice dkg abort other --confirm-name other
    alice   refresh propose treasury
    alice   refresh round1 ../inbox/treasury.refresh1.proposal.pem
    > alice refresh abort treasury --confirm-name treasury
    > alice keys delete treasury --confirm-name treasury
    """,
    ),
}
MADE_ANEW = (
    *("sign request", "sign commit", "sign preprocess"),
    *("repair request", "backup create", "history abandon", "history standing"),
)
AGAIN = {
    **dict.fromkeys(("peer remove", "dkg abort", "refresh abort", "keys delete"), NotKnown.exit),
    **dict.fromkeys(MADE_ANEW, OutputExists.exit),
    "sign respond": NonceUsed.exit,
}
"""How a command may end that is done already: what it takes away is not there, or what it makes is, and is whole.

An answer that was cut short has cost its nonces: they serve once, come what may. Each of `MADE_ANEW` makes something
new every time; a signing request in plain JSON does not, but has the same name.
"""


@dataclass(frozen=True, slots=True)
class Step:
    """One command of one person."""

    who: str
    arguments: tuple[str, ...]
    is_struck: bool = False

    @property
    def command(self) -> str:
        """The command alone: ``dkg round1``, ``doctor``."""
        alone = self.arguments[0] in ("setup", "init", "doctor", "join", "verify", "inspect", "completion", "recover")
        return self.arguments[0] if alone else " ".join(self.arguments[:2])


def steps(text: str, **places: str) -> list[Step]:
    """Read a story."""
    joined = re.sub(r"\n\s+(?=--|bob=)", " ", text)
    lines = [shlex.split(line.format(**places)) for line in joined.splitlines()]
    struck = [(line[0] == ">", line[line[0] == ">" :]) for line in lines if line]
    return [Step(words[0], tuple(words[1:]), is_struck) for is_struck, words in struck]
