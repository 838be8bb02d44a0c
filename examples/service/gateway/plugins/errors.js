// One way to answer errors, on all routes: by itself the gateway says 500 whatever the database had to say, of a time that is none, too.
// What is wrong on our side is told to the log, and not to the client.
'use strict'

const fp = require('fastify-plugin')
const { statusOf } = require('../errors')

module.exports = fp(async function errors (app) {
  // A hook that changes the error, where one would expect setErrorHandler(): routes that are there already, those of the
  // tables, keep the handler that they had, but get the hook.
  app.addHook('onError', async (request, reply, error) => {
    const [status, message] = statusOf(error) ?? (error.statusCode ? [error.statusCode] : [500, 'this should not have happened'])
    error.statusCode = status
    if (status < 500) return
    request.log.error({ code: error.code, stack: error.stack, url: request.url }, error.message)
    if (message) error.message = message
    if (status === 503) error.headers = { ...error.headers, 'retry-after': '5' }
  })
})
