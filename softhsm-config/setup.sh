# Sourced by demo.sh, test.sh and .ci/run: brings what they need onto the machine, and tidies up behind them.
#
#   FROST_HSM_PYTHON  the interpreter to use, instead of the first that is new enough; it gets an environment of its own
#   FROST_HSM_VENV    a virtual environment that has everything already; it is used as it is
#   SOFTHSM2_MODULE   the SoftHSM2 library, where it is not found by itself

# Where it is set, every process would compile the whole program anew.
unset PYTHONDONTWRITEBYTECODE

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "error: $1"
    if [ $# -gt 1 ]; then say "hint: $2"; fi
    exit 1
}

# ── A directory that is gone when the script ends, however it ends ──

make_work_directory() {
    work=$(mktemp -d "${TMPDIR:-/tmp}/frost-hsm.XXXXXX")
    trap 'wait; rm -rf "$work"' EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
}

# ── Programs from the system's packages ──

have() { command -v "$1" >/dev/null 2>&1; }

find_softhsm_module() {
    for module in "${SOFTHSM2_MODULE:-}" \
        /usr/lib/softhsm/libsofthsm2.so \
        /usr/lib64/softhsm/libsofthsm.so \
        /usr/lib64/pkcs11/libsofthsm2.so \
        /usr/local/lib/softhsm/libsofthsm2.so \
        /opt/homebrew/lib/softhsm/libsofthsm2.so; do
        if [ -f "$module" ]; then
            printf '%s\n' "$module"
            return
        fi
    done
    return 1
}

# New enough, and able to make a virtual environment: Debian keeps that apart, in python3-venv.
find_python() {
    for python in "${FROST_HSM_PYTHON:-python3}" python3.15 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3; do
        if "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            printf '%s\n' "$python"
            return
        fi
        if [ -n "${FROST_HSM_PYTHON:-}" ]; then return 1; fi
    done
    return 1
}

# What is missing, one word each, as Debian calls it; with need_stock_tools=1 also what tests judge by, and run boards on.
missing_packages() {
    if ! find_softhsm_module >/dev/null || ! have softhsm2-util; then echo softhsm2; fi
    have pkcs11-tool || echo opensc
    have openssl || echo openssl
    if [ -z "${FROST_HSM_VENV:-}" ] && ! find_python >/dev/null; then echo python3-venv; fi
    if [ -n "${need_stock_tools:-}" ]; then missing_stock_tools; fi
}

# Where packages have other names, tests of what is not there are skipped.
missing_stock_tools() {
    have git || echo git
    have ssh-keygen || echo openssh-client
    have zsh || echo zsh
    have fish || echo fish
    if have apt-get; then
        have nats-server || [ -x /usr/sbin/nats-server ] || echo nats-server # where only root looks
        have sshd || [ -x /usr/sbin/sshd ] || echo openssh-server
        have gpg || echo gpg
        have gpgv || echo gpgv
        have sq || echo sq
        have minisign || echo minisign
        have signify-openbsd || echo signify-openbsd
        have certtool || echo gnutls-bin
        have rpmsign || echo rpm
        have dnssec-verify || echo bind9-utils
        have chromium || echo chromium
        have zbarimg || echo zbar-tools
    fi
}

# install_packages [MISSING]: MISSING, a function, says what is missing; else missing_packages does.
install_packages() {
    what_is_missing=${1:-missing_packages}
    missing=$($what_is_missing | tr '\n' ' ')
    missing=${missing% }
    if [ -z "$missing" ]; then return; fi
    elsewhere=$(printf '%s\n' "$missing" | sed 's/softhsm2/softhsm/; s/python3-venv/python3/; s/openssh-client/openssh-clients/')
    if have apt-get; then
        command="apt-get install -y --no-install-recommends $missing"
    elif have dnf; then
        command="dnf install -y $elsewhere"
    elif have apk; then
        command="apk add $elsewhere"
    elif have brew; then
        command="brew install $elsewhere"
    else
        fail "missing on this machine: $missing" "install them with its package manager, then run this again"
    fi
    if ! have brew && [ "$(id -u)" -ne 0 ]; then
        fail "missing on this machine: $missing" "as root, run: $command"
    fi
    say "Installing from the system's packages: $missing"
    export DEBIAN_FRONTEND=noninteractive
    # Lists of packages that are there already are used; only if that fails are new ones fetched.
    if ! run_quietly $command; then
        if ! have apt-get || ! run_quietly apt-get update || ! run_quietly $command; then
            cat "$work/output" >&2
            fail "this did not work: $command"
        fi
    fi
    missing=$($what_is_missing | tr '\n' ' ')
    if [ -n "$missing" ]; then
        fail "still missing after the installation: $missing" "Python has to be 3.11 or newer, with venv and ensurepip"
    fi
}

# Where this machine has its packages from, for debootstrap; nothing where that is not known, and it has a default.
debian_mirror() { sed -n 's/^URIs: *\([^ ]*\).*/\1/p' /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -1; }

run_quietly() { "$@" >"$work/output" 2>&1 </dev/null; }

# ── Python packages, in a virtual environment in the checkout ──

# prepare_environment [GROUP...]: this package and these groups of pyproject.toml; sets $venv, puts it on PATH.
prepare_environment() {
    if [ -n "${FROST_HSM_VENV:-}" ]; then
        venv=$FROST_HSM_VENV
    else
        python=$(find_python) || fail "no Python 3.11 or newer with venv and ensurepip" "set FROST_HSM_PYTHON"
        venv=$checkout/.venv${FROST_HSM_PYTHON:+-$(basename "$FROST_HSM_PYTHON")}
        install_python_packages "$@"
    fi
    PATH=$venv/bin:$PATH
    export PATH
}

install_python_packages() {
    wanted="$checkout $(cksum <"$checkout/pyproject.toml")"
    groups=''
    for group in "$@"; do groups="$groups --group $group"; done
    installed=$venv/installed$(printf '%s' "$groups" | tr -d ' ')
    if "$venv/bin/python" -c '' 2>/dev/null && [ "$(cat "$installed" 2>/dev/null)" = "$wanted" ]; then return; fi
    say "Installing into ${venv#"$checkout"/}: frost-hsm${groups:+,$groups}"
    export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
    if ! "$venv/bin/python" -c '' 2>/dev/null; then
        run_quietly "$python" -m venv --clear "$venv" || { cat "$work/output" >&2; fail "cannot make $venv"; }
    fi
    # Dependency groups need pip 25.1.
    run_quietly "$venv/bin/python" -m pip install --upgrade 'pip>=25.1' &&
        (cd "$checkout" && run_quietly "$venv/bin/python" -m pip install --editable . $groups) ||
        { cat "$work/output" >&2; fail "pip could not install into $venv"; }
    printf '%s\n' "$wanted" >"$installed"
}

# ── SoftHSM2 ──

# configure_softhsm DIRECTORY: let its tokens live there; whoever uses them has SOFTHSM2_CONF=DIRECTORY/softhsm2.conf.
configure_softhsm() {
    mkdir -p "$1/tokens"
    sed "s|@TOKENS@|$1/tokens|" "$checkout/softhsm-config/softhsm2.conf" >"$1/softhsm2.conf"
}
