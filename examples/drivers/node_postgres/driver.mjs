// node-postgres: reads and writes the tables of ../tables.sql under both schemas, and compares.
//
// It connects by libpq's variables (PGHOST, PGPORT, ...). Lines "ok - ..." and "not ok - ..."; ends with 1 if one is not ok.

import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { pipeline as stream } from 'node:stream/promises';
import { Readable } from 'node:stream';
import pg from 'pg';
import Cursor from 'pg-cursor';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';

let failed = 0;
const check = (condition, text, shown) => {
  console.log((condition ? 'ok - ' : 'not ok - ') + text);
  if (condition) return;
  failed++;
  console.log(String(shown).replace(/^/gm, '#     '));
};
const same = (learned, btree, text) => {
  const [left, right] = [JSON.stringify(learned), JSON.stringify(btree)];
  check(left === right && left.length > 4, text, `learned: ${left.slice(0, 500)}\nbtree:   ${right.slice(0, 500)}`);
};

const connect = async (schema, settings = {}) => {
  const client = new pg.Client({ options: `-c search_path=${schema},public`, ...settings });
  await client.connect();
  return client;
};

// ---- what is done under either schema; each gives what it has seen -------------------------------

const COUNT = 'SELECT count(*), max(id) FROM readings WHERE id BETWEEN $1 AND $2';
const ROW = 'SELECT id, device, at, level FROM readings WHERE id = $1';
const LONG = `SELECT sum(n) FROM readings a, readings b,
  LATERAL (SELECT count(*) AS n FROM readings WHERE id BETWEEN a.id AND b.id) c`;

// A name makes it a prepared statement.
const prepared = async (client, name, text, valuesOf) => {
  const seen = [];
  for (let i = 0; i < 12; i++) seen.push((await client.query({ name, text, values: valuesOf(i), rowMode: 'array' })).rows);
  const { rows } = await client.query('SELECT generic_plans FROM pg_prepared_statements WHERE name = $1', [name]);
  const plan = await client.query(`EXPLAIN (COSTS OFF) EXECUTE "${name}"(${valuesOf(0)})`);
  return { seen, generic: Number(rows[0].generic_plans), plan: plan.rows.map((row) => row['QUERY PLAN']).join('\n') };
};

const copyOut = async (client, sql) => {
  const blocks = [];
  for await (const block of client.query(copyTo(`COPY (${sql}) TO STDOUT (FORMAT binary)`))) blocks.push(block);
  return Buffer.concat(blocks);
};
const copyIn = async (client, data) => {
  await client.query('CREATE TABLE copied_node (LIKE readings INCLUDING INDEXES)');
  const blocks = [];
  for (let begin = 0; begin < data.length; begin += 50000) blocks.push(data.subarray(begin, begin + 50000));
  await stream(Readable.from(blocks), client.query(copyFrom('COPY copied_node FROM STDIN (FORMAT binary)')));
  return (await client.query('SELECT count(*), count(level), min(id), max(id), sum(device) FROM copied_node WHERE id >= 0')).rows;
};

const cursors = async (client) => {
  const seen = [];
  const cursor = client.query(new Cursor('SELECT id, level FROM readings WHERE id > $1 ORDER BY id', [150000]));
  for (let i = 0; i < 20; i++) seen.push(await cursor.read(64));
  await cursor.close();
  await client.query('BEGIN');
  await client.query('DECLARE held SCROLL CURSOR WITH HOLD FOR SELECT id, level FROM readings WHERE device = 7 ORDER BY at DESC');
  seen.push((await client.query('FETCH 100 FROM held')).rows);
  await client.query('COMMIT');
  for (const fetch of ['BACKWARD 30', 'ABSOLUTE 500', 'ALL']) seen.push((await client.query(`FETCH ${fetch} FROM held`)).rows);
  await client.query('CLOSE held');
  return seen;
};

// { pipeline: true }: queries are sent without waiting for the answers of those before.
const pipelined = async (schema) => {
  const client = await connect(schema, { pipeline: true });
  try {
    const asked = [];
    for (let low = 0; low < 300000; low += 3000) asked.push(client.query({ name: 'piped', text: COUNT, values: [low, low + 3000] }));
    asked.push(client.query('SELECT count(*) / (count(*) - count(*)) FROM readings WHERE id <= $1', [300]));
    asked.push(client.query('SELECT count(*) FROM readings WHERE id <= $1', [600]));
    return (await Promise.allSettled(asked)).map((end) => end.value?.rows ?? end.reason.code);
  } finally {
    await client.end();
  }
};

// Cancels when the query has run for half a second. (A client has no cancel() that is documented; the server's function is.)
const cancelled = async (client, monitor) => {
  await client.query("SET statement_timeout = '20 s'");
  const query = client.query(LONG).then(() => 'it ended by itself', (error) => error.code);
  const runs = "SELECT state = 'active' AND clock_timestamp() - query_start > interval '0.5 s' AS runs FROM pg_stat_activity WHERE pid = $1";
  while (!(await monitor.query(runs, [client.processID])).rows[0].runs) await sleep(50);
  const asked = performance.now();
  await monitor.query('SELECT pg_cancel_backend($1)', [client.processID]);
  const state = await query;
  const milliseconds = performance.now() - asked;
  await client.query('SET statement_timeout = 0');
  return [state, milliseconds];
};

const refused = (client, sql, values) => client.query(sql, values).then(() => 'accepted', (error) => [error.code, error.constraint]);
const errorStates = async (client) => {
  await client.query('SET statement_timeout = 200');
  const seen = [await refused(client, LONG)];
  await client.query('SET statement_timeout = 0');
  await client.query('INSERT INTO seats VALUES (301), (302)');
  seen.push(await refused(client, 'INSERT INTO seats VALUES ($1)', [302]));
  await client.query('INSERT INTO seats VALUES ($1), ($2) ON CONFLICT DO NOTHING', [302, 303]);
  return [...seen, (await client.query('SELECT id FROM seats WHERE id BETWEEN 300 AND 399 ORDER BY id')).rows.map((row) => row.id)];
};

// ---- both, side by side --------------------------------------------------------------------------

const learned = await connect('learned');
const btree = await connect('btree');
const monitor = await connect('public');
for (const [name, text, valuesOf, node, condition] of [
  ['counts', COUNT, (i) => [100000 + i, 200000 + 7 * i], 'Custom Scan (LearnedAggregate)', 'id >= $1'],
  ['rows by key', ROW, (i) => [90000 + 3 * i], 'Index Scan using readings_id_idx', 'id = $1'],
]) {
  const { seen, generic, plan } = await prepared(learned, name, text, valuesOf);
  same(seen, (await prepared(btree, name, text, valuesOf)).seen, `prepared statement, ${name}: as with btree`);
  check(generic > 0 && plan.includes(node) && plan.includes(condition),
    `prepared statement, ${name}: a generic plan by the learned index`, `${generic} generic plans\n${plan}`);
}
const sql = 'SELECT * FROM readings WHERE id BETWEEN 30000 AND 90000 ORDER BY id';
const data = await copyOut(learned, sql);
const hash = (bytes) => createHash('sha256').update(bytes).digest('hex');
check(data.length > 100000 && hash(data) === hash(await copyOut(btree, sql)), 'COPY binary out: the bytes of btree', data.length);
same(await copyIn(learned, data), await copyIn(btree, data), 'COPY binary in: as with btree');
same(await cursors(learned), await cursors(btree), 'cursors, by pg-cursor, scrolled and held over a commit: as with btree');
const piped = await pipelined('learned');
same(piped, await pipelined('btree'), 'pipeline mode, an error within it: as with btree');
check(piped[100] === '22012' && piped[101][0].count === '200', 'and what was sent behind the error is answered', JSON.stringify(piped.slice(99)));
const [state, milliseconds] = await cancelled(learned, monitor);
check(state === '57014' && milliseconds < 1000, `a cancelled count ends within a second (${Math.round(milliseconds)} ms)`, state);
check((await learned.query('SELECT count(*) FROM readings WHERE id > 0')).rows[0].count === '100000', 'and the connection goes on');
const states = await errorStates(learned);
same(states, await errorStates(btree), 'errors: as with btree');
check(JSON.stringify(states) === '[["57014",null],["23P01","seats_id_excl"],["301","302","303"]]',
  'errors: 57014 of a timeout, 23P01 of an exclusion constraint, and no row is left of it', JSON.stringify(states));
await Promise.all([learned, btree, monitor].map((client) => client.end()));
process.exitCode = failed ? 1 : 0;
