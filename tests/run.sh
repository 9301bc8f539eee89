#!/bin/sh
# Install what the tests need and run them all: sudo ./tests/run.sh [OPTION of pytest]...
set -eu
cd "$(dirname "$0")/.."
./deploy/setup.sh test

missing=""
for program in \
	rsyslogd:rsyslog prometheus:prometheus dockerd:docker.io containerd:containerd runc:runc \
	busybox:busybox-static podman:podman crun:crun docker-compose:docker-compose curl:curl sudo:sudo \
	kubectl:kubernetes-client mmdebstrap:mmdebstrap unshare:util-linux ps:procps; do
	command -v "${program%%:*}" >/dev/null || missing="$missing ${program#*:}"
done
if [ -n "$missing" ]; then
	echo "installing$missing" >&2
	apt-get update -qq
	# shellcheck disable=SC2086
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
# The unit tests first, which answer within seconds; what needs the machine for itself last, and alone. Status 5: an
# option left nothing of a part.
.venv/bin/python -m pytest -n auto --dist worksteal -m "not kernel and not node and not process" "$@" || [ $? = 5 ]
.venv/bin/python -m pytest -n auto --dist worksteal -m "process and not kernel and not node" "$@" || [ $? = 5 ]
.venv/bin/python -m pytest -m "kernel or node" "$@" || [ $? = 5 ]
