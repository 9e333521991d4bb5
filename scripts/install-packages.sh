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
# A Slurm for the tests of slurm/. Where these cannot be had the rest still goes, and those tests are skipped.
slurm_packages=(slurmctld slurmd slurm-client slurm-wlm-basic-plugins munge)
optional=()

case "${1-}" in
    '') ;;
    --tests)
        packages+=("${test_packages[@]}")
        optional=("${slurm_packages[@]}")
        ;;
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

missing=() missing_optional=()
for package in "${packages[@]}"; do
    is_installed "$package" || missing+=("$package")
done
for package in "${optional[@]}"; do
    is_installed "$package" || missing_optional+=("$package")
done
if [[ ${#missing[@]} -eq 0 && ${#missing_optional[@]} -eq 0 ]]; then
    exit 0
fi

say "Installing the packages that are missing here: ${missing[*]} ${missing_optional[*]}"
if [[ $(id -u) -eq 0 ]]; then
    as_root=(env)
elif command -v sudo >/dev/null; then
    as_root=(sudo env)
else
    if [[ ${#missing[@]} -eq 0 ]]; then
        printf 'install-packages.sh: no root and no sudo, so no Slurm; its tests are skipped: %s\n' "${missing_optional[*]}" >&2
        exit 0
    fi
    fail "installing needs root or sudo, and this is neither. As root: apt-get install ${missing[*]}"
fi
# The timeout waits for another apt that is at work, as on a machine that has just booted.
apt=("${as_root[@]}" DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)

run "${apt[@]}" update ||
    printf 'install-packages.sh: the package lists could not be refreshed; going on with those at hand\n' >&2
if [[ ${#missing[@]} -gt 0 ]]; then
    run "${apt[@]}" install -y --no-install-recommends "${missing[@]}" ||
        fail "apt-get could not install ${missing[*]}: see its messages above"
fi
if [[ ${#missing_optional[@]} -gt 0 ]]; then
    run "${apt[@]}" install -y --no-install-recommends "${missing_optional[@]}" ||
        printf 'install-packages.sh: WARNING: no Slurm (%s): the tests of slurm/ are skipped\n' "${missing_optional[*]}" >&2
fi
