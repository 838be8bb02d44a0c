// What is asked of the service under load: how often a second, of which parts an answer needs, and whether it is right. The data make
// right answers known: reading number i, whose id is i + 1, is 100 * i to 100 * i + 49 ms after the first of 2026.
'use strict'

const FIRST = Date.UTC(2026, 0, 1)
const WRITTEN = Date.UTC(2027, 0, 1) // and later: readings that are written meanwhile
const iso = (ms) => new Date(ms).toISOString()

// The same sequence each time, so that two runs ask the same.
function randoms (seed) {
  let state = seed
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor(state / 4294967296 * n)
  }
}

const VIA_GATEWAY = ['gateway', 'pgbouncer', 'postgres']

// By HTTP. `ask` gives path, and what else there is to the request, and `right`, which is asked about the parsed answer.
function httpStreams ({ rows, token, ports }) {
  const below = randoms(1)
  const authorization = { authorization: `Bearer ${token}` }
  let written = 0
  return {
    'REST: a reading by its id': {
      rate: 10,
      ask () {
        const id = 1 + below(rows)
        const late = (row) => Date.parse(row.ts) - FIRST - 100 * (id - 1)
        return { path: `/readings/${id}`, right: (row) => Number(row.id) === id && late(row) >= 0 && late(row) < 50 }
      }
    },
    'REST: readings of five seconds': {
      rate: 10,
      ask () {
        const from = FIRST + 1000 * below(rows / 10 - 5)
        const inside = ({ ts }) => Date.parse(ts) >= from && Date.parse(ts) < from + 5000
        return {
          path: `/readings?where.ts.gte=${iso(from)}&where.ts.lt=${iso(from + 5000)}&orderby.ts=asc&limit=100`,
          right: (list) => list.length === 50 && list.every((row, i) => inside(row) && (i === 0 || list[i - 1].ts <= row.ts))
        }
      }
    },
    'REST: the range of an address': {
      rate: 5,
      ask () {
        const address = 16777216 + below(3700000000)
        return {
          path: `/ranges?where.firstIp.lte=${address}&orderby.firstIp=desc&limit=1`,
          right: (list) => list.length === 1 && Number(list[0].firstIp) <= address
        }
      }
    },
    // Each has a value of its own, by which it is found, or found missing, afterwards.
    'REST: a new reading': {
      rate: 10,
      ask () {
        const n = written++
        return {
          path: '/readings',
          headers: { ...authorization, 'content-type': 'application/json' },
          body: JSON.stringify({ device: n % 1000, ts: iso(WRITTEN + 100 * n), value: n }),
          right: (row) => row.value === n,
          acknowledged: (row) => [n, row.id]
        }
      }
    },
    'page: how much there is': { rate: 2, ask: () => ({ path: '/demo/data', right: (data) => data.readings >= rows }) },
    'management: the view learned_indexes': {
      rate: 0.5,
      ask: () => ({ path: '/management/indexes', headers: authorization, right: (list) => list.length === 3 })
    },
    health: { rate: 2, ask: () => ({ path: '/status', right: ({ status }) => status === 'ok' }) },
    'a client that asks too often': {
      rate: 10,
      limited: true, // 429 is a right answer
      ask: () => ({ path: '/ranges/1', right: ({ country }) => country.length === 2 })
    },
    "the gateway's figures": { rate: 0.5, by: ['gateway'], ask: () => ({ port: ports.gatewayMetrics, path: '/metrics', text: true, right: (text) => /^http_/m.test(text) }) },
    "the exporter's figures": { rate: 0.5, by: ['exporter'], ask: () => ({ port: ports.exporter, path: '/metrics', text: true, right: (text) => /^pg_up /m.test(text) }) },
    'a question to Prometheus': { rate: 0.5, by: ['prometheus'], ask: () => ({ port: ports.prometheus, path: '/api/v1/query?query=up', right: ({ status }) => status === 'success' }) }
  }
}

// By pgbench: these names are those of the files beside this one.
const SQL_STREAMS = {
  pooled: { by: ['pgbouncer', 'postgres'], title: 'PgBouncer: counts, unnamed prepared statements' },
  twofold: { by: ['pgbouncer', 'postgres'], title: 'PgBouncer: counts beside a sequential scan' },
  direct: { by: ['postgres'], title: 'PostgreSQL: counts, named prepared statements' },
  cached: { by: ['pgpool', 'postgres'], title: 'pgpool: cached counts, and updates' }
}

module.exports = { httpStreams, SQL_STREAMS, VIA_GATEWAY }
