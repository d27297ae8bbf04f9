#!/bin/sh
# Run every test: softhsm-config/test.sh [PYTEST ARGUMENTS]. With FROST_HSM_REQUIRE_ALL=1 a skipped test fails.
# Or, with --quick first, in under 90 seconds what shows that the program works here: formats, the conformance kit on both
# kinds of token, a key of each suite by command.
set -eu
checkout=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$checkout/softhsm-config/setup.sh"

# On a memory disk, if there is one with a gigabyte free: what the tests write is synced at every step.
free=$(df -Pk /dev/shm 2>/dev/null | awk 'END { print $4 }')
if [ -w /dev/shm ] && [ "${free:-0}" -gt 1048576 ]; then
    TMPDIR=/dev/shm
    export TMPDIR
fi
if [ "${1:-}" = --quick ]; then
    shift
    set -- -n 2 -m 'not slow' tests/forms tests/backends/test_conformance.py tests/cli/test_every_suite.py \
        tests/test_secret.py tests/test_architecture.py tests/test_scripts.py "$@"
fi
# What Python compiles is kept: hundreds of processes are started, each of which would compile the program again.
unset PYTHONDONTWRITEBYTECODE
make_work_directory
need_stock_tools=1
install_packages
prepare_environment test
SOFTHSM2_MODULE=$(find_softhsm_module)
export SOFTHSM2_MODULE
cd "$checkout"
say "Testing with $("$venv/bin/python" --version), $SOFTHSM2_MODULE"
PYTEST_DEBUG_TEMPROOT=$work "$venv/bin/python" -m pytest "$@"
