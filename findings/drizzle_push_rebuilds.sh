#!/usr/bin/env bash
# drizzle-kit 0.31.11 (drizzle-orm 0.45.4, pg 8.23.1, PostgreSQL 15.18)
#
# `drizzle-kit push` compares the storage parameters of an index with those in the database, where they are texts. One that the schema
# gives as a number, .with({ fillfactor: 70 }), is therefore always another: each push of an unchanged schema drops the index
# and makes it anew, for any access method. As a text, .with({ fillfactor: '70' }), it is left alone. Seen:
#
#     t_number: made anew
#     t_text: kept
#     and once more
#     t_number: made anew
#     t_text: kept
set -u

cannot() {
  echo "cannot run: $*"
  exit 77
}
changed() {
  echo "changed: $*"
  exit 1
}
for tool in node npm; do command -v "$tool" >/dev/null || cannot "no $tool"; done
bin=$(for directory in "$(pg_config --bindir 2>/dev/null)" /usr/lib/postgresql/*/bin; do
  [ ! -x "$directory/initdb" ] || echo "$directory"
done | tail -n 1)
[ -n "$bin" ] || cannot "no PostgreSQL server"
as_server() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }

work=$(mktemp -d)
trap 'as_server "$bin/pg_ctl" -D "$work/server/data" -m immediate stop >/dev/null 2>&1; cd /; rm -rf "$work"' EXIT
chmod 755 "$work"
mkdir "$work/server" "$work/program"
[ "$(id -u)" != 0 ] || chown postgres "$work/server"
cd "$work/program" || exit 1
npm install --no-audit --no-fund --ignore-scripts --before=2026-11-28 \
  drizzle-kit@0.31.11 drizzle-orm@0.45.4 pg@8.23.1 >npm.log 2>&1 || cannot "npm install failed"
as_server "$bin/initdb" -D "$work/server/data" -U postgres -A trust >/dev/null 2>&1 || cannot "initdb failed"
as_server "$bin/pg_ctl" -D "$work/server/data" -w -l "$work/server/log" \
  -o "-c listen_addresses='' -c unix_socket_directories='$work/server'" start >/dev/null || cannot "the server does not start"
export PGHOST=$work/server PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
sql() { psql -XqAt -v ON_ERROR_STOP=1 -c "$1"; }

cat >drizzle.config.js <<'END'
module.exports = {
  dialect: 'postgresql', schema: './schema.js', out: './out',
  dbCredentials: { host: process.env.PGHOST, port: 5432, user: 'postgres', database: 'postgres', ssl: false },
};
END
cat >schema.js <<'END'
const { pgTable, integer, index } = require('drizzle-orm/pg-core');
exports.t = pgTable('t', { a: integer('a') }, (t) => [
  index('t_number').on(t.a).with({ fillfactor: 70 }),
  index('t_text').on(t.a).with({ fillfactor: '70' }),
]);
END
push() { npx --no-install drizzle-kit push --force >push.log 2>&1 </dev/null || { cat push.log; changed "push fails"; }; }
oids() { sql "SELECT relname || ' ' || oid FROM pg_class WHERE relname IN ('t_number', 't_text') ORDER BY 1"; }
push
for round in first second; do
  before=$(oids)
  push
  after=$(oids)
  [ $round = first ] || echo "and once more"
  for index in t_number t_text; do
    if [ "$(grep "^$index " <<<"$before")" = "$(grep "^$index " <<<"$after")" ]; then what=kept; else what="made anew"; fi
    echo "$index: $what"
    case $index in t_text) wanted=kept ;; *) wanted="made anew" ;; esac
    [ "$what" = "$wanted" ] || changed "$index is $what"
  done
done
