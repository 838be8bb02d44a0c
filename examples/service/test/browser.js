// The page in a browser, as a person uses it. Lines "ok - ..." and "not ok - ..."; screenshots in a directory.
//
//   node browser.js URL BROWSER DIRECTORY
'use strict'

const puppeteer = require('puppeteer-core')
const [url, browserPath, directory] = process.argv.slice(2)

const ok = (good, name, found) => {
  console.log(`${good ? 'ok' : 'not ok'} - page: ${name}`)
  if (!good) console.log(`#   found: ${JSON.stringify(found)}`)
}

async function main () {
  const browser = await puppeteer.launch({ executablePath: browserPath, headless: 'shell', args: ['--no-sandbox', '--disable-gpu'] })
  const page = await browser.newPage()
  await page.setViewport({ width: 1200, height: 1000 })
  const complaints = []
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (message) => {
    // (The browser itself logs answers of 400, which are asked for below.)
    if (message.type() === 'error' && !/status of 4/.test(message.text())) complaints.push(message.text())
  })
  const settled = (state) => page.waitForSelector(`body[data-state=${state}]`, { timeout: 60000 })
  const text = (selector) => page.$eval(selector, (element) => element.textContent)
  const type = (selector, value) => page.$eval(selector, (element, value) => {
    element.value = value
    element.dispatchEvent(new Event('change', { bubbles: true }))
  }, value)
  const answers = () => page.$$eval('.card .answer', (tables) => tables.map((table) => table.textContent))
  const shot = (name) => page.screenshot({ path: `${directory}/${name}.png`, fullPage: true })

  await page.goto(url)
  await settled('answered')
  ok(/learned index is .* smaller/.test(await text('#verdict')), 'says how much smaller the index is', await text('#verdict'))
  ok(/Both answers are the same/.test(await text('#verdict')), 'both answers are the same', await text('#verdict'))
  ok(/LearnedAggregate/.test(await text('.learned .plan')), 'the plan of the learned index counts', await text('.learned .plan'))
  ok(/using readings_ts/.test(await text('.btree .plan')), 'the plan of the btree reads it', await text('.btree .plan'))
  ok(!(await page.$eval('#device-field', (element) => element.checkVisibility())), 'no device where none is asked for')
  await shot('readings')

  const before = await page.$eval('#from', (element) => element.value)
  await page.focus('#low')
  for (let i = 0; i < 40; i++) await page.keyboard.press('ArrowLeft')
  await settled('answered')
  const [first, second] = await answers()
  const after = await page.$eval('#from', (element) => element.value)
  ok(first === second && after < before, 'the slider is moved by keys, and the question asked anew', [before, after, first, second])

  await page.select('#question', 'device')
  await settled('answered')
  ok(await page.$eval('#device-field', (element) => element.checkVisibility()), 'a device can be chosen')
  await type('#device', '12')
  await settled('answered')
  ok(/device = '12'/.test(await text('#query')), 'and is asked for', await text('#query'))

  for (const question of ['groups', 'average', 'first']) {
    await page.select('#question', question)
    await settled('answered')
    const [mine, theirs] = await answers()
    ok(mine.length > 10 && mine === theirs, `question "${question}" has an answer`, [mine, theirs])
  }

  await type('#from', '2026-01-01T20:00:00Z')
  await type('#to', '2026-01-01T10:00:00Z')
  await settled('failed')
  ok(/the range is empty/.test(await text('#message')), 'an empty range is said to be one', await text('#message'))
  await shot('empty-range')
  await type('#to', 'tomorrow')
  await settled('failed')
  ok(/must match pattern/.test(await text('#message')), 'what is no time is refused', await text('#message'))

  await page.evaluate(() => document.querySelector('input[value=addresses]').click())
  await settled('answered')
  ok(!(await page.$eval('#message', (element) => element.checkVisibility())), 'the message goes with its reason')
  await page.select('#question', 'lookup')
  await type('#from', '8.8.8.8')
  await settled('answered')
  ok(/us/.test((await answers())[0]), 'the country of an address', await answers())
  await shot('addresses')
  await type('#from', '300.1.1.1')
  await settled('failed')
  ok(/300\.1\.1\.1/.test(await text('#message')), 'an address that is none is named', await text('#message'))

  await page.setViewport({ width: 420, height: 900 })
  await page.goto(url)
  await settled('answered')
  const width = await page.evaluate(() => document.documentElement.scrollWidth)
  ok(width <= 420, 'nothing is wider than a telephone', width)
  await shot('narrow')
  ok(complaints.length === 0, 'the browser has nothing to complain of', complaints)
  await browser.close()
}

main().catch((error) => {
  console.log(`not ok - page: ${error.stack}`)
  process.exit(1)
})
