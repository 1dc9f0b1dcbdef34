#!/bin/sh
# Makes .venv (or $VENV) and installs the project into it: sh scripts/setup.sh [".[dev]"]
# The versions are those of constraints.txt, which the project was tested with.
set -eu
cd "$(dirname "$0")/.."

what=${1:-.}
base=${PYTHON:-python3}
venv=${VENV:-.venv}
python="$venv/bin/python"
stamp="$venv/installed"
[ "$what" = . ] || stamp="$venv/installed-dev"

stop() {
    echo "error: $1" >&2
    exit 2
}

if ! "$python" -c "import pip" 2>/dev/null; then
    command -v "$base" >/dev/null || stop "there is no '$base'; install Python 3.11 or newer, or name one: make train PYTHON=python3.12"
    version=$("$base" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    "$base" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        stop "$base is Python $version, Zoo needs 3.11 or newer; name one: make train PYTHON=python3.12"
    "$base" -c 'import venv, ensurepip' 2>/dev/null ||
        stop "$base cannot make environments (no venv, ensurepip); on Debian or Ubuntu: sudo apt install python$version-venv"
    echo "making $venv with Python $version"
    "$base" -m venv --clear "$venv"
fi

pip() {
    "$python" -m pip --disable-pip-version-check "$@"
}

# Where there is no NVIDIA driver, a CUDA build of torch would be gigabytes for nothing.
torch=$(sed -n 's/^torch==//p' constraints.txt)
installed=$("$python" -c 'from importlib.metadata import version; print(version("torch").split("+")[0])' 2>/dev/null || true)
if [ "$(uname)" = Linux ] && [ ! -e /proc/driver/nvidia ] && ! command -v nvidia-smi >/dev/null &&
    [ "$installed" != "$torch" ]; then
    echo "no NVIDIA driver: looking for the CPU build of torch $torch"
    pip install --timeout 5 --retries 0 --no-deps \
        --index-url https://download.pytorch.org/whl/cpu "torch==$torch+cpu" ||
        echo "no CPU build can be had here: taking the usual one, which is larger"
fi

pip install --constraint constraints.txt --editable "$what"
touch "$stamp"
