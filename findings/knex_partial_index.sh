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
# shellcheck source=findings/programs.sh
. "$(dirname "${BASH_SOURCE[0]}")/programs.sh"
npm_packages knex@3.3.0 pg@8.23.1
start_server

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
