"""frost-hsm: signing keys that belong to a group, each share sealed in its owner's token."""

__version__ = "0.1.0"
