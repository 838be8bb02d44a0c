// What became of a load: tables in Markdown, and lines "ok - ..." and "not ok - ...".
//
//   node report.js DIRECTORY RATE-LIMIT RATE-SECONDS BACK-SECONDS
//
// DIRECTORY has http.tsv (client.js); sql.tsv, of the same kind; kills.tsv: what was killed, when (ms), after how many ms that part worked again,
// and after how many all did; memory.tsv: when (ms), part, resident kB, proportional kB.
'use strict'

const { readFileSync } = require('node:fs')
const { join } = require('node:path')
const { httpStreams, SQL_STREAMS, VIA_GATEWAY } = require('./streams')

const [directory, rateLimit, rateSeconds, backSeconds] = process.argv.slice(2)
// After all parts work again: who waited for a connection is told so up to a second later.
const AFTERMATH = 1000
// What a part may grow by in the last third, when all has been warm for long: a leak shows there.
const GROWTH = { share: 0.25, kB: 32768 }

const lines = (file) => readFileSync(join(directory, file), 'utf8').split('\n').filter(Boolean).map((line) => line.split('\t'))
const streams = httpStreams({ rows: 1e6, token: '', ports: {} })
for (const { title, by } of Object.values(SQL_STREAMS)) streams[title] = { by }

const requests = [...lines('http.tsv'), ...lines('sql.tsv')].map(([stream, sent, took, how]) => {
  const [start, ms] = [Number(sent), Number(took)]
  return { stream, start, ms, end: start + ms, how, good: how === 'ok' || how === 'limited' }
})
const kills = lines('kills.tsv').map(([name, part, at, back, all]) => ({ name, part, at: Number(at), back: Number(back), all: Number(all) }))
for (const kill of kills) kill.end = kill.at + kill.all + AFTERMATH

let failures = 0
const ok = (good, name, found = []) => {
  console.log(`${good ? 'ok' : 'not ok'} - ${name}`)
  if (good) return
  failures++
  for (const line of found.slice(0, 15)) console.log(`#   ${line}`)
}
const windowOf = (request) => kills.find((kill) => request.end >= kill.at && request.start <= kill.end)
const percentile = (sorted, p) => sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))] : NaN
const ms = (value) => Number.isNaN(value) ? '' : value < 10 ? value.toFixed(1) : value.toFixed(0)
const MB = (kB) => (kB / 1024).toFixed(kB < 102400 ? 1 : 0)
const table = (head, rows) => console.log([head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n') + '\n')
const tally = (list, key) => {
  const counts = new Map()
  for (const item of list) counts.set(key(item), (counts.get(key(item)) ?? 0) + 1)
  return [...counts].sort((a, b) => b[1] - a[1])
}

for (const request of requests) request.kill = windowOf(request)

// ---- what was asked, what came ------------------------------------------------------------------------

const row = (title, list) => {
  const times = (some) => some.map((request) => request.ms).sort((a, b) => a - b)
  const [calm, all] = [times(list.filter(({ kill, good }) => !kill && good)), times(list.filter(({ good }) => good))]
  const limited = list.filter(({ how }) => how === 'limited').length
  return [title, list.length, list.filter(({ good }) => good).length + (limited ? ` (${limited} with 429)` : ''), list.filter(({ good }) => !good).length,
    `${ms(percentile(calm, 0.5))} / ${ms(percentile(calm, 0.99))}`, `${ms(percentile(all, 0.5))} / ${ms(percentile(all, 0.99))}`, ms(all.at(-1) ?? NaN)]
}
const asked = Object.keys(streams).map((name) => [name, requests.filter(({ stream }) => stream === name)])
console.log()
table(['asked', 'requests', 'answered', 'errors', 'p50 / p99 ms, apart from kills', 'p50 / p99 ms, all', 'longest, ms'],
  [...asked.map(([name, list]) => row(name, list)), row('**all**', requests)])

// Those who come by the same way see the same.
const group = (stream) => (streams[stream].by ? stream.replace(/:.*/, '') : 'gateway')
table(['killed with SIGKILL', 'works again after', 'and all else after', 'what clients saw meanwhile'], kills.map((kill) => {
  const bad = requests.filter((request) => request.kill === kill && !request.good)
  const seen = tally(bad, ({ stream }) => group(stream)).map(([name]) =>
    `${name}: ${tally(bad.filter(({ stream }) => group(stream) === name), ({ how }) => how).map(([how, n]) => `${n} x ${how}`).join(', ')}`)
  const waited = Math.max(0, ...requests.filter((request) => request.kill === kill && request.good).map((request) => request.ms))
  return [kill.name, `${(kill.back / 1000).toFixed(1)} s`, `${(kill.all / 1000).toFixed(1)} s`,
    `${seen.join('; ') || 'no error'}; longest answer ${ms(waited)} ms`]
}))

for (const [name, list] of asked) ok(list.some(({ good }) => good), `answered: ${name}`)
const wrong = requests.filter(({ how }) => /wrong answer/.test(how))
ok(wrong.length === 0, 'no answer was wrong', wrong.map(({ stream, how }) => `${stream}: ${how}`))
// An error is one of a kill if it came while that lasted, to who asks by way of that part.
const unexplained = requests.filter(({ stream, good, kill }) => !good && !(kill && (streams[stream].by ?? VIA_GATEWAY).includes(kill.part)))
ok(unexplained.length === 0, 'errors came after a kill only, and only by way of what was killed',
  tally(unexplained, ({ stream, how, kill }) => `${stream}: ${how} ${kill ? `after the kill of ${kill.name}` : 'while nothing was killed'}`).map(([text, n]) => `${n} x ${text}`))
const slow = kills.filter(({ back, all }) => Math.max(back, all) > backSeconds * 1000)
ok(slow.length === 0, `all came back within ${backSeconds} s`, slow.map(({ name }) => name))

// Of the one client that asks more than it may, in as many windows as can have begun.
const often = requests.filter(({ stream }) => streams[stream].limited)
const span = (Math.max(...often.map(({ end }) => end)) - Math.min(...often.map(({ start }) => start))) / 1000
const windows = Math.ceil(span / Number(rateSeconds)) + 1 + kills.filter(({ part }) => part === 'gateway').length
const [served, refused] = ['ok', 'limited'].map((how) => often.filter((request) => request.how === how).length)
ok(served <= windows * Number(rateLimit) && refused > 0, `the limit held: ${served} requests of one client served, ${refused} refused`)

// ---- memory -------------------------------------------------------------------------------------------

const memory = lines('memory.tsv').map(([at, part, rss, pss]) => ({ at: Number(at), part, rss: Number(rss), pss: Number(pss) }))
const [first, last] = [Math.min(...requests.map(({ start }) => start)), Math.max(...requests.map(({ end }) => end))]
const parts = [...new Set(memory.map(({ part }) => part))]
const growing = []
table(['memory, MB: proportional (sum of resident)', 'start', 'middle', 'at two thirds', 'end', 'most'], parts.map((part) => {
  const mine = memory.filter((sample) => sample.part === part)
  const at = (share) => mine.reduce((best, sample) => Math.abs(sample.at - first - share * (last - first)) < Math.abs(best.at - first - share * (last - first)) ? sample : best)
  const [late, end] = [at(2 / 3), at(1)]
  if (end.pss > late.pss * (1 + GROWTH.share) + GROWTH.kB) growing.push(`${part}: ${MB(late.pss)} MB at two thirds, ${MB(end.pss)} at the end`)
  const text = ({ pss, rss }) => `${MB(pss)} (${MB(rss)})`
  return [part, text(at(0)), text(at(0.5)), text(late), text(end), MB(Math.max(...mine.map(({ pss }) => pss)))]
}))
ok(parts.length >= 7, 'the memory of all parts was seen', parts)
ok(growing.length === 0, `no part grew by more than ${100 * GROWTH.share} % and ${GROWTH.kB / 1024} MB in the last third`, growing)
process.exit(failures === 0 ? 0 : 1)
