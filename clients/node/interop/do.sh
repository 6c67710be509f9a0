#!/bin/sh
# Interop commands for Node.js: have, build, test ADDRESS, run ADDRESS JPEG VECTORS, secure ADDRESS FOLDER.
cd "$(dirname -- "$0")/.." || exit 1

verb=$1
shift
case $verb in
  have)
    node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 18 ? 0 : 1)' || { echo "Node.js 18 or newer is missing"; exit 1; }
    cmp -s package-lock.json node_modules/.locked && exit 0
    # The packages do not need their install scripts.
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error && cp package-lock.json node_modules/.locked
    ;;
  build) npm run --silent build ;;
  test) npm test --silent && npm run --silent example -- ../testdata "http://$1" ;;
  run) node dist/interop/scenario.js "$@" ;;
  secure) node dist/interop/secure.js "$@" ;;
esac
