// The memory of each part every five seconds, until it gets SIGTERM. The parts' processes work in the service's directory, and are told by what they execute.
//
//   DIRECTORY/memory.tsv   when (ms), part, resident kB and proportional kB, summed over its processes; DIRECTORY/pids: all that there were
//
//   node memory.js DIRECTORY SERVICE-DIRECTORY
'use strict'

const { appendFileSync, readdirSync, readFileSync, readlinkSync } = require('node:fs')
const { basename, join } = require('node:path')

const [directory, service] = process.argv.slice(2)
const PARTS = { postgres: 'postgres', pgbouncer: 'pgbouncer', pgpool: 'pgpool', node: 'gateway', 'prometheus-postgres-exporter': 'exporter', prometheus: 'prometheus' }
const known = new Set()

function look () {
  const sums = {}
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const place = readlinkSync(`/proc/${pid}/cwd`)
      if (place !== service && !place.startsWith(`${service}/`)) continue
      const program = basename(readlinkSync(`/proc/${pid}/exe`))
      const part = PARTS[program] ?? (/^python3/.test(program) && 'supervisord')
      if (!part) continue
      const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
      const kB = (name) => Number(text.match(new RegExp(`^${name}: +(\\d+)`, 'm'))[1])
      sums[part] ??= [0, 0]
      sums[part][0] += kB('Rss')
      sums[part][1] += kB('Pss')
      if (known.has(pid)) continue
      known.add(pid)
      appendFileSync(join(directory, 'pids'), `${pid}\n`)
    } catch {
      // It has ended meanwhile, or is somebody else's.
    }
  }
  const now = Date.now()
  appendFileSync(join(directory, 'memory.tsv'), Object.entries(sums).map(([part, [rss, pss]]) => `${now}\t${part}\t${rss}\t${pss}\n`).join(''))
}

look()
setInterval(look, 5000)
process.on('SIGTERM', () => process.exit(0))
