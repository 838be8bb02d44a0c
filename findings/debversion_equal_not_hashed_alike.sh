#!/usr/bin/env bash
# debversion: versions are compared as dpkg compares them, so that 1.0, 0:1.0, 1.0-0 and 1.00 are equal; but the hash function of the type takes
# their characters. Whatever plan hashes gets other answers than one that sorts or compares: DISTINCT and GROUP BY have several rows of
# one version, and a hash index finds those only that are spelled as what is looked for. One would guess that the types of Debian's own extension
# have a hash that agrees with their equality. (A btree index agrees.)
. "$(dirname "$0")/common.sh"
in_debian postgresql-18-debversion=1.2.0-3
server
given "CREATE EXTENSION debversion;
CREATE TABLE t (version debversion); INSERT INTO t VALUES ('1.0'), ('0:1.0'), ('1.0-0'), ('1.00'), ('2');
CREATE INDEX t_hash ON t USING hash (version); ANALYZE t"
seen "count(DISTINCT version), which sorts" "$(sql "SELECT count(DISTINCT version) FROM t")" 2
seen "rows of SELECT DISTINCT version, which hashes" "$(sql "SELECT count(*) FROM (SELECT DISTINCT version FROM t) d")" 5
seen "and if it may not" "$(sql "SET enable_hashagg = off; SELECT count(*) FROM (SELECT DISTINCT version FROM t) d")" 2
seen "rows with version = '1.0', read from the table" "$(sql "SELECT count(*) FROM t WHERE version = '1.0'")" 4
seen "and found by the hash index" "$(sql "SET enable_seqscan = off; SELECT count(*) FROM t WHERE version = '1.0'")" 1
given "DROP INDEX t_hash; CREATE INDEX t_btree ON t (version)"
seen "and by a btree index" "$(sql "SET enable_seqscan = off; SELECT count(*) FROM t WHERE version = '1.0'")" 4
