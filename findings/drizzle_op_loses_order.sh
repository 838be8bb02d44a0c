#!/usr/bin/env bash
# drizzle-kit 0.31.11 (drizzle-orm 0.45.4)
#
# An index column with an operator class, .op(), loses what .desc(), .nullsFirst() and .nullsLast() say: the SQL that `drizzle-kit
# generate` (and push) writes has the operator class in place of the order, not before it. Seen:
#
#     CREATE INDEX "t_op" ON "t" USING btree ("a" int4_ops);
#     CREATE INDEX "t_order" ON "t" USING btree ("a" DESC NULLS LAST);
set -u

cannot() {
  echo "cannot run: $*"
  exit 77
}
changed() {
  echo "changed: $*"
  exit 1
}
for tool in node npm; do command -v "$tool" >/dev/null || cannot "no $tool"; done
work=$(mktemp -d)
trap 'cd /; rm -rf "$work"' EXIT
cd "$work" || exit 1
npm install --no-audit --no-fund --ignore-scripts --before=2026-11-28 \
  drizzle-kit@0.31.11 drizzle-orm@0.45.4 >npm.log 2>&1 || cannot "npm install failed"

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
