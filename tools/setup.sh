#!/usr/bin/env bash
# Set up what this machine lacks: system packages (where it may install them) and the virtual environment.
#   tools/setup.sh [extra Debian packages wanted but not needed]
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
needed=(libportaudio2 espeak-ng flite)
[ "$(uname -m)" = aarch64 ] && needed+=(libatomic1)
wanted=("$@")
# What is wanted besides is wanted for the tests, and some of them run the clinician's page in node.
[ $# -eq 0 ] || command -v node >/dev/null || wanted+=(nodejs npm)

installed() { dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }
missing() { for package in "$@"; do installed "$package" || echo "$package"; done; }

as_root=()
if [ "$(id -u)" != 0 ]; then
  if sudo -n true 2>/dev/null; then as_root=(sudo -n); else as_root=(false); fi
fi
install() {
  [ ${#as_root[@]} = 0 ] || [ "${as_root[0]}" != false ] || return 1
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -q >/dev/null &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" >/dev/null
}

if ! command -v "$python" >/dev/null || ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  echo "Onebreath needs Python 3.11 or newer, and $python is not. Set PYTHON to one that is: make PYTHON=/path/to/python3.11" >&2
  exit 1
fi
if [ "$(uname -m)" = aarch64 ] && "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 12))'; then
  needed+=(build-essential python3-dev) # pocketsphinx has no wheel for this pair and is compiled
fi
"$python" -c 'import ensurepip, venv' 2>/dev/null || needed+=(python3-venv)

if command -v dpkg-query >/dev/null; then
  mapfile -t lacking < <(missing "${needed[@]}")
  mapfile -t would_like < <(missing "${wanted[@]}")
  if [ ${#lacking[@]} -gt 0 ] || [ ${#would_like[@]} -gt 0 ]; then
    echo "Installing system packages: ${lacking[*]} ${would_like[*]}"
    if ! install "${lacking[@]}" "${would_like[@]}"; then
      echo "These system packages are missing and cannot be installed from here. Please type:" >&2
      echo "    sudo apt-get install ${lacking[*]} ${would_like[*]}" >&2
      [ ${#lacking[@]} -eq 0 ] || exit 1
    fi
  fi
else
  echo "This is not a Debian-like system; please see that it has: ${needed[*]}" >&2
fi

stamp=.venv/.onebreath
key=$(cat requirements.lock pyproject.toml | sha256sum)
if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$key" ]; then
  echo "Setting up the virtual environment in .venv (a minute or two the first time)"
  [ -x .venv/bin/python ] || "$python" -m venv .venv
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
  echo "$key" > "$stamp"
fi

if [ $# -gt 0 ] && command -v npm >/dev/null; then
  stamp=node_modules/.onebreath
  key=$(cat package.json package-lock.json | sha256sum)
  if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$key" ]; then
    if npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null; then
      echo "$key" > "$stamp"
    else
      echo "npm ci failed: the page's types will not be checked, nor the page run in a browser" >&2
    fi
  fi
fi
