// What is asked for is what is answered: the gateway by itself leaves out what it does not know, so that a condition with a slip in it is none, and makes
// a number of whatever is not one: of null, 0.
'use strict'

const fp = require('fastify-plugin')

// What is wrong with a value of JSON for a property of a schema; nothing if it fits. (A value of several types has none here.)
function misfit (value, { type }) {
  if (type === 'integer' ? Number.isInteger(value) : type === 'number' ? Number.isFinite(value) : typeof type !== 'string' || typeof value === type) return
  return `must be ${type}`
}

// strange names in an object, and misfits where types count
function fault (place, given, schema, types) {
  for (const [name, value] of Object.entries(given)) {
    const property = schema.properties[name]
    if (!property) return `${place} has no property ${JSON.stringify(name)}`
    const wrong = types && misfit(value, property)
    if (wrong) return `${place}/${name} ${wrong}`
  }
}

const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value)

module.exports = fp(async function strict (app) {
  app.addHook('preValidation', async (request) => {
    const schema = request.routeOptions.schema ?? {}
    const querystring = schema.querystring
    // (Those of the tables are by reference: "ReadingInput#".)
    const body = schema.body?.$ref ? request.server.getSchema(schema.body.$ref.replace(/#$/, '')) : schema.body
    const message =
      (querystring?.properties && fault('querystring', request.query, querystring, false)) ||
      (body?.properties && isObject(request.body) && fault('body', request.body, body, true))
    if (message) throw Object.assign(new Error(message), { statusCode: 400 })
  })
})
