// What works by way of PgBouncer 1.18 in transaction mode, and what does not. Lines "ok - ..." and "not ok - ...".
//
//   PGPASSWORD=... node pooling.js ADDRESS PORT-OF-PGBOUNCER PORT-OF-POSTGRES
'use strict'

const { Client } = require('pg')
const [address, pooled, direct] = process.argv.slice(2)

const is = (name, found, expected) => {
  const same = JSON.stringify(found) === JSON.stringify(expected)
  console.log(`${same ? 'ok' : 'not ok'} - PgBouncer: ${name}`)
  if (!same) console.log(`#   expected: ${JSON.stringify(expected)}\n#   found:    ${JSON.stringify(found)}`)
}

async function connect (port) {
  const client = new Client({ host: address, port, user: 'gateway', database: 'service', password: process.env.PGPASSWORD })
  await client.connect()
  return client
}

const code = (promise) => promise.then(() => 'no error', (error) => error.code)
const QUERY = 'SELECT count(*)::int AS n FROM readings WHERE ts < $1::timestamptz'
const BEGIN = ['2026-01-01 00:10:00+00']
const backend = async (client) => (await client.query('SELECT pg_backend_pid() AS pid')).rows[0].pid

async function main () {
  const one = await connect(pooled)
  const other = await connect(pooled)
  is('simple statements', (await one.query('SELECT count(*)::int AS n FROM readings WHERE ts < \'2026-01-01 00:10:00+00\'')).rows, [{ n: 6000 }])
  is('unnamed statements with parameters', (await one.query(QUERY, BEGIN)).rows, [{ n: 6000 }])
  await one.query('BEGIN')
  is('in a transaction, all statements go to one server process', await backend(one), await backend(one))
  await one.query('COMMIT')

  // A named statement is prepared in one server process; the client's next transaction has another one, as the other client is there.
  const named = { name: 'first hours', text: QUERY, values: BEGIN }
  is('a named statement works once', (await one.query(named)).rows, [{ n: 6000 }])
  const first = await backend(one)
  await other.query('BEGIN')
  const taken = await backend(other)
  is('the other client has the server process now', taken, first)
  is('then the named statement is not there: 26000', await code(one.query(named)), '26000')
  is('an unnamed one is not bothered', (await one.query(QUERY, BEGIN)).rows, [{ n: 6000 }])
  is('nor is it with the type of its parameter said', (await one.query('SELECT $1::int + 1 AS n', [4])).rows, [{ n: 5 }])
  await other.query('COMMIT')

  // The same by SQL, and what else belongs to a session.
  await one.query('PREPARE mine AS SELECT 1')
  await other.query('BEGIN')
  await other.query('SELECT 1')
  is('PREPARE is of that process, too', await code(one.query('EXECUTE mine')), '26000')
  await other.query('COMMIT')
  await one.query('DEALLOCATE ALL').catch(() => {})
  is('settings of the role hold', (await one.query('SHOW statement_timeout')).rows, [{ statement_timeout: '10s' }])
  await one.query('BEGIN')
  await one.query("SET LOCAL statement_timeout = '50ms'")
  is('SET LOCAL holds for the transaction', await code(one.query('SELECT pg_sleep(2)')), '57014')
  await one.query('ROLLBACK')
  is('and for that only', (await one.query('SHOW statement_timeout')).rows, [{ statement_timeout: '10s' }])
  await one.query('BEGIN')
  await one.query("DECLARE c CURSOR FOR SELECT id::int FROM ranges ORDER BY first_ip")
  await one.query('FETCH 10 FROM c')
  is('cursors work within a transaction', (await one.query('FETCH 10 FROM c')).rows.length, 10)
  await one.query('COMMIT')

  // Many clients, few connections.
  const clients = await Promise.all(Array.from({ length: 40 }, () => connect(pooled)))
  const pids = await Promise.all(clients.map(async (client) =>
    (await client.query('SELECT pg_backend_pid() AS pid, pg_sleep(0.1)')).rows[0].pid))
  const processes = new Set(pids).size
  is(`40 clients at once had ${processes} server processes, of at most 10`, processes >= 2 && processes <= 10, true)
  await Promise.all(clients.map((client) => client.end()))

  const straight = await connect(direct)
  await straight.query(named)
  is('straight to the server, named statements work', (await straight.query(named)).rows, [{ n: 6000 }])
  for (const client of [one, other, straight]) await client.end()
}

main().catch((error) => {
  console.log(`not ok - PgBouncer: ${error.stack}`)
  process.exit(1)
})
