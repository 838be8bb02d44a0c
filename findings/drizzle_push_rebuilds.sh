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
# shellcheck source=findings/programs.sh
. "$(dirname "${BASH_SOURCE[0]}")/programs.sh"
npm_packages drizzle-kit@0.31.11 drizzle-orm@0.45.4 pg@8.23.1
start_server

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
