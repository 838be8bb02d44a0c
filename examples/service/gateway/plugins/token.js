// Management, and whatever writes, need "Authorization: Bearer TOKEN". The route decides, not the text of the URL,
// which has many spellings.
'use strict'

const fp = require('fastify-plugin')
const bearer = require('@fastify/bearer-auth')

module.exports = fp(async function token (app) {
  await app.register(bearer, { keys: new Set([process.env.SERVICE_TOKEN]), addHook: false, verifyErrorLogLevel: 'warn' })
  app.addHook('onRequest', function (request, reply, done) {
    const reads = request.method === 'GET' || request.method === 'HEAD' || request.method === 'OPTIONS'
    if (reads && !request.routeOptions.url?.startsWith('/management/')) return done()
    app.verifyBearerAuth(request, reply, (error) => {
      if (error) reply.header('www-authenticate', 'Bearer')
      done(error)
    })
  })
})
