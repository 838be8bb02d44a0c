import { EntitySchema, MikroORM, raw } from '@mikro-orm/postgresql';
import { Migrator } from '@mikro-orm/migrations';
import tap from './tap.cjs';

const { check, plan } = tap;
const ROWS = 20000;
const at = (second) => new Date(Date.UTC(2026, 0, 1) + second * 1000);
const numbers = (from, to) => Array.from({ length: to - from }, (_, i) => from + i);

function entity(type, where, expression) {
  return new EntitySchema({
    name: 'Reading', tableName: 'reading',
    indexes: [
      { name: 'reading_taken_at', properties: ['takenAt'], type, fillFactor: 100 },
      { name: 'reading_ended_at', columns: [{ name: 'ended_at', sort: 'DESC', nulls: 'LAST' }], properties: ['endedAt'], type: 'learned' },
      { name: 'reading_device', properties: ['device'], type: 'learned', where },
      { name: 'reading_meter', expression },
    ],
    properties: {
      id: { type: 'integer', primary: true, autoincrement: false },
      device: { type: 'integer' },
      takenAt: { type: 'Date' },
      endedAt: { type: 'Date', nullable: true },
      meter: { type: 'decimal', precision: 18, scale: 0 },
      archived: { type: 'boolean' },
    },
  });
}
const METER = 'create index reading_meter on reading using learned ((meter::bigint))';
const open = (type = 'learned', where = 'not archived', expression = METER) => MikroORM.init({
  entities: [entity(type, where, expression)], dbName: process.env.PGDATABASE, user: process.env.PGUSER, host: process.env.PGHOST,
  port: Number(process.env.PGPORT), extensions: [Migrator], migrations: { path: './migrations', snapshot: false, emit: 'cjs' },
  allowGlobalContext: true,
});

let orm = await open();
const first = await orm.migrator.create();
check(/using learned/.test(first.code), 'a migration is made', first.code);
await orm.migrator.up();
await orm.migrator.down();
await orm.migrator.up();
const again = await orm.migrator.create();
check(again.fileName === '', 'another one is not wanted', again.code);

const connection = orm.em.getConnection();
await orm.em.insertMany('Reading', numbers(0, ROWS).map((i) => ({
  id: i, device: i * 37 % 200, takenAt: at(i * 10 + i % 7), endedAt: i % 50 ? at(i * 10 + 9) : null,
  meter: String(1e12 + i * 3), archived: i % 4 === 0,
})));
await connection.execute('analyze reading');

async function by(index, where, options, expected, text) {
  const builder = orm.em.createQueryBuilder('Reading').select('id').where(where);
  if (options.orderBy) builder.orderBy(options.orderBy);
  if (options.limit) builder.limit(options.limit);
  const how = await plan((sql) => connection.execute(sql), builder.getFormattedQuery());
  check(how.includes(index) && !how.includes('Seq Scan'), `${text}: the plan uses ${index}`, how);
  const found = (await orm.em.fork().find('Reading', where, options)).map((row) => row.id);
  check(JSON.stringify(found) === JSON.stringify(expected), `${text}: the rows are right`, found);
}
await by('reading_taken_at', { takenAt: { $gte: at(1000), $lt: at(2000) } }, { orderBy: { takenAt: 'asc' } }, numbers(100, 200), 'range in order');
await by('reading_ended_at', {}, { orderBy: { endedAt: 'desc nulls last' }, limit: 5 }, [1, 2, 3, 4, 5].map((i) => ROWS - i), 'DESC NULLS LAST');
await by('reading_meter', { [raw('meter::bigint')]: 1e12 + 3 * 777 }, {}, [777], 'numeric by an expression');
await by('reading_device', { device: 185, [raw('not archived')]: [] }, { orderBy: { id: 'asc' } },
  numbers(0, ROWS).filter((i) => i * 37 % 200 === 185 && i % 4), 'partial index');
await orm.close();

for (const [what, ...change] of [['method', 'btree'], ['condition', 'learned', 'archived']]) {
  orm = await open(...change);
  const sql = await orm.schema.getUpdateSchemaSQL();
  check(/drop index/.test(sql), `a changed ${what} is seen`, sql);
  await orm.close();
}
orm = await open('learned', 'not archived', METER.replace('::bigint', '::integer'));
const unseen = await orm.schema.getUpdateSchemaSQL();
check(unseen === '', 'a changed expression is not seen', unseen);
await orm.close();
