// Writes schema.lock: what tables, columns and keys the gateway shows. Run once at start as the owner of the tables, because
// information_schema has primary keys for owners only: a gateway whose role may just SELECT would find no table to show.
//
//   node schema-lock.js 'postgres://USER@%2Fsocket%2Fdirectory:PORT/DATABASE'
'use strict'

const { writeFileSync } = require('node:fs')
const { connect } = require('@platformatic/sql-mapper')

const log = { trace () {}, debug () {}, info () {}, warn: console.error, error: console.error }

async function main () {
  const mapper = await connect({ connectionString: process.argv[2], log })
  writeFileSync('schema.lock', JSON.stringify(mapper.dbschema))
  await mapper.db.dispose()
}

main().catch((error) => {
  console.error(error.message)
  process.exit(1)
})
