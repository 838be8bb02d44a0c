#!/usr/bin/env bash
# Sequelize 6.37.8 (pg 8.23.1, PostgreSQL 15.18)
#
# sync({ alter: true }) sends ALTER TABLE ... ALTER COLUMN ... TYPE for every column, changed or not. For PostgreSQL a type that stays
# the same means that the files of plain indexes are kept; those of indexes with a condition or an expression are not: each
# such sync of an unchanged model builds them anew, under an ACCESS EXCLUSIVE lock. Seen (files before and after):
#
#     t_plain: kept
#     t_partial: built anew
#     t_expression: built anew
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
  sequelize@6.37.8 pg@8.23.1 >npm.log 2>&1 || cannot "npm install failed"
as_server "$bin/initdb" -D "$work/server/data" -U postgres -A trust >/dev/null 2>&1 || cannot "initdb failed"
as_server "$bin/pg_ctl" -D "$work/server/data" -w -l "$work/server/log" \
  -o "-c listen_addresses='' -c unix_socket_directories='$work/server'" start >/dev/null || cannot "the server does not start"
export PGHOST=$work/server PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
sql() { psql -XqAt -v ON_ERROR_STOP=1 -c "$1"; }

cat >sync.cjs <<'END'
const { Sequelize, DataTypes, literal } = require('sequelize');
const db = new Sequelize('postgres', 'postgres', null, { dialect: 'postgres', host: process.env.PGHOST, logging: false });
db.define('t', { a: DataTypes.INTEGER, b: DataTypes.INTEGER }, {
  tableName: 't', timestamps: false,
  indexes: [
    { name: 't_plain', fields: ['a'] },
    { name: 't_partial', fields: ['a'], where: { b: 1 } },
    { name: 't_expression', fields: [literal('(a + b)')] },
  ],
});
db.sync({ alter: true }).then(() => db.close());
END
files() { sql "SELECT relname || ' ' || relfilenode FROM pg_class WHERE relname IN ('t_plain', 't_partial', 't_expression') ORDER BY 1"; }
node sync.cjs || cannot "sync failed"
before=$(files)
node sync.cjs || changed "the second sync fails"
after=$(files)
for index in t_plain t_partial t_expression; do
  if [ "$(grep "^$index " <<<"$before")" = "$(grep "^$index " <<<"$after")" ]; then what=kept; else what="built anew"; fi
  echo "$index: $what"
  case $index in t_plain) wanted=kept ;; *) wanted="built anew" ;; esac
  [ "$what" = "$wanted" ] || changed "$index is $what"
done
