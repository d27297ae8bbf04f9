#!/bin/sh
# Both commands on Debian systems that have nothing: softhsm-config/bare.sh [SUITE[:PYTHON]...]
#
# Without an argument: bookworm, trixie and testing, each with its own Python, and testing with its newest.
# Each is a root directory with the least that Debian calls a system, made by debootstrap and removed again. In it, as on a
# fresh machine, demo.sh and `test.sh --quick` install what they need and run. Takes root, the network and, for each, a
# gigabyte and some minutes. What pip and apt are told here, they are told there. PYTHON, as python3.15, is installed there
# and used in place of the one that is called python3.
set -eu
checkout=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$checkout/softhsm-config/setup.sh"

[ "$(id -u)" -eq 0 ] || fail "this has to change its root directory, which takes root"
have debootstrap || fail "debootstrap is missing" "apt-get install debootstrap"
make_work_directory

# make SUITE: a root directory in $root, with a copy of this checkout in /checkout.
make() {
    root=$work/$1
    say "Making a $1 in $root"
    run_quietly debootstrap --variant=minbase "$1" "$root" $(debian_mirror) ||
        { cat "$work/output" >&2; fail "debootstrap failed"; }
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    if [ -f /etc/pip.conf ]; then cp /etc/pip.conf "$root/etc/pip.conf"; fi
    if [ -n "${PIP_CERT:-}" ]; then cp "$PIP_CERT" "$root/certificates.pem"; fi
    mkdir "$root/checkout"
    tar -C "$checkout" -c --exclude='./.venv*' --exclude=./.git --exclude=__pycache__ . | tar -C "$root/checkout" -x
}

# there COMMAND...: run it in $root; all of it ends with the command, and nothing that is mounted is seen from outside.
there() {
    told=$(env | grep -E '^(PIP_|https?_proxy=|no_proxy=|FROST_HSM_PYTHON=)' | sed 's|^PIP_CERT=.*|PIP_CERT=/certificates.pem|' | tr '\n' ' ')
    unshare --mount --pid --fork --kill-child sh -euc '
        root=$1
        shift
        mount --bind "$root" "$root"
        mount --rbind /dev "$root/dev"
        mount -t proc proc "$root/proc"
        exec chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 "$@"
    ' sh "$root" $told "$@"
}

for wanted in ${*:-bookworm trixie testing testing:python3.15}; do
    suite=${wanted%%:*}
    make "$suite"
    unset FROST_HSM_PYTHON
    if [ "$wanted" != "$suite" ]; then
        export FROST_HSM_PYTHON="${wanted#*:}"
        there sh -c 'apt-get install -y --no-install-recommends $0 $0-venv' "$FROST_HSM_PYTHON" >"$work/output" 2>&1 ||
            { cat "$work/output" >&2; fail "there is no $FROST_HSM_PYTHON in $suite"; }
    fi
    there /checkout/softhsm-config/demo.sh >"$work/demo" || { cat "$work/demo" >&2; fail "demo.sh failed in $suite"; }
    there /checkout/softhsm-config/test.sh --quick -q -rs || fail "test.sh --quick failed in $suite"
    there sh -c '. /etc/os-release && echo "$PRETTY_NAME, $(/checkout/.venv*/bin/python --version): both commands work"'
    rm -rf --one-file-system "$root"
done
