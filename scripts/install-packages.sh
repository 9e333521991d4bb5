#!/usr/bin/env bash
# install-packages.sh [--tests]
# Installs the Debian packages that building and running blendmf need and this machine lacks; with --tests those of the
# tests as well. Says which first. Does nothing when all are there.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

packages=(
    gcc libc6-dev cmake ninja-build pkg-config
    libopenmpi-dev openmpi-bin
    libhdf5-openmpi-dev hdf5-tools
    libopenblas-openmp-dev
    libjansson-dev libutf8proc-dev libxxhash-dev
)
test_packages=(libcmocka-dev python3 python3-numpy python3-scipy python3-h5py clang libomp-dev iproute2)

case "${1-}" in
    '') ;;
    --tests) packages+=("${test_packages[@]}") ;;
    *) fail "unknown argument '$1'; usage: install-packages.sh [--tests]" ;;
esac

is_installed() {
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

if [[ -n ${BLENDMF_SKIP_PACKAGES-} ]]; then
    exit 0
fi
if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    fail "this system has no apt. Install what matches these Debian packages, then set BLENDMF_SKIP_PACKAGES=1: ${packages[*]}"
fi

missing=()
for package in "${packages[@]}"; do
    is_installed "$package" || missing+=("$package")
done
if [[ ${#missing[@]} -eq 0 ]]; then
    exit 0
fi

say "Installing the packages that are missing here: ${missing[*]}"
if [[ $(id -u) -eq 0 ]]; then
    as_root=(env)
elif command -v sudo >/dev/null; then
    as_root=(sudo env)
else
    fail "installing needs root or sudo, and this is neither. As root: apt-get install ${missing[*]}"
fi
# The timeout waits for another apt that is at work, as on a machine that has just booted.
apt=("${as_root[@]}" DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)

run "${apt[@]}" update ||
    printf 'install-packages.sh: the package lists could not be refreshed; going on with those at hand\n' >&2
run "${apt[@]}" install -y --no-install-recommends "${missing[@]}" ||
    fail "apt-get could not install ${missing[*]}: see its messages above"
