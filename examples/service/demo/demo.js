'use strict'

const byId = (id) => document.getElementById(id)
const STEPS = 1000
const ADDRESSES = 2 ** 32

const QUESTIONS = {
  readings: {
    count: 'How many readings, first and last one?',
    groups: 'How many in each hour? (the first five)',
    device: 'How many of one device?',
    average: 'What is their average? (reads the rows)',
    first: 'The first five, in order of time'
  },
  addresses: {
    count: 'How many ranges begin here, first and last one?',
    lookup: 'Which country does the first address belong to?',
    groups: 'Which countries have most ranges? (reads the rows)',
    first: 'The first five ranges, in order'
  }
}

// A place on the slider, 0 to STEPS, as what is asked for; and back.
let extent = { from: Date.parse('2026-01-01T00:00:00Z'), to: Date.parse('2026-01-02T00:00:00Z'), rows: 0 }
const SCALES = {
  readings: {
    value: (step) => new Date(Math.round((extent.from + (extent.to - extent.from) * step / STEPS) / 1000) * 1000).toISOString().replace('.000Z', 'Z'),
    step: (text) => (Date.parse(text) - extent.from) / (extent.to - extent.from) * STEPS,
    start: [350, 650]
  },
  addresses: {
    value: (step) => dotted(Math.min(ADDRESSES - 1, Math.round(step / STEPS * 256) * 2 ** 24)),
    step: (text) => text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0) / ADDRESSES * STEPS,
    start: [250, 500]
  }
}

function dotted (number) {
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.')
}

const dataset = () => document.querySelector('input[name=dataset]:checked').value

function showRange () {
  const low = Number(byId('low').value)
  const high = Number(byId('high').value)
  byId('chosen').style.left = `${low / STEPS * 100}%`
  byId('chosen').style.width = `${Math.max(0, high - low) / STEPS * 100}%`
  // Where both are at the right end, the one that can still move is above the other.
  byId('low').style.zIndex = low > STEPS / 2 ? 2 : 1
}

function textFromSlider () {
  const scale = SCALES[dataset()]
  byId('from').value = scale.value(Number(byId('low').value))
  byId('to').value = scale.value(Number(byId('high').value))
  showRange()
}

function sliderFromText () {
  const scale = SCALES[dataset()]
  for (const [slider, text] of [['low', 'from'], ['high', 'to']]) {
    const step = scale.step(byId(text).value.trim())
    if (Number.isFinite(step)) byId(slider).value = step
  }
  showRange()
}

function chooseDataset () {
  const name = dataset()
  const select = byId('question')
  select.replaceChildren(...Object.entries(QUESTIONS[name]).map(([value, text]) => new Option(text, value)))
  ;[byId('low').value, byId('high').value] = SCALES[name].start
  byId('extent').textContent = name === 'readings' ? `${number(extent.rows)} readings of 1,000 devices` : `${number(extent.ranges)} ranges of addresses`
  textFromSlider()
}

const number = (value) => Number(value).toLocaleString('en')
const times = (factor) => `${factor >= 100 ? Math.round(factor) : factor.toFixed(1)}×`
const bytes = (size) => size >= 2 ** 20 ? `${(size / 2 ** 20).toFixed(1)} MB` : `${Math.round(size / 1024)} kB`
const milliseconds = (ms) => ms >= 10 ? `${ms.toFixed(0)} ms` : `${ms.toFixed(2)} ms`

function text (value, column) {
  if (value === null) return '–'
  if (/_ip$/.test(column) || (dataset() === 'addresses' && /^(first|last)$/.test(column))) return dotted(value)
  if (typeof value === 'number') return Number.isInteger(value) ? number(value) : value.toLocaleString('en', { maximumFractionDigits: 6 })
  return String(value).replace('T', ' ').replace('+00:00', '')
}

function cell (kind, content) {
  const element = document.createElement(kind)
  element.textContent = content
  return element
}

function showAnswer (table, rows) {
  table.replaceChildren()
  if (rows.length === 0) {
    table.append(cell('td', 'no rows'))
    return
  }
  const columns = Object.keys(rows[0])
  const head = table.createTHead().insertRow()
  for (const column of columns) head.append(cell('th', column.replace('_', ' ')))
  for (const row of rows) {
    const line = table.insertRow()
    for (const column of columns) line.append(cell('td', text(row[column], column)))
  }
}

function showPlan (pre, lines, index) {
  pre.replaceChildren()
  for (const line of lines) {
    const element = cell('span', line + '\n')
    if (/LearnedAggregate|LearnedOffset|LearnedGroups/.test(line) || line.includes(index)) element.className = 'hit'
    pre.append(element)
  }
}

function showResult (card, result, most, rounds) {
  card.replaceChildren(byId('card').content.cloneNode(true))
  const part = (selector) => card.querySelector(selector)
  part('h2').textContent = result.method
  part('.time-label').textContent = rounds > 1 ? `time, median of ${rounds}` : 'time'
  part('.time').textContent = milliseconds(result.milliseconds)
  part('.size').textContent = bytes(result.index.bytes)
  part('.time-bar').style.width = `${result.milliseconds / most.milliseconds * 100}%`
  part('.size-bar').style.width = `${result.index.bytes / most.bytes * 100}%`
  showAnswer(part('.answer'), result.answer)
  showPlan(part('.plan'), result.plan, result.index.name)
  part('.definition').textContent = result.index.definition
}

function compared (mine, theirs, better, worse) {
  const factor = theirs / mine
  if (factor > 0.95 && factor < 1.05) return 'the same'
  return factor > 1 ? `${times(factor)} ${better}` : `${times(1 / factor)} ${worse}`
}

function show (comparison) {
  const [learned, btree] = comparison.results
  const most = {
    milliseconds: Math.max(learned.milliseconds, btree.milliseconds),
    bytes: Math.max(learned.index.bytes, btree.index.bytes)
  }
  for (const result of comparison.results) showResult(document.querySelector(`[data-method=${result.method}]`), result, most, comparison.rounds)
  const verdict = byId('verdict')
  verdict.replaceChildren('The learned index is ', cell('b', compared(learned.index.bytes, btree.index.bytes, 'smaller', 'larger')),
    ' and its answer ', cell('b', compared(learned.milliseconds, btree.milliseconds, 'faster', 'slower')), '. ')
  const agree = cell('span', comparison.agree ? 'Both answers are the same ✓' : 'The answers differ!')
  agree.className = comparison.agree ? 'same' : 'wrong'
  verdict.append(agree)
  byId('query').textContent = comparison.query
  byId('results').hidden = false
}

function complain (message) {
  byId('message').textContent = message
  byId('message').hidden = !message
}

async function fetchJson (url, signal) {
  let response
  try {
    response = await fetch(url, { signal })
  } catch (error) {
    if (error.name === 'AbortError') throw error
    throw new Error('The service cannot be reached.')
  }
  const body = await response.json().catch(() => ({}))
  if (response.ok) return body
  if (response.status === 429) throw new Error(`Too many questions: try again in ${response.headers.get('retry-after')} seconds.`)
  throw new Error(body.message ?? `The service answered with status ${response.status}.`)
}

// Only the last question counts: one that is still on its way is given up.
let pending
async function ask () {
  pending?.abort()
  const mine = pending = new AbortController()
  const parameters = { question: byId('question').value, from: byId('from').value.trim(), to: byId('to').value.trim() }
  if (dataset() === 'readings') {
    byId('device-field').hidden = parameters.question !== 'device'
    if (parameters.question === 'device') parameters.device = byId('device').value
  } else {
    byId('device-field').hidden = true
  }
  byId('to-field').style.visibility = parameters.question === 'lookup' ? 'hidden' : 'visible'
  byId('results').classList.add('busy')
  try {
    const comparison = await fetchJson(`compare/${dataset()}?${new URLSearchParams(parameters)}`, mine.signal)
    complain('')
    show(comparison)
    document.body.dataset.state = 'answered'
  } catch (error) {
    if (error.name === 'AbortError') return
    complain(error.message)
    byId('results').hidden = true
    document.body.dataset.state = 'failed'
  }
  if (mine === pending) byId('results').classList.remove('busy')
}

let timer
function askSoon (delay) {
  document.body.dataset.state = 'waiting'
  clearTimeout(timer)
  timer = setTimeout(ask, delay)
}

async function begin () {
  try {
    const data = await fetchJson('data')
    extent = { from: Date.parse(data.from), to: Date.parse(data.to), rows: data.readings, ranges: data.ranges }
  } catch (error) {
    complain(error.message)
  }
  for (const input of document.querySelectorAll('input[name=dataset]')) input.addEventListener('change', () => { chooseDataset(); askSoon(0) })
  for (const id of ['question', 'device']) byId(id).addEventListener('change', () => askSoon(0))
  byId('low').addEventListener('input', () => {
    byId('low').value = Math.min(Number(byId('low').value), Number(byId('high').value))
    textFromSlider()
    askSoon(250)
  })
  byId('high').addEventListener('input', () => {
    byId('high').value = Math.max(Number(byId('low').value), Number(byId('high').value))
    textFromSlider()
    askSoon(250)
  })
  for (const id of ['from', 'to']) byId(id).addEventListener('change', () => { sliderFromText(); askSoon(0) })
  byId('form').addEventListener('submit', (event) => { event.preventDefault(); askSoon(0) })
  chooseDataset()
  askSoon(0)
}

begin()
