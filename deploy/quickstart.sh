#!/bin/sh
# From a checkout to a watching agent in one command: sudo ./deploy/quickstart.sh [OPTION of `hullwatch run`]...
#
# Runs in the foreground on the defaults; alerts come to this terminal. Ctrl-C ends it.
set -eu
cd "$(dirname "$0")/.."
./deploy/setup.sh
exec .venv/bin/hullwatch run "$@"
