"""Programs of TUF and in-toto find the signer by its URI, and what it signs verifies."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from in_toto.models.metadata import Metadata as InTotoMetadata
from in_toto.runlib import in_toto_run
from securesystemslib.signer import Key, Signer, SSlibKey
from stage.memory_group import group
from stage.signing_things import sign_what_waits
from tuf.api.exceptions import UnsignedMetadataError
from tuf.api.metadata import Metadata, Root

from frost_hsm.errors import NotYet
from frost_hsm.targets.programs.tuf_signer import GroupSigner
from frost_hsm.targets.x509 import words as x509_words

KEY: Key = SSlibKey.from_crypto(x509_words.public_key(group().key))


def test_a_root_of_tuf_in_two_passes(tmp_path: Path) -> None:
    signer = Signer.from_priv_key_uri(f"frost-hsm:{tmp_path}/to%20sign", KEY)
    root = Root()
    root.add_key(signer.public_key, "root")
    metadata = Metadata(root)
    with pytest.raises(UnsignedMetadataError) as raised:
        metadata.sign(signer)
    assert isinstance(raised.value.__cause__, NotYet)
    sign_what_waits(tmp_path / "to sign")
    metadata.sign(signer)
    read = Metadata[Root].from_bytes(metadata.to_bytes())
    read.signed.verify_delegate("root", read.signed_bytes, read.signatures)


@contextmanager
def signing_in(folder: Path) -> Iterator[None]:
    """People who sign what waits in a folder, meanwhile."""
    done = threading.Event()

    def people() -> None:
        while not done.wait(0.05):
            sign_what_waits(folder)

    thread = threading.Thread(target=people)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize("use_dsse", [False, True], ids=["its own form", "DSSE"])
def test_a_step_of_in_toto_waits_for_the_group(use_dsse: bool, tmp_path: Path) -> None:
    signer = Signer.from_priv_key_uri(f"frost-hsm:{tmp_path}?wait=60", KEY)
    with signing_in(tmp_path):
        in_toto_run("build", [], [], ["true"], signer=signer, metadata_directory=str(tmp_path), use_dsse=use_dsse)
    (path,) = tmp_path.glob("*.link")
    link = InTotoMetadata.load(str(path))
    link.verify_signature({"keyid": KEY.keyid, **KEY.to_dict()})
    assert link.get_payload().name == "build"


@pytest.mark.parametrize("uri", ["frost-hsm:", "frost-hsm:folder?hurry=1", "frost-hsm:folder?wait=long"])
def test_other_uris(uri: str) -> None:
    with pytest.raises(ValueError):
        Signer.from_priv_key_uri(uri, KEY)


def test_other_keys() -> None:
    other = SSlibKey.from_crypto(generate_private_key(SECP256R1()).public_key())
    with pytest.raises(ValueError, match="ed25519 alone"):
        Signer.from_priv_key_uri("frost-hsm:folder", other)
    with pytest.raises(ValueError, match="not the key of a group"):
        GroupSigner.from_priv_key_uri(
            "frost-hsm:folder", SSlibKey("id", "ed25519", "ed25519", {"public": "01" + "00" * 31})
        )
