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
# shellcheck source=findings/programs.sh
. "$(dirname "${BASH_SOURCE[0]}")/programs.sh"
npm_packages typeorm@1.1.1 pg@8.23.1 reflect-metadata@0.2.2
start_server

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
