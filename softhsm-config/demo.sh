#!/bin/sh
# Three people with a SoftHSM2 token each make a key together, two of them sign a file with it, anybody verifies.
set -eu
checkout=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$checkout/softhsm-config/setup.sh"

everyone='alice bob carol'

# by "NAMES" COMMAND...: they run it at once, in a process each, with a state directory and a token of their own; {} is
# the name. The first one's words are shown.
by() {
    names=$1
    shift
    running=''
    for who in $names; do
        (
            for argument in "$@"; do # replace each by what it is for this one
                set -- "$@" "$(printf '%s' "$argument" | sed "s|{}|$who|g")"
                shift
            done
            FROST_HSM_HOME=$work/$who/state SOFTHSM2_CONF=$work/$who/softhsm2.conf exec frost-hsm "$@"
        ) >"$work/$who/out" 2>"$work/$who/err" &
        running="$running $who:$!"
    done
    for one in $running; do
        if ! wait "${one#*:}"; then
            cat "$work/${one%:*}/err" >&2
            fail "${one%:*} could not: frost-hsm $*"
        fi
    done
    sed 's/^/    /' "$work/${names%% *}/out"
}

step() { printf '\n%s\n' "$*"; }

make_work_directory
install_packages
prepare_environment
module=$(find_softhsm_module)
unset FROST_HSM_TOKEN
mkdir "$work/post"
cd "$work/post" # whatever one of them writes here, all can read

step '1. Three SoftHSM2 tokens, each with its own PIN.'
for who in $everyone; do
    configure_softhsm "$work/$who"
    (umask 077 && openssl rand -hex 8 >"$work/$who/pin")
    SOFTHSM2_CONF=$work/$who/softhsm2.conf softhsm2-util --init-token --free --label "frost-$who" \
        --so-pin 12345678 --pin "$(cat "$work/$who/pin")" >/dev/null
done
by "$everyone" token list --module "$module"

step '2. Each says who they are and which token is theirs.'
by "$everyone" init --me '{}' --module "softhsm2=$module" --token 'pkcs11:token=frost-{}'

step '3. Each makes two keys in the token, one to sign and one to agree: their identity.'
by "$everyone" identity create --pin-source 'file:../{}/pin'

step '4. Each takes in the identities of the others, having compared the fingerprints by voice.'
by 'alice carol' peer add bob.identity.pem --yes
by 'alice bob' peer add carol.identity.pem --yes
by 'bob carol' peer add alice.identity.pem --yes

step '5. Alice proposes a key with which any two of the three can sign.'
by alice dkg propose release --threshold 2 --with bob,carol --pin-source 'file:../{}/pin'

step '6. Round 1: each commits to a secret polynomial.'
by "$everyone" dkg round1 release.proposal.pem --yes --pin-source 'file:../{}/pin'

step '7. Round 2: each checks the commitments and sends everybody a share, encrypted to their token.'
by "$everyone" dkg round2 release --in . --pin-source 'file:../{}/pin'

step '8. Each checks the shares they got, adds them up to their share of the key, and seals it in the token.'
by "$everyone" dkg finish release --in . --pin-source 'file:../{}/pin'

step '9. All three confirm that they saw the same; from now on the key can sign.'
by "$everyone" dkg confirm release --in . --yes

step '10. Alice asks for a signature on a file, by herself and Carol.'
echo 'version 1.0 is good to ship' >version.txt
by alice sign request release version.txt --signers alice,carol -o version.request.pem --pin-source 'file:../{}/pin'

step '11. Both agree to sign it, and draw nonces that wait sealed in their tokens.'
by 'alice carol' sign commit version.request.pem --yes --pin-source 'file:../{}/pin'

step '12. Both sign. The nonces are destroyed before a signature share exists.'
by 'alice carol' sign respond version.request.pem --in . --pin-source 'file:../{}/pin'

step '13. The two shares make one signature.'
by alice sign aggregate version.request.pem --in . -o version.sig
by alice keys export release

step '14. Anybody who has the public key verifies it, without a token.'
mkdir "$work/anybody"
by anybody verify --key release.public.json version.txt version.sig
