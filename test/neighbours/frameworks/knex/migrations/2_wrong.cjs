'use strict';
// indexType is for other databases: without a word it makes a btree here.
exports.up = (knex) => knex.schema.alterTable('reading', (table) => {
  table.index(['id'], 'reading_wrong', { indexType: 'learned' });
});
exports.down = (knex) => knex.schema.alterTable('reading', (table) => { table.dropIndex([], 'reading_wrong'); });
