#!/bin/sh
# Makes the root filesystem of a Debian image without a container engine: make-rootfs.sh RELEASE PACKAGES FOLDER
# PACKAGES is separated by commas. The mirror is the one that apt uses on this machine. Needs root on Debian.
set -eu
release=$1 packages=$2 folder=$3
export DEBIAN_FRONTEND=noninteractive

if ! command -v debootstrap >/dev/null; then
  apt-get -qq update
  apt-get -qq install -y --no-install-recommends debootstrap
fi
mirror() {
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Component: main' 'Origin: Debian' 'Label: Debian' | head -n 1
}
# Without package lists, apt knows no origins.
[ -n "$(mirror)" ] || apt-get -qq update
# In a namespace of its own, so that an interrupted run leaves no /proc mounted in the folder.
exec unshare --mount --propagation private \
  debootstrap --variant=minbase --include="$packages" "$release" "$folder" "$(mirror)"
