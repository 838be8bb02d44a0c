#!/bin/sh
# Starts pgpool in place of this shell:   pgpool.sh SERVICE_DIR PGPOOL-OPTION...
#
# pgpool's children do not end with it. Where it was killed they go on: they serve, though nobody minds them, and hold the port, so
# that another pgpool cannot be started; and shared memory and semaphores stay until the next boot. So first goes what is left of
# the one before. supervisord makes each program a process group, which has the number of its first process.
set -u
group=$1/pgpool/group
shift
if [ -s "$group" ]; then
  before=$(cat "$group")
  # Who made shared memory, who was the last to change a semaphore: it or one of its children.
  makers=" $before $(pgrep -x -g "$before" pgpool | tr '\n' ' ')"
  pkill -KILL -x -g "$before" pgpool
  while pgrep -x -g "$before" pgpool >/dev/null; do sleep 0.1; done
  ipcs -m -p | awk -v makers="$makers" 'index(makers, " " $3 " ") { print $1 }' | while read -r id; do ipcrm -m "$id"; done
  ipcs -s | awk -v user="$(id -un)" '$3 == user { print $2 }' | while read -r id; do
    ! ipcs -s -i "$id" | awk -v before="$before" '$5 == before { of_it = 1 } END { exit !of_it }' || ipcrm -s "$id"
  done
fi
echo $$ >"$group"
exec /usr/sbin/pgpool "$@"
