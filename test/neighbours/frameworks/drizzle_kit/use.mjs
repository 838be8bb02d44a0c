import pg from 'pg';
import { and, asc, eq, gte, lt, sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate } from 'drizzle-orm/node-postgres/migrator';
import tap from './tap.cjs';
import schema from './schema.js';

const { check, plan } = tap;
const { reading } = schema;
const ROWS = 20000;
const at = (second) => new Date(Date.UTC(2026, 0, 1) + second * 1000);
const numbers = (from, to) => Array.from({ length: to - from }, (_, i) => from + i);
const pool = new pg.Pool();
const db = drizzle(pool);

await migrate(db, { migrationsFolder: './drizzle' });
await migrate(db, { migrationsFolder: './drizzle' });
for (let start = 0; start < ROWS; start += 5000) {
  await db.insert(reading).values(numbers(start, start + 5000).map((i) => ({
    id: i, device: i * 37 % 200, takenAt: at(i * 10 + i % 7), endedAt: i % 50 ? at(i * 10 + 9) : null,
    meter: String(1e12 + i * 3), archived: i % 4 === 0,
  })));
}
await db.execute('analyze reading');

async function by(name, query, expected, text) {
  const { sql: statement, params } = query.toSQL();
  const how = await plan(async (s, values) => (await pool.query(s, values)).rows, statement, params);
  check(how.includes(name) && !how.includes('Seq Scan'), `${text}: the plan uses ${name}`, how);
  const found = (await query).map((row) => row.id);
  check(JSON.stringify(found) === JSON.stringify(expected), `${text}: the rows are right`, found);
}
const ids = () => db.select({ id: reading.id }).from(reading);
await by('reading_taken_at', ids().where(and(gte(reading.takenAt, at(1000)), lt(reading.takenAt, at(2000)))).orderBy(asc(reading.takenAt)),
  numbers(100, 200), 'range in order');
await by('reading_ended_at', ids().orderBy(sql`${reading.endedAt} desc nulls last`).limit(5), [1, 2, 3, 4, 5].map((i) => ROWS - i), 'DESC NULLS LAST');
await by('reading_meter', ids().where(eq(sql`${reading.meter}::bigint`, 1e12 + 3 * 777)), [777], 'numeric by an expression');
await by('reading_device', ids().where(and(eq(reading.device, 185), sql`not ${reading.archived}`)).orderBy(asc(reading.id)),
  numbers(0, ROWS).filter((i) => i * 37 % 200 === 185 && i % 4), 'partial index');
await pool.end();
