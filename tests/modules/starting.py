"""Real PKCS#11 modules, each started with a token of its own and stopped again: what their manuals say to type.

As a program it lends one to a command: python tests/modules/starting.py MODULE COMMAND... The command finds the module
and its token in MODULE_PATH, MODULE_LABEL and MODULE_PIN, and in whatever variables the module itself reads.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from stage import building, shim, softhsm

LABEL = "frost-alice"
PIN = "frost-1234"
PATIENCE = 20.0
"""Seconds that a module's programs may take to be there."""


class Unavailable(Exception):
    """A module or one of its programs is not installed, or this machine does not let it start."""


@dataclass(frozen=True, slots=True)
class Started:
    """A module that is ready, with one initialised token.

    ``directory``: where its files are; ``prefix`` comes before a program that is to use it; ``identity``: what
    ``identity create`` is told besides; ``lacks``: the capabilities that it does not have.
    """

    path: Path
    environment: Mapping[str, str]
    directory: Path
    label: str = LABEL
    pin: str = PIN
    prefix: Sequence[str] = ()
    identity: Sequence[str] = ()
    lacks: frozenset[str] = frozenset()

    @property
    def uri(self) -> str:
        """Select the token, and nothing else."""
        return f"pkcs11:token={self.label.replace(' ', '%20')}"

    def command(self, *words: str) -> list[str]:
        """Complete a command to one that uses the module."""
        return [*self.prefix, "env", *(f"{name}={value}" for name, value in self.environment.items()), *words]

    def run(self, *words: str, given: str | None = None) -> str:
        """Run a command that uses the module, and has to succeed; returns what it printed."""
        return _run(self.command(*words), given=given)


@dataclass(frozen=True, slots=True)
class Place:
    """A directory for a module's files, and the end of its processes."""

    directory: Path
    stack: ExitStack = field(default_factory=ExitStack)

    def room(self, name: str) -> Place:
        """A place within, for a module behind another."""
        folder = self.directory / name
        folder.mkdir()
        return Place(folder, self.stack)

    def keep_running(self, *command: str, environment: Mapping[str, str], ready: Callable[[], bool]) -> None:
        """Start a program that runs until the module is stopped, or this process ends; wait until it is ready."""
        with_us = (_require("setpriv"), "--pdeathsig", "TERM")
        with (self.directory / "log").open("ab") as log:
            process = subprocess.Popen(
                [*with_us, *command],
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.stack.callback(_stop, process)
        patience = time.monotonic() + PATIENCE
        while not ready():
            if process.poll() is not None or time.monotonic() > patience:
                raise Unavailable(f"{command[0]} does not start: {(self.directory / 'log').read_text()[-500:]}")
            time.sleep(0.02)


@contextmanager
def start(name: str) -> Iterator[Started]:
    """Start the module of this name for a block. Raises `Unavailable`."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="frost-hsm-", ignore_cleanup_errors=True)))
        yield (MODULES | OF_DEBIAN_13 | STOOD_IN)[name](Place(folder, stack))


# ── Software tokens ──


def start_softhsm(place: Place) -> Started:
    """SoftHSM2."""
    _require("softhsm2-util")
    path = softhsm.module_path()
    if path is None:
        raise Unavailable("SoftHSM2 is not installed")
    started = Started(Path(path), {"SOFTHSM2_CONF": str(softhsm.configure(place.directory))}, place.directory)
    _initialise = ("softhsm2-util", "--init-token", "--free", "--label", LABEL, "--pin", PIN)
    started.run(*_initialise, "--so-pin", softhsm.SO_PIN)
    return started


def start_kryoptic(place: Place) -> Started:
    """kryoptic, built from its crate."""
    try:
        path = building.kryoptic()
    except building.Unavailable as problem:
        raise Unavailable(str(problem)) from problem
    configuration = place.directory / "kryoptic.toml"
    database = place.directory / "token.sql"
    configuration.write_text(f'[[slots]]\nslot = 1\ndbtype = "sqlite"\ndbargs = "{database}"\n')
    started = Started(path, {"KRYOPTIC_CONF": str(configuration)}, place.directory)
    tool = (_require("pkcs11-tool"), "--module", str(path), "--so-pin", softhsm.SO_PIN)
    started.run(*tool, "--init-token", "--label", LABEL)
    started.run(*tool, "--init-pin", "--login", "--login-type", "so", "--pin", PIN)
    return started


def start_nss(place: Place) -> Started:
    """NSS's softoken. Before NSS 3.110 it starts only with an argument, which p11-kit's proxy hands to it."""
    return _proxy(
        place,
        {"nss": nss_module(place)},
        Started(Path(), {}, place.directory, label=_NSS_LABEL, identity=_NSS_IDENTITY, lacks=_NSS_LACKS),
    )


def start_nss_directly(place: Place) -> Started:
    """NSS's softoken, since 3.110, which finds its argument in the environment."""
    nss_module(place)
    told = f"configdir='sql:{place.directory}' certPrefix='' keyPrefix='' secmod=''"
    return Started(
        *(_library("libsoftokn3.so"), {"NSS_LIB_PARAMS": told}, place.directory),
        label=_NSS_LABEL,
        identity=_NSS_IDENTITY,
        lacks=_NSS_LACKS,
    )


_NSS_LABEL = "NSS Certificate DB"
_NSS_IDENTITY = ("--allow-imported",)  # it says of no key that it made it
_NSS_LACKS = frozenset({"data"})


def start_opencryptoki(place: Place) -> Started:
    """opencryptoki's software token, of which a machine has one."""
    path = _library("opencryptoki/libopencryptoki.so.0")
    tokens, ready = Path("/var/lib/opencryptoki/swtok"), Path("/run/opencryptoki/pkcsslotd.socket")
    if (tokens / "NVTOK.DAT").exists():
        raise Unavailable("this machine has a token of opencryptoki already, which is left alone")
    place.stack.callback(_empty, tokens)
    place.keep_running(_require("pkcsslotd"), "-f", environment={}, ready=ready.is_socket)
    started = Started(path, {}, place.directory, pin="22223333")
    steps = (
        (("-I", "-S", "87654321"), f"{LABEL}\n"),
        (("-P", "-S", "87654321", "-n", "76543210"), None),
        (("-u", "-S", "76543210", "-n", "11111111"), None),
        (("-p", "-U", "11111111", "-n", started.pin), None),
    )
    for words, given in steps:  # both PINs have to be changed once
        started.run("pkcsconf", "-c", "0", *words, given=given)
    return started


def nss_module(place: Place) -> str:
    """Make a database of NSS; returns what p11-kit's configuration says to use it."""
    _require("certutil")
    path = _library("libsoftokn3.so")
    password = place.directory / "password"
    password.write_text(PIN)
    _run(["certutil", "-N", "-d", f"sql:{place.directory}", "-f", str(password)])
    argument = f"configdir='sql:{place.directory}' certPrefix='' keyPrefix='' secmod='' flags="
    return f"module: {path}\nx-init-reserved: {argument}\n"


# ── In front of another module ──


def start_proxy(place: Place) -> Started:
    """p11-kit's proxy, and three modules behind it; the token is SoftHSM2's."""
    soft, rust = start_softhsm(place.room("softhsm")), start_kryoptic(place.room("kryoptic"))
    relabelled = {"softhsm": f"module: {soft.path}\n", "nss": nss_module(place.room("nss"))}
    behind = {**relabelled, "kryoptic": f"module: {rust.path}\n"}
    rust.run(
        "pkcs11-tool", "--module", str(rust.path), "--so-pin", softhsm.SO_PIN, "--init-token", "--label", "another"
    )
    return _proxy(place, behind, replace(soft, environment={**soft.environment, **rust.environment}))


def _proxy(place: Place, behind: Mapping[str, str], token: Started) -> Started:
    """Let the proxy see these modules alone: their files take the place of the system's, for our programs only."""
    files = place.directory / "p11-kit"
    files.mkdir()
    for name, text in behind.items():
        (files / f"{name}.module").write_text(f"{text}critical: yes\n")
    as_root = () if os.geteuid() == 0 else ("--map-root-user",)
    mounted = f'mount --bind "{files}" {_MODULE_FILES} && exec "$@"'
    prefix = (_require("unshare"), "--mount", *as_root, "sh", "-c", mounted, "sh")
    _run([*prefix, "true"])
    return replace(token, path=_library("p11-kit-proxy.so"), prefix=prefix)


def start_client(place: Place) -> Started:
    """p11-kit's client: the token, SoftHSM2's, is in another process, behind a socket."""
    behind = start_softhsm(place)
    address = place.directory / "socket"
    server = (_require("p11-kit"), "server", "--foreground", "--name", str(address), "--provider", str(behind.path))
    place.keep_running(*server, behind.uri, environment=behind.environment, ready=address.is_socket)
    environment = {"P11_KIT_SERVER_ADDRESS": f"unix:path={address}", "XDG_RUNTIME_DIR": str(place.directory)}
    client = replace(behind, path=_library("p11-kit-client.so"), environment=environment)
    mechanisms = client.run("pkcs11-tool", "--module", str(client.path), "--list-mechanisms")
    return client if "ECDH1-DERIVE" in mechanisms else replace(client, lacks=frozenset({"agree"}))  # before 0.25


def start_spy(place: Place) -> Started:
    """OpenSC's spy in front of SoftHSM2."""
    return spied(start_softhsm(place))


def spied(behind: Started) -> Started:
    """Put OpenSC's spy in front of a module, which writes down every call; `calls` reads that."""
    told = {"PKCS11SPY": str(behind.path), "PKCS11SPY_OUTPUT": str(behind.directory / "calls")}
    return replace(behind, path=_library("pkcs11-spy.so"), environment={**behind.environment, **told})


def is_spied(module: Started) -> bool:
    """Whether the spy is in front of it."""
    return "PKCS11SPY_OUTPUT" in module.environment


def calls(module: Started) -> list[str]:
    """The functions that a spied module was called by, in order, since it was last asked."""
    written = Path(module.environment["PKCS11SPY_OUTPUT"])
    text = written.read_text(errors="replace") if written.exists() else ""
    written.unlink(missing_ok=True)
    return re.findall(r"^\d+: (C_\w+)", text, re.MULTILINE)


# ── A TPM ──


def start_tpm(place: Place) -> Started:
    """tpm2-pkcs11, over a resource manager, over swtpm: a TPM in software."""
    path = _library("libtpm2_pkcs11.so*")
    for program in ("tpm2_ptool", "tpm2_dictionarylockout"):
        _require(program)
    store, state, bus = (place.directory / name for name in ("store", "state", "bus"))
    store.mkdir()
    state.mkdir()
    port = _free_ports()
    channels = ("--server", f"type=tcp,port={port}", "--ctrl", f"type=tcp,port={port + 1}")
    place.keep_running(
        *(_require("swtpm"), "socket", "--tpm2", "--tpmstate", f"dir={state}", *channels),
        *("--flags", "not-need-init,startup-clear"),
        environment={},
        ready=lambda: not _is_free(port),
    )
    address = f"unix:path={bus}"
    daemon = (_require("dbus-daemon"), "--session", "--nofork", f"--address={address}")
    place.keep_running(*daemon, environment={}, ready=bus.is_socket)
    manager = "tabrmd:bus_name=com.intel.tss2.Tabrmd,bus_type=session"
    started = Started(
        path,
        {
            "DBUS_SESSION_BUS_ADDRESS": address,
            "TPM2TOOLS_TCTI": manager,
            "TPM2_PKCS11_TCTI": manager,
            "TPM2_PKCS11_STORE": str(store),
            "TPM2_PKCS11_LOG_LEVEL": "0",
        },
        place.directory,
        identity=("--rsa",),
        lacks=frozenset({"agree", "data"}),
    )
    as_root = ("--allow-root",) if os.geteuid() == 0 else ()
    place.keep_running(
        *(
            _require("tpm2-abrmd"),
            "--session",
            *as_root,
            "--max-transients=100",
            f"--tcti=swtpm:host=127.0.0.1,port={port}",
        ),
        environment=started.environment,
        ready=lambda: _answers(started.command("tpm2_getcap", "properties-fixed")),
    )
    started.run("tpm2_dictionarylockout", "--setup-parameters", *_PATIENT_TPM)
    started.run("tpm2_ptool", "init")
    pins = (f"--userpin={PIN}", f"--sopin={softhsm.SO_PIN}")
    started.run("tpm2_ptool", "addtoken", "--pid=1", f"--label={LABEL}", *pins)
    return started


_PATIENT_TPM = ("--max-tries=1000", "--recovery-time=1", "--lockout-recovery-time=1")  # wrong PINs do not lock it
_MODULE_FILES = "/usr/share/p11-kit/modules"
# ── What stands in for a device ──


def start_ykcs11(place: Place) -> Started:
    """The PIV application of a YubiKey, as ykcs11 shows it, with keys in its slots 9c and 9d."""
    keys = ("EC:prime256v1", "02", "--usage-sign", "--always-auth"), ("EC:prime256v1", "03", "--usage-derive")
    return _stand_in(place, "ykcs11", keys)


def start_network(place: Place) -> Started:
    """A network HSM, with the keys that whoever runs it has made."""
    return _stand_in(place, "network", (("EC:prime256v1", "02", "--usage-sign"), ("rsa:3072", "03", "--usage-decrypt")))


def _stand_in(place: Place, behaviour: str, keys: Sequence[Sequence[str]]) -> Started:
    """The shim in front of SoftHSM2; keys: type, id and uses of each."""
    behind = start_softhsm(place)
    path = shim.compiled(place.directory)
    if path is None:
        raise Unavailable("there is no C compiler: apt-get install gcc libc6-dev")
    tool = (_require("pkcs11-tool"), "--module", str(behind.path), "--login", "--pin", PIN, "--keypairgen")
    for key_type, key_id, *uses in keys:
        behind.run(*tool, "--sensitive", "--key-type", key_type, "--id", key_id, *uses)
    told = {"SHIM": behaviour, "SHIM_MODULE": str(behind.path)}
    adopted = ("--adopt-sign", "02", "--adopt-agree", "03")
    return replace(behind, path=path, environment={**behind.environment, **told}, identity=adopted)


MODULES: dict[str, Callable[[Place], Started]] = {
    "softhsm2": start_softhsm,
    "kryoptic": start_kryoptic,
    "p11-kit-proxy": start_proxy,
    "p11-kit-client": start_client,
    "nss": start_nss,
    "tpm2-pkcs11": start_tpm,
    "pkcs11-spy": start_spy,
}
OF_DEBIAN_13: dict[str, Callable[[Place], Started]] = {
    "opencryptoki": start_opencryptoki,
    "nss-direct": start_nss_directly,
}
"""What debian13.sh runs besides."""
STOOD_IN: dict[str, Callable[[Place], Started]] = {"ykcs11": start_ykcs11, "network": start_network}


def _require(program: str) -> str:
    path = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin")
    if path is None:
        raise Unavailable(f"{program} is not installed")
    return path


def _library(name: str) -> Path:
    for place in ("/usr/lib/*", "/usr/lib/*/pkcs11", "/usr/lib64", "/usr/lib64/pkcs11", "/usr/lib", "/usr/lib/pkcs11"):
        for found in sorted(Path("/").glob(f"{place.removeprefix('/')}/{name}")):
            return found.resolve()
    raise Unavailable(f"{name} is not installed")


def _run(command: Sequence[str], given: str | None = None) -> str:
    done = subprocess.run(command, input=given or "", capture_output=True, text=True, timeout=PATIENCE, check=False)
    if done.returncode:
        raise Unavailable(f"{' '.join(command)} failed: {(done.stdout + done.stderr).strip()[-500:]}")
    return done.stdout


def _answers(command: Sequence[str]) -> bool:
    return subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False).returncode == 0


def _free_ports() -> int:
    """The first of two ports in a row that are free; below those that the system gives out, for each process others."""
    for port in range(10_000 + 2 * (os.getpid() % 10_000), 32_000, 2):
        with socket.socket() as first, socket.socket() as second, suppress(OSError):
            first.bind(("127.0.0.1", port))
            second.bind(("127.0.0.1", port + 1))
            return port
    raise Unavailable("no two ports in a row are free")


def _is_free(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) != 0


def _empty(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_file():
            path.unlink()


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def main() -> None:
    """Lend a module to a command."""
    if len(sys.argv) < 3 or sys.argv[1] not in MODULES | OF_DEBIAN_13 | STOOD_IN:
        raise SystemExit(f"{__doc__}\nModules: {', '.join(MODULES | OF_DEBIAN_13 | STOOD_IN)}")
    try:
        with start(sys.argv[1]) as module:
            told = {"MODULE_PATH": str(module.path), "MODULE_LABEL": module.label, "MODULE_PIN": module.pin}
            command = module.command(*(f"{name}={value}" for name, value in told.items()), *sys.argv[2:])
            status = subprocess.run(command, check=False).returncode
    except Unavailable as problem:
        raise SystemExit(f"error: {problem}") from problem
    raise SystemExit(status)


if __name__ == "__main__":
    main()
