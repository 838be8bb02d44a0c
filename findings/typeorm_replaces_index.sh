#!/usr/bin/env bash
# TypeORM 1.1.1 (pg 8.23.1, PostgreSQL 15.18)
#
# An index of an access method that TypeORM does not know can be made by a migration only (type: 'bloom' in the entity ends with
# "Unsupported index type"). Once an entity names the index without synchronize: false, synchronize() (and what
# migration:generate writes) drops it and makes a btree of the same name, without a warning; so it does to a BRIN index whose
# entity does not say the type. Seen:
#
#     DROP INDEX "public"."t_bloom"
#     DROP INDEX "public"."t_brin"
#     CREATE INDEX "t_bloom" ON "t" ("a")
#     CREATE INDEX "t_brin" ON "t" ("b")
#     t_bloom btree
#     t_brin btree
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
  typeorm@1.1.1 pg@8.23.1 reflect-metadata@0.2.2 >npm.log 2>&1 || cannot "npm install failed"
as_server "$bin/initdb" -D "$work/server/data" -U postgres -A trust >/dev/null 2>&1 || cannot "initdb failed"
as_server "$bin/pg_ctl" -D "$work/server/data" -w -l "$work/server/log" \
  -o "-c listen_addresses='' -c unix_socket_directories='$work/server'" start >/dev/null || cannot "the server does not start"
export PGHOST=$work/server PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
sql() { psql -XqAt -v ON_ERROR_STOP=1 -c "$1"; }

sql "CREATE EXTENSION bloom" 2>/dev/null || cannot "the server has no contrib module bloom"
cat >sync.cjs <<'END'
require('reflect-metadata');
const { DataSource, EntitySchema } = require('typeorm');
const t = new EntitySchema({
  name: 't', tableName: 't',
  columns: { id: { type: 'int', primary: true }, a: { type: 'int' }, b: { type: 'int' } },
  indices: [{ name: 't_bloom', columns: ['a'] }, { name: 't_brin', columns: ['b'] }],
});
(async () => {
  const db = await new DataSource({ type: 'postgres', host: process.env.PGHOST, username: 'postgres', database: 'postgres', entities: [t] }).initialize();
  for (const query of (await db.driver.createSchemaBuilder().log()).upQueries) console.log(query.query);
  await db.synchronize();
  await db.destroy();
})();
END
sql "CREATE TABLE t (id int PRIMARY KEY, a int NOT NULL, b int NOT NULL);
  CREATE INDEX t_bloom ON t USING bloom (a); CREATE INDEX t_brin ON t USING brin (b)"
node sync.cjs || changed "synchronize fails"
for index in t_bloom t_brin; do
  method=$(sql "SELECT amname FROM pg_class c JOIN pg_am a ON a.oid = relam WHERE relname = '$index'")
  echo "$index $method"
  [ "$method" = btree ] || changed "$index is $method"
done
