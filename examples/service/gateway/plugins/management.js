// Behind the token: the view learned_indexes, and learned_index_check(). By a role of its own, a member of pg_monitor.
'use strict'

const { Pool, types } = require('pg')

const TAG = { tags: ['management'], security: [{ token: [] }] }

module.exports = async function management (app) {
  // Sizes are numbers, not text, as far as JSON's numbers go.
  const parsers = { getTypeParser: (oid, format) => oid === types.builtins.INT8 ? Number : types.getTypeParser(oid, format) }
  const pool = new Pool({ connectionString: process.env.SERVICE_MANAGER, max: 2, connectionTimeoutMillis: 5000, types: parsers })
  // Without this a server that goes away would end the gateway.
  pool.on('error', (error) => app.log.warn({ message: error.message }, 'a connection was lost'))
  app.addHook('onClose', () => pool.end())

  app.get('/management/indexes', {
    schema: { ...TAG, summary: 'All learned indexes: size, what a btree would take, entries, advice' }
  }, async () => {
    const { rows } = await pool.query(
      'SELECT *, round(btree_size / nullif(size, 0)::numeric, 2)::float8 AS times_smaller FROM learned_indexes ORDER BY 1, 3')
    return rows
  })

  app.post('/management/check', {
    schema: {
      ...TAG,
      summary: 'Is this index sound? With heapallindexed: does it find every row?',
      body: {
        type: 'object',
        required: ['index'],
        additionalProperties: false,
        properties: { index: { type: 'string', minLength: 1, maxLength: 200 }, heapallindexed: { type: 'boolean', default: false } }
      }
    }
  }, async (request) => {
    const { index, heapallindexed } = request.body
    const started = performance.now()
    const result = (sound, more) => ({ index, heapallindexed, sound, milliseconds: Math.round(performance.now() - started), ...more })
    // What is no name of an index is the person's fault, whatever the server calls it: too many dots are a syntax error to it.
    const { rows: [{ oid }] } = await pool.query('SELECT $1::text::regclass::oid AS oid', [index]).catch((error) => {
      if (/^(42601|0A000)$/.test(error.code)) error.code = '42602'
      throw error
    })
    try {
      await pool.query('SELECT learned_index_check($1::oid, $2)', [oid, heapallindexed])
      return result(true)
    } catch (error) {
      // Damage is an answer to the question, and not a failure to answer it.
      if (error.code === 'XX002') return result(false, { message: error.message, hint: error.hint })
      throw error
    }
  })
}
