// The page, and what it asks: the same question by learned indexes and by btrees, side by side.
'use strict'

const { join } = require('node:path')

const TIME = '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d(:\\d\\d(\\.\\d{1,6})?)?(Z|[+-]\\d\\d:\\d\\d)?$'
const ADDRESS = '^\\d{1,3}(\\.\\d{1,3}){3}$'

module.exports = async function demo (app) {
  await app.register(require('@fastify/static'), {
    root: join(__dirname, '..', 'demo'),
    prefix: '/demo/',
    redirect: true,
    setHeaders: (reply) => reply.setHeader('Content-Security-Policy', "default-src 'self'")
  })

  // What there is to choose from. (Counted by the learned indexes: this costs less than a millisecond.)
  app.get('/demo/data', { schema: { tags: ['demo'], summary: 'How much there is, and from when to when' } }, async () => {
    const { db, sql } = app.platformatic
    const [row] = await db.query(sql`
      SELECT r.*, (SELECT count(first_ip) FROM ranges)::int AS ranges
      FROM (SELECT count(ts)::int AS readings, min(ts) AS from, max(ts) AS to FROM readings) r`)
    return row
  })

  const route = (path, dataset, questions, pattern, more) => app.get(path, {
    schema: {
      tags: ['demo'],
      summary: `A question about ${dataset}: answer, time, plan and size of the index with both methods`,
      querystring: {
        type: 'object',
        required: ['question', 'from', 'to'],
        additionalProperties: false,
        properties: {
          question: { enum: questions },
          from: { type: 'string', pattern },
          to: { type: 'string', pattern },
          ...more
        }
      }
    }
  }, async (request) => {
    const { db, sql } = app.platformatic
    const { question, from, to, device } = request.query
    const [row] = await db.query(sql`SELECT compare(${dataset}, ${question}, ${from}, ${to}, ${device ?? 0}::int) AS result`)
    return row.result
  })
  route('/demo/compare/readings', 'readings', ['count', 'first', 'groups', 'average', 'device'], TIME,
    { device: { type: 'integer', minimum: 0, maximum: 999 } })
  route('/demo/compare/addresses', 'addresses', ['count', 'first', 'groups', 'lookup'], ADDRESS, {})
}
