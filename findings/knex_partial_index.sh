#!/usr/bin/env bash
# Knex 3.3.0 (pg 8.23.1, PostgreSQL 15.18)
#
# table.index(columns, name, { predicate }) takes a query builder. If its condition has a value, the value is sent as a parameter
# that nobody binds, and the migration fails. (whereRaw without values works.)
# The access method is the option storageEngineIndexType or the third argument as a text; the option indexType, which
# its types offer for PostgreSQL too, is ignored without a word: a btree. Seen:
#
#     create index "t_partial" on "t" ("a") where "b" = $1 - there is no parameter $1
#     t_method btree
#     t_third hash
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
  knex@3.3.0 pg@8.23.1 >npm.log 2>&1 || cannot "npm install failed"
as_server "$bin/initdb" -D "$work/server/data" -U postgres -A trust >/dev/null 2>&1 || cannot "initdb failed"
as_server "$bin/pg_ctl" -D "$work/server/data" -w -l "$work/server/log" \
  -o "-c listen_addresses='' -c unix_socket_directories='$work/server'" start >/dev/null || cannot "the server does not start"
export PGHOST=$work/server PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
sql() { psql -XqAt -v ON_ERROR_STOP=1 -c "$1"; }

cat >indexes.cjs <<'END'
const knex = require('knex')({ client: 'pg', connection: { host: process.env.PGHOST, user: 'postgres', database: 'postgres' } });
(async () => {
  await knex.schema.createTable('t', (t) => { t.integer('a'); t.integer('b'); });
  let failed = false;
  await knex.schema.alterTable('t', (t) => t.index(['a'], 't_partial', { predicate: knex.where('b', 1) }))
    .catch((error) => { console.log(error.message); failed = /there is no parameter \$1/.test(error.message); });
  await knex.schema.alterTable('t', (t) => {
    t.index(['a'], 't_method', { indexType: 'hash' });
    t.index(['a'], 't_third', 'hash');
  });
  await knex.destroy();
  process.exit(failed ? 0 : 1);
})();
END
node indexes.cjs || changed "the predicate's value is bound"
seen=$(sql "SELECT relname || ' ' || amname FROM pg_class c JOIN pg_am a ON a.oid = relam WHERE relname LIKE 't\_%' ORDER BY 1")
echo "$seen"
[ "$seen" = "t_method btree
t_third hash" ] || changed "the access methods"
