#!/bin/sh
# Prepares a fresh machine: the host's packages, and the Python environment in .venv.
# Arguments are further packages to install.
# Installs packages itself as root or where sudo asks no password; else it prints the
# one command to run. Fast when there is nothing to do.
set -eu
cd "$(dirname "$0")/.."

install_packages() {
	if [ "$(id -u)" = 0 ]; then
		sudo=""
	elif sudo -n true 2>/dev/null; then
		sudo="sudo"
	else
		echo "setup: packages are missing; install them and run make again:" >&2
		echo "  sudo apt-get install --yes --no-install-recommends $*" >&2
		exit 1
	fi
	if ! command -v apt-get >/dev/null; then
		echo "setup: this host has no apt-get; install what these Debian packages hold: $*" >&2
		exit 1
	fi
	echo "setup: installing $*"
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -q update
	# shellcheck disable=SC2086 # $sudo may be nothing
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -q install --yes --no-install-recommends "$@" >/dev/null
}

python=${PYTHON:-python3}
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
	install_packages python3 python3-venv
fi
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
	install_packages python3-venv
fi

mark=.venv/.requirements
if ! cmp -s requirements.lock "$mark" || ! [ -x .venv/bin/lab ]; then
	echo "setup: Python packages into .venv (about 30 s the first time)"
	[ -x .venv/bin/python ] || "$python" -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r scripts/uv.lock
	.venv/bin/uv pip install --quiet --python .venv/bin/python --require-hashes -r requirements.lock
	.venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
	cp requirements.lock "$mark"
fi

missing="$(.venv/bin/lab doctor --packages) $*"
missing=${missing## }
if [ -n "${missing%% }" ]; then
	# shellcheck disable=SC2086 # one word a package
	install_packages $missing
fi
