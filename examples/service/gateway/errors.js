// What the database says, as a status of HTTP: what the person asked for is wrong (4xx), or what we have is (5xx).
'use strict'

const STATUS = {
  '42P01': [404], // no such table or index
  '3F000': [404], // no such schema
  42809: [422], // "..." is not a learned index
  42602: [400], // not a name
  '428C9': [400], // a value for a column that the database fills in
  42501: [403], // permission denied
  55000: [409], // not in the state for it: an index that is invalid
  57014: [503, 'the database took too long; ask for less'],
  '57P01': [503, 'the database is being restarted'],
  53300: [503, 'the database has too many clients'],
  'CONNECTION_POOL:QUEUE_TIMEOUT': [503, 'the database is busy'], // the gateway's own pool: all of its connections are in use
  'CONNECTION_POOL:OPEN_TIMEOUT': [503, 'the database cannot be reached']
}

// [status, message] for an error of the database or on the way to it; nothing for any other.
function statusOf (error) {
  const code = String(error.code ?? '')
  if (STATUS[code]) return STATUS[code]
  if (/^22/.test(code)) return [400] // a value that is none of its type
  if (/^23/.test(code)) return [409] // against a constraint
  if (/^PLT_SQL_MAPPER/.test(code)) return [400]
  if (/^(08...|E[A-Z]+)$/.test(code) || (!code && /timeout|terminated|server_login_retry|query_wait/i.test(error.message))) {
    return [503, 'the database cannot be reached']
  }
  if (/^[0-9A-Z]{5}$/.test(code)) return [500, 'the database reported an error']
}

module.exports = { statusOf }
