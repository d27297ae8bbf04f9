#!/bin/sh
# Run every test: softhsm-config/test.sh [PYTEST ARGUMENTS]. With FROST_HSM_REQUIRE_ALL=1 a skipped test fails.
set -eu
checkout=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$checkout/softhsm-config/setup.sh"

make_work_directory
install_packages
prepare_environment test
SOFTHSM2_MODULE=$(find_softhsm_module)
export SOFTHSM2_MODULE
cd "$checkout"
say "Testing with $("$venv/bin/python" --version), $SOFTHSM2_MODULE"
"$venv/bin/python" -m pytest "$@"
