// Asks the service by HTTP what streams.js says, until it gets SIGTERM. Each request is sent at its time, however long the others take (so
// that a stall is seen by all whom it would have met), is sent once, and leaves one line, whatever becomes of it:
//
//   DIRECTORY/http.tsv   stream, when it was sent (ms), after how many ms it ended, and how: "ok", "limited", a status or an error
//   DIRECTORY/acknowledged.tsv   for what was written and acknowledged, its number and its id; DIRECTORY/sent how many were sent
//
//   SERVICE_TOKEN=... node client.js DIRECTORY ROWS ADDRESS GATEWAY-PORT GATEWAY-METRICS-PORT EXPORTER-PORT PROMETHEUS-PORT PERCENT
'use strict'

const { createWriteStream, writeFileSync } = require('node:fs')
const { Agent, request } = require('node:http')
const { join } = require('node:path')
const { httpStreams } = require('./streams')

const [directory, rows, address, gateway, gatewayMetrics, exporter, prometheus, percent] = process.argv.slice(2)
const streams = httpStreams({ rows: Number(rows), token: process.env.SERVICE_TOKEN, ports: { gatewayMetrics, exporter, prometheus } })
const PATIENCE = 15000
const results = createWriteStream(join(directory, 'http.tsv'))
const acknowledged = createWriteStream(join(directory, 'acknowledged.tsv'))
let pending = 0
let sent = 0

// The limit is for each client, and a client is an address: there are twenty, and one for who asks too often.
const agents = Array.from({ length: 21 }, (_, i) => new Agent({ keepAlive: true, maxSockets: 8, localAddress: `127.0.1.${i + 1}` }))
let turn = 0

function verdict (stream, question, status, text) {
  if (status === 429 && stream.limited) return 'limited'
  if (status !== 200) return String(status)
  try {
    const answer = question.text ? text : JSON.parse(text)
    if (!question.right(answer)) return 'wrong answer'
    if (question.acknowledged) acknowledged.write(question.acknowledged(answer).join('\t') + '\n')
    return 'ok'
  } catch (error) {
    return `wrong answer (${error.name})`
  }
}

function send (name, stream) {
  const question = stream.ask()
  const agent = agents[stream.limited ? 20 : turn++ % 20]
  const began = performance.now()
  let outcome
  const end = (how) => {
    if (outcome) return
    outcome = how
    clearTimeout(timer)
    pending--
    results.write(`${name}\t${(performance.timeOrigin + began).toFixed(1)}\t${(performance.now() - began).toFixed(2)}\t${how}\n`)
  }
  pending++
  if (question.acknowledged) sent++
  const options = { agent, host: address, port: question.port ?? gateway, path: question.path, headers: question.headers, method: question.body ? 'POST' : 'GET' }
  const asked = request(options, (response) => {
    let text = ''
    response.setEncoding('utf8')
    response.on('data', (part) => { text += part })
    response.on('end', () => end(verdict(stream, question, response.statusCode, text)))
    response.on('error', (error) => end(error.code ?? error.message))
  })
  asked.on('error', (error) => end(error.code ?? error.message))
  const timer = setTimeout(() => {
    end(`no answer in ${PATIENCE / 1000} s`)
    asked.destroy()
  }, PATIENCE)
  asked.end(question.body)
}

const began = performance.now()
for (const stream of Object.values(streams)) stream.sent = 0
const clock = setInterval(() => {
  const seconds = (performance.now() - began) / 1000
  for (const [name, stream] of Object.entries(streams)) {
    for (; stream.sent < seconds * stream.rate * percent / 100; stream.sent++) send(name, stream)
  }
}, 5)

process.on('SIGTERM', () => {
  clearInterval(clock)
  const wait = setInterval(() => {
    if (pending > 0) return
    clearInterval(wait)
    writeFileSync(join(directory, 'sent'), `${sent}\n`)
    for (const agent of agents) agent.destroy()
    results.end()
    acknowledged.end()
  }, 50)
})
