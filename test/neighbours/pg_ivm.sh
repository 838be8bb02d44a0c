#!/usr/bin/env bash
# pg_ivm: an incrementally maintained view over a table with learned indexes, with a learned index of its own.
. "$(dirname "$0")/lib.sh"
neighbour postgresql-18-pg-ivm
server shared_preload_libraries=pg_ivm

given "CREATE EXTENSION pg_ivm;
CREATE TABLE t (id bigint NOT NULL, device int, v bigint);
INSERT INTO t SELECT i, i % 500, i FROM generate_series(1, 20000) i;
CREATE UNIQUE INDEX t_id ON t USING learned (id);
CREATE INDEX t_device ON t USING learned (device);
SELECT pgivm.create_immv('s', 'SELECT device, count(*) AS n, sum(v) AS total FROM t GROUP BY device');
SELECT pgivm.create_immv('j', 'SELECT t.id, t.v, o.v AS other FROM t JOIN t o ON o.id = t.id')"
is "the view's own index is a unique btree" "$(definitions public.s)" "CREATE UNIQUE INDEX s_index ON public.s USING btree (device)"
# A learned one takes its place.
given "DROP INDEX s_index; CREATE UNIQUE INDEX s_device ON s USING learned (device); CREATE INDEX j_id ON j USING learned (id)"
correct() {
  holds "$1: the sums" "SELECT count(*) = 0 FROM ((SELECT device, n, total FROM s EXCEPT ALL SELECT device, count(*), sum(v) FROM t GROUP BY device) UNION ALL
    (SELECT device, count(*), sum(v) FROM t GROUP BY device EXCEPT ALL SELECT device, n, total FROM s))"
  holds "$1: the join" "SELECT count(*) = 0 FROM ((SELECT id, v, other FROM j EXCEPT ALL SELECT id, v, v FROM t) UNION ALL
    (SELECT id, v, v FROM t EXCEPT ALL SELECT id, v, other FROM j))"
  agrees "$1: the rows of the table" t id
  agrees "$1: the rows of the view" s device
  agrees "$1: the rows of the join" j id
}
correct "as made"
given "INSERT INTO t SELECT i, i % 700, i FROM generate_series(20001, 22000) i"
correct "INSERT"
given "UPDATE t SET device = device + 1, v = -v WHERE id % 10 = 0"
correct "UPDATE"
given "DELETE FROM t WHERE device < 50"
correct "DELETE"
given "SELECT pgivm.refresh_immv('s', true)"
correct "refresh_immv"
uses "a plan reads the view's index" s_device "SELECT * FROM s WHERE device = 77"
finish
