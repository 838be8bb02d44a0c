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
# shellcheck source=findings/programs.sh
. "$(dirname "${BASH_SOURCE[0]}")/programs.sh"
npm_packages sequelize@6.37.8 pg@8.23.1
start_server

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
