#!/usr/bin/env bash
# Pgpool-II 4.3.5 (Debian 12; PostgreSQL 15.18)
#
# Its manual says that the query cache takes no SELECT that includes TIMESTAMP WITH TIME ZONE. That is so when the query spells the
# type or calls a function that returns it; a column of that type is cached as it was printed for whoever asked first, and
# so is what depends on the session's time zone without a word of it: a cast to date, a comparison with a constant. A session with
# another time zone then gets the first one's answer, and rows are missing. Each line has the answer to a session in UTC, then to
# one in Tokyo, then to one in Tokyo without Pgpool-II. Seen:
#
#     SELECT at FROM t: 2024-01-31 23:30:00+00, 2024-01-31 23:30:00+00; 2024-02-01 08:30:00+09
#     SELECT at::date FROM t: 2024-01-31, 2024-01-31; 2024-02-01
#     SELECT count(*) FROM t WHERE at >= '2024-02-01': 0, 0; 1
#     SELECT max(at) FROM t: 2024-01-31 23:30:00+00, 2024-02-01 08:30:00+09; 2024-02-01 08:30:00+09
# shellcheck source=findings/programs.sh
. "$(dirname "${BASH_SOURCE[0]}")/programs.sh"
for tool in apt-get dpkg; do command -v "$tool" >/dev/null || cannot "no $tool"; done
apt-get download pgpool2=4.3.5-1+deb12u1 libpgpool2=4.3.5-1+deb12u1 >apt.log 2>&1 || cannot "no pgpool2 4.3.5-1+deb12u1 (Debian 12)"
for package in *.deb; do dpkg -x "$package" root || cannot "$package could not be unpacked"; done
libraries=$(dirname "$(echo "$work"/program/root/usr/lib/*/libpcp.so.*.*)")
start_server

pool=$work/pool
mkdir "$pool" "$pool/oid"
cat >"$pool/pgpool.conf" <<END_OF_SETTINGS
backend_clustering_mode = 'raw'
listen_addresses = ''
socket_dir = '$pool'
pcp_socket_dir = '$pool'
port = 9999
pid_file_name = '$pool/pid'
logdir = '$pool'
backend_hostname0 = '$work/server'
backend_port0 = 5432
num_init_children = 2
memory_cache_enabled = on
memqcache_method = 'shmem'
memqcache_total_size = 4MB
memqcache_max_num_cache = 1000
memqcache_oiddir = '$pool/oid'
END_OF_SETTINGS
: >"$pool/pcp.conf"
[ "$(id -u)" != 0 ] || chown -R postgres "$pool"
pgpool() { as_server env LD_LIBRARY_PATH="$libraries" root/usr/sbin/pgpool -f "$pool/pgpool.conf" -F "$pool/pcp.conf" "$@"; }
stop() {
  pgpool -m immediate stop >/dev/null 2>&1
  clean_up
}
trap stop EXIT
pgpool -n >"$pool/log" 2>&1 &
for _ in $(seq 300); do
  [ ! -S "$pool/.s.PGSQL.9999" ] || break
  sleep 0.1
done
through() { PGHOST=$pool PGPORT=9999 psql -XqAt -c "SET timezone = '$1'" -c "$2" 2>&1; }

sql "CREATE TABLE t (at timestamptz); INSERT INTO t VALUES ('2024-01-31 23:30+00')" || cannot "no table"
[ "$(through UTC "SELECT 1")" = 1 ] || cannot "Pgpool-II does not start: $(tail -n 1 "$pool/log")"
seen=$(for query in "SELECT at FROM t" "SELECT at::date FROM t" "SELECT count(*) FROM t WHERE at >= '2024-02-01'" "SELECT max(at) FROM t"; do
  echo "$query: $(through UTC "$query"), $(through Asia/Tokyo "$query"); $(PGTZ=Asia/Tokyo sql "$query")"
done)
echo "$seen"
[ "$seen" = "SELECT at FROM t: 2024-01-31 23:30:00+00, 2024-01-31 23:30:00+00; 2024-02-01 08:30:00+09
SELECT at::date FROM t: 2024-01-31, 2024-01-31; 2024-02-01
SELECT count(*) FROM t WHERE at >= '2024-02-01': 0, 0; 1
SELECT max(at) FROM t: 2024-01-31 23:30:00+00, 2024-02-01 08:30:00+09; 2024-02-01 08:30:00+09" ] ||
  changed "what the cache takes"
