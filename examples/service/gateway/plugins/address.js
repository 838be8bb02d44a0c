// Where it finds that it runs in a container, the gateway puts 0.0.0.0 in the place of the configured address, and the whole network is
// let in. Set right here: plugins are loaded after that, and before it listens.
'use strict'

const fp = require('fastify-plugin')

module.exports = fp(async function address (app) {
  app.platformatic.config.server.hostname = process.env.PLT_ADDRESS
})
