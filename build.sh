#!/bin/sh
# The one entry to everything: ./build.sh VERB [ARGUMENTS]. The work is in build.cake; this finds the .NET SDK and starts it.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cd "$root"

export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 CAKE_SETTINGS_ENABLESCRIPTCACHE=true
# build.cake reads what the tools print.
export DOTNET_CLI_UI_LANGUAGE=en

usage() {
  cat <<'TEXT'
./build.sh VERB [ARGUMENTS]
  build   builds everything (Release)
  run     builds, starts the server and shows it working; --once stops after that, --models none does without the default models
  models  prepares the default models, in artifacts/models; the other verbs do it as well
  test    builds and runs all tests; --filter NAME runs some of them
  bench   builds and runs the benchmarks
  lint    checks the contract (buf) and the code's format (dotnet format)
  docs    makes docs/contract.md from the comments in protos/
  interop one scenario in every language: Python (python, pip), Node, Go, C++, Java; interop NAME runs some
  pack    makes the NuGet packages and the Python wheel, in artifacts/packages
  publish publishes the command with all it needs for the image, in artifacts/publish; --rid linux-arm64 for one platform
  qdrant  starts a local Qdrant, with Docker or from a binary on the PATH
TEXT
}

verb=${1:-}
case $verb in
  "" | help | -h | --help)
    usage
    [ -n "$verb" ] || exit 2
    exit 0
    ;;
esac
shift

if ! command -v dotnet >/dev/null 2>&1 || ! dotnet --list-sdks 2>/dev/null | grep -Eq '^[1-9][0-9]+\.'; then
  echo "build.sh: the .NET SDK 10 or newer is missing: https://dotnet.microsoft.com/download" >&2
  exit 1
fi

# The arguments as one line, each quoted as .NET reads a command line: backslashes count only before a quote.
line=
for argument in "$@"; do
  line="$line \"$(printf '%s' "$argument" | sed -e 's/\(\\*\)"/\1\1\\"/g' -e 's/\(\\*\)$/\1\1/')\""
done

# Restoring the tool asks the feed every time, so it is done once per version of the manifest.
tool=artifacts/setup/tools.json
if ! cmp -s .config/dotnet-tools.json "$tool" || ! dotnet cake --version >/dev/null 2>&1; then
  dotnet tool restore
  mkdir -p artifacts/setup
  cp .config/dotnet-tools.json "$tool"
fi

if [ "$verb" = qdrant ]; then
  exec "$root/deploy/vector_store_start" "$@"
fi

if [ "$verb" = run ]; then
  # The server needs the default models unless it is to start without them.
  models=required
  for argument in "$@"; do
    case $argument in --models | --models=* | --Models:UseDefaults=*) models=none ;; esac
  done
  # The server takes this process's place, so that signals reach it.
  EMBEDDINGS_ARGUMENTS='' BUILD_MODELS=$models dotnet cake build.cake --verbosity=quiet --target=build
  exec "$root/embeddings" run "$@"
fi
EMBEDDINGS_ARGUMENTS=$line exec dotnet cake build.cake --verbosity=quiet --target="$verb"
