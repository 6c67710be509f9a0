#!/bin/sh
# Interop commands for Python as users install it, from a wheel: have, build, test ADDRESS, run ADDRESS JPEG VECTORS, secure ADDRESS FOLDER.
# PYTHON_WHEELS is a folder with the client's dependencies, numpy, Pillow, and pytest as wheels for CPython 3.11.
cd "$(dirname -- "$0")/.." || exit 1
work=$PWD/build/pip
export PYTHONDONTWRITEBYTECODE=1 PATH="$PATH:/usr/sbin"

# Makes a virtual environment with the wheel, its dependencies, and more: install NAME [PACKAGE...]
install() {
  environment=$work/$1
  shift
  python3 -m venv "$environment" || return 1
  "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --no-index --find-links "$PYTHON_WHEELS" "$work"/dist/*.whl "$@"
}

verb=$1
shift
case $verb in
  have)
    [ -n "${PYTHON_WHEELS:-}" ] || { echo "PYTHON_WHEELS is not set"; exit 1; }
    version=$(python3 --version) || { echo "python3 is missing"; exit 1; }
    case $version in
      "Python 3.11."*) ;;
      *) echo "the wheels in PYTHON_WHEELS are for Python 3.11; python3 is $version"; exit 1 ;;
    esac
    ;;
  build)
    rm -rf "$work" && sh pack.sh "$work/dist" || exit 1
    install bare && install venv numpy pillow pytest || exit 1
    # Outside the sources, so that the installed package is tested.
    mkdir "$work/python" && cp -R tests examples interop/scenario.py interop/secure.py interop/program.py "$work/python" && cp -R ../testdata "$work"
    ;;
  test)
    cd "$work/python" || exit 1
    if command -v mypy >/dev/null; then
      mypy --strict --python-executable "$work/bare/bin/python" --cache-dir "$work/mypy" program.py || exit 1
    fi
    "$work/bare/bin/python" program.py "http://$1" "$work/testdata/sample.jpg" || exit 1
    EMBEDDINGS_URL="http://$1" "$work/venv/bin/python" -m pytest -q -p no:cacheprovider tests
    ;;
  run) cd "$work/python" && "$work/venv/bin/python" scenario.py "$@" ;;
  secure) cd "$work/python" && "$work/venv/bin/python" secure.py "$@" ;;
esac
