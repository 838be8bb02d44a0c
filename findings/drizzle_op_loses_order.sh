#!/usr/bin/env bash
# drizzle-kit 0.31.11 (drizzle-orm 0.45.4)
#
# An index column with an operator class, .op(), loses what .desc(), .nullsFirst() and .nullsLast() say: the SQL that `drizzle-kit
# generate` (and push) writes has the operator class in place of the order, not before it. Seen:
#
#     CREATE INDEX "t_op" ON "t" USING btree ("a" int4_ops);
#     CREATE INDEX "t_order" ON "t" USING btree ("a" DESC NULLS LAST);
# shellcheck source=findings/programs.sh
. "$(dirname "${BASH_SOURCE[0]}")/programs.sh"
npm_packages drizzle-kit@0.31.11 drizzle-orm@0.45.4

cat >drizzle.config.js <<'END'
module.exports = { dialect: 'postgresql', schema: './schema.js', out: './out' };
END
cat >schema.js <<'END'
const { pgTable, integer, index } = require('drizzle-orm/pg-core');
exports.t = pgTable('t', { a: integer('a') }, (t) => [
  index('t_op').on(t.a.desc().nullsLast().op('int4_ops')),
  index('t_order').on(t.a.desc().nullsLast()),
]);
END
npx --no-install drizzle-kit generate >generate.log 2>&1 </dev/null || { cat generate.log; changed "generate fails"; }
grep -h "CREATE INDEX" out/*.sql | sed 's/--> .*//'
grep -qF '("a" DESC NULLS LAST)' out/*.sql || changed "the order is lost without .op() too"
grep -qF '("a" int4_ops)' out/*.sql || changed "the order is not lost with .op()"
