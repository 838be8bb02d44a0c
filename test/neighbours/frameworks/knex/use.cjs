'use strict';
const { check, plan } = require('./tap.cjs');

const ROWS = 20000;
const at = (second) => new Date(Date.UTC(2026, 0, 1) + second * 1000);
const numbers = (from, to) => Array.from({ length: to - from }, (_, i) => from + i);
const knex = require('knex')({
  client: 'pg',
  connection: { host: process.env.PGHOST, port: process.env.PGPORT, user: process.env.PGUSER, database: process.env.PGDATABASE },
  migrations: { directory: './migrations', loadExtensions: ['.cjs'] },
});
const rows = async (sql, values) => (await knex.raw(sql, values)).rows;
const method = async (name) => (await rows(
  'SELECT amname FROM pg_class c JOIN pg_am a ON a.oid = relam WHERE relname = ?', [name])).map((row) => row.amname).join();

async function by(index, query, expected, text) {
  const { sql, bindings } = query.toSQL();
  const how = await plan(rows, sql, bindings);
  check(how.includes(index) && !how.includes('Seq Scan'), `${text}: the plan uses ${index}`, how);
  const found = (await query).map((row) => Number(row.id));
  check(JSON.stringify(found) === JSON.stringify(expected), `${text}: the rows are right`, found);
}

(async () => {
  await knex.migrate.latest();
  check(await method('reading_wrong') === 'btree', 'indexType is ignored: a btree', await method('reading_wrong'));
  await knex.migrate.down();
  check(await method('reading_wrong') === '', 'dropIndex');
  await knex.migrate.rollback(undefined, true);
  check(await method('reading_taken_at') === '', 'rollback');
  await knex.migrate.up();
  await knex.batchInsert('reading', numbers(0, ROWS).map((i) => ({
    id: i, device: i * 37 % 200, taken_at: at(i * 10 + i % 7), ended_at: i % 50 ? at(i * 10 + 9) : null,
    meter: 1e12 + i * 3, archived: i % 4 === 0,
  })), 1000);
  await knex.raw('ANALYZE reading');
  const reading = () => knex('reading').select('id');
  await by('reading_taken_at', reading().where('taken_at', '>=', at(1000)).where('taken_at', '<', at(2000)).orderBy('taken_at'),
    numbers(100, 200), 'range in order');
  await by('reading_ended_at', reading().orderBy('ended_at', 'desc', 'last').limit(5), [1, 2, 3, 4, 5].map((i) => ROWS - i), 'DESC NULLS LAST');
  await by('reading_meter', reading().whereRaw('meter::bigint = ?', [1e12 + 3 * 777]), [777], 'numeric by an expression');
  await by('reading_device', reading().where('device', 185).whereRaw('not archived').orderBy('id'),
    numbers(0, ROWS).filter((i) => i * 37 % 200 === 185 && i % 4), 'partial index');
  await reading().where('id', '<', 50).del();
  check(Number((await reading().clearSelect().count())[0].count) === ROWS - 50, 'after DELETE');
  await knex.destroy();
})().catch((error) => { console.log(error); process.exit(1); });
