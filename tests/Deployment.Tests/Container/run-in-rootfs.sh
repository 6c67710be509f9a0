#!/bin/sh
# Runs a command in a root filesystem as a container engine does with --read-only, --tmpfs /tmp, --cap-drop ALL, and
# no-new-privileges: run-in-rootfs.sh ROOT APP DATA UID:GID COMMAND...
# APP is mounted as /app, DATA as /data. The mounts are gone with the command. The network is the machine's own.
set -eu
exec unshare --mount --propagation private sh -euc '
  root=$1 app=$2 data=$3 user=$4
  shift 4
  mount --bind "$root" "$root"
  mount --rbind /proc "$root/proc"
  mount --rbind /dev "$root/dev"
  mount --bind "$app" "$root/app"
  mount -o remount,bind,ro "$root/app"
  mount --bind "$data" "$root/data"
  mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
  mount -o remount,bind,ro "$root"
  exec chroot --userspec="$user" --groups="" "$root" setpriv --no-new-privs "$@"
' run-in-rootfs "$@"
