const { sql } = require('drizzle-orm');
const { pgTable, bigint, integer, timestamp, numeric, boolean, index } = require('drizzle-orm/pg-core');

// What a second run changes.
const CHANGED = process.env.CHANGED;

exports.reading = pgTable('reading', {
  id: bigint('id', { mode: 'number' }).primaryKey(),
  device: integer('device'),
  takenAt: timestamp('taken_at', { withTimezone: true }),
  endedAt: timestamp('ended_at', { withTimezone: true }),
  meter: numeric('meter', { precision: 18, scale: 0 }),
  archived: boolean('archived'),
}, (table) => [
  index('reading_taken_at').using(CHANGED === 'method' ? 'btree' : 'learned', table.takenAt).with({ fillfactor: CHANGED === 'number' ? 100 : '100' }),
  index('reading_ended_at').using('learned', CHANGED === 'op' ? table.endedAt.desc().nullsLast().op('timestamptz_ops') : table.endedAt.desc().nullsLast()),
  index('reading_meter').using('learned', sql`(${table.meter}::bigint)`),
  index('reading_device').using('learned', table.device).where(CHANGED === 'where' ? sql`archived` : sql`not archived`),
]);
