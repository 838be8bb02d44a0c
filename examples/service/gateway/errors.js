// What the database says, as a status of HTTP: what the person asked for is wrong (4xx), or what we have is (5xx). Messages of
// the second kind stay in the log.
'use strict'

const STATUS = {
  '42P01': [404], // no such table or index
  '3F000': [404], // no such schema
  42809: [422], // "..." is not a learned index
  42602: [400], // not a name
  42501: [403], // permission denied
  55000: [409], // not in the state for it: an index that is invalid
  57014: [503, 'the database took too long; ask for less'],
  '57P01': [503, 'the database is being restarted'],
  53300: [503, 'the database has too many clients']
}

module.exports = function answer (reply, error) {
  const code = String(error.code ?? '')
  let [status, message] = STATUS[code] ?? (/^22/.test(code) ? [400] : [])
  if (status === undefined) {
    const connection = /^(08|E[A-Z]+$)|^$/.test(code) || /timeout|terminated|closed/i.test(error.message)
    ;[status, message] = connection ? [503, 'the database cannot be reached'] : [500, 'the database reported an error']
  }
  if (status >= 500) {
    reply.log.error({ code, message: error.message }, 'database')
    if (status === 503) reply.header('retry-after', '5')
  }
  const hint = status < 500 ? error.hint : undefined
  return reply.code(status).send({ statusCode: status, code, message: message ?? error.message, ...(hint && { hint }) })
}
