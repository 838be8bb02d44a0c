// So many requests of one client in so many seconds; then 429, and Retry-After says when to come back. A client is the
// address that it connects from: X-Forwarded-For, which anybody may write, is not asked.
'use strict'

const fp = require('fastify-plugin')
const rateLimit = require('@fastify/rate-limit')

module.exports = fp(async function limits (app) {
  await app.register(rateLimit, {
    global: false,
    max: Number(process.env.SERVICE_RATE_LIMIT),
    timeWindow: Number(process.env.SERVICE_RATE_SECONDS) * 1000,
    allowList: (request) => request.routeOptions.url === '/status' // health has to be seen most when there is too much
  })
  // A hook of ours rather than `global: true`, which would leave out the routes that are there already: those of the tables.
  app.addHook('onRequest', app.rateLimit())
})
