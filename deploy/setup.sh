#!/bin/sh
# Make .venv in this checkout and install Hullwatch into it: deploy/setup.sh [EXTRA]
#
# For Debian 12 and later, as root. May be run again: it installs only what is missing.
set -eu
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "run as root: sudo $0" >&2; exit 1; }

missing=""
# clang and libbpf's headers build the BPF program, libbpf loads it.
for package in python3 python3-venv clang libbpf-dev libbpf1 ca-certificates; do
	dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' || missing="$missing $package"
done
if [ -n "$missing" ]; then
	echo "installing$missing" >&2
	apt-get update -qq
	# shellcheck disable=SC2086
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

# The system's own interpreter, with its packages: the distribution's bcc is only there.
[ -x .venv/bin/python ] || /usr/bin/python3 -m venv --system-site-packages .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable ".${1:+[$1]}"
