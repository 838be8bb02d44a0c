'use strict';
exports.up = async (knex) => {
  await knex.schema.createTable('reading', (table) => {
    table.bigInteger('id').primary();
    table.integer('device');
    table.timestamp('taken_at');
    table.timestamp('ended_at');
    table.decimal('meter', 18, 0);
    table.boolean('archived');
    table.index(['taken_at'], 'reading_taken_at', 'learned');
    table.index([knex.raw('(meter::bigint)')], 'reading_meter', 'learned');
    // whereRaw: with where('archived', false) the server gets a parameter that nobody gives it.
    table.index(['device'], 'reading_device', {
      storageEngineIndexType: 'learned', predicate: knex.whereRaw('not archived'),
    });
  });
  await knex.raw('CREATE INDEX reading_ended_at ON reading USING learned (ended_at DESC NULLS LAST) WITH (fillfactor = 100)');
};
exports.down = (knex) => knex.schema.dropTable('reading');
