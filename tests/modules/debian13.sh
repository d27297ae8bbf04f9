#!/bin/sh
# The same tests on the modules of Debian 13, in a root directory of its own: tests/modules/debian13.sh [DIRECTORY]
#
# opencryptoki 3.23, NSS 3.110 directly and through p11-kit 0.25, and that over SoftHSM2. Takes root, five minutes and, for as long as it runs,
# a gigabyte. DIRECTORY keeps the root for the next time; without it, it is made anew and removed.
set -eu
checkout=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
. "$checkout/softhsm-config/setup.sh"

modules='opencryptoki nss-direct nss p11-kit-client'
packages=python3,python3-venv,openssl,opensc,opensc-pkcs11,softhsm2,opencryptoki,libnss3,libnss3-tools,p11-kit,p11-kit-modules
architecture=$(uname -m)

[ "$(id -u)" -eq 0 ] || fail "this has to change its root directory, which takes root"
have debootstrap || fail "debootstrap is missing" "apt-get install debootstrap"
make_work_directory
prepare_environment test
root=${1:-$work/root}

if [ ! -x "$root/usr/sbin/pkcsconf" ]; then
    say "Making a Debian 13 in $root"
    run_quietly debootstrap --variant=minbase --include="$packages" trixie "$root" $(debian_mirror) ||
        { cat "$work/output" >&2; fail "debootstrap failed"; }
fi

# Fetched here, where the network is set up; installed there, without it.
say "Fetching the Python packages for it"
wheels=$root/wheels
mkdir -p "$wheels"
run_quietly python -m pip wheel --no-deps --wheel-dir "$wheels" "$checkout" &&
    run_quietly python -m pip download --dest "$wheels" --find-links "$wheels" --only-binary=:all: \
        --python-version 3.13 --implementation cp \
        --platform "manylinux_2_34_$architecture" --platform "manylinux_2_28_$architecture" \
        --platform "manylinux2014_$architecture" 'frost-hsm[testing]' ||
    { cat "$work/output" >&2; fail "pip could not fetch the packages"; }

cat >"$root/enter" <<'THERE'
#!/bin/sh
set -eu
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /tmp
mkdir -p /run/lock/opencryptoki/swtok /run/opencryptoki
chown -R pkcsslotd:pkcs11 /run/lock/opencryptoki /run/opencryptoki
printf 'version opencryptoki-3.23\nslot 0\n{\nstdll = libpkcs11_sw.so\ntokversion = 3.12\n}\n' >/etc/opencryptoki/opencryptoki.conf
test -x /venv/bin/python || python3 -m venv /venv
/venv/bin/pip install --quiet --no-index --find-links /wheels --force-reinstall 'frost-hsm[testing]'
cd /checkout
exec /venv/bin/python -m pytest -p no:cacheprovider "$@"
THERE
chmod +x "$root/enter"
mkdir -p "$root/checkout" "$root/dev/shm"

# All of it ends with the first process there, and nothing that is mounted is seen from outside.
say "Testing there"
unshare --mount --pid --fork --kill-child sh -euc '
    root=$1 checkout=$2
    shift 2
    mount --bind "$root" "$root"
    mount --bind "$checkout" "$root/checkout"
    exec chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin HOME=/root LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 \
        PYTHONPATH=/checkout FROST_HSM_REQUIRE_ALL=1 FROST_HSM_NATIVE=0 "$@"
' sh "$root" "$checkout" "FROST_HSM_MODULES=$modules" \
    /enter -v tests/modules/test_kit.py tests/modules/test_life.py \
    tests/modules/test_page.py::test_what_a_module_can_is_what_is_said
