#!/bin/sh
# The interop run's verbs for Python as its users install it, from wheels: have, build, test ADDRESS, run ADDRESS JPEG VECTORS.
# PYTHON_WHEELS is a folder that has the client's dependencies and pytest as wheels for CPython 3.11.
cd "$(dirname -- "$0")/.." || exit 1
work=$PWD/build/pip
python=$work/venv/bin/python
export PYTHONDONTWRITEBYTECODE=1

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
    rm -rf "$work" && python3 -m venv "$work/venv" || exit 1
    "$python" -m pip install --quiet --disable-pip-version-check --no-index --find-links "$PYTHON_WHEELS" . pytest || exit 1
    # Away from the sources, so that the installed package is the one that is tested.
    mkdir "$work/python" && cp -R tests examples interop/scenario.py "$work/python" && cp -R ../testdata "$work"
    ;;
  test)
    cd "$work/python" || exit 1
    EMBEDDINGS_URL="http://$1" "$python" -m pytest -q -p no:cacheprovider tests
    ;;
  run) cd "$work/python" && "$python" scenario.py "$@" ;;
esac
