// Lines of the form "ok - ..." and "not ok - ..." for the programs of the frameworks.
'use strict';

exports.check = (condition, text, shown) => {
  console.log((condition ? 'ok - ' : 'not ok - ') + text);
  if (!condition && shown !== undefined) console.log(String(shown).replace(/^/gm, '#     '));
};

// The plan as EXPLAIN's text. query(sql, values) runs a statement and gives its rows.
exports.plan = async (query, sql, values) =>
  (await query('EXPLAIN (COSTS OFF) ' + sql, values)).map((row) => row['QUERY PLAN']).join('\n');
