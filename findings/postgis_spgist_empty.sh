#!/usr/bin/env bash
# PostGIS, empty geometries (ST_Intersection and others give them): with an SP-GiST index each of them is found by x && g, whatever g is, and with a GiST
# index none by x @ g, though POINT EMPTY @ g is true; read from the table it is the other way round. Functions like ST_Intersects look once more, so that they are right.
# SP-GiST's classes for three and more dimensions take no empty geometry at all: the INSERT, or CREATE INDEX, ends with an error of the server's about
# one of its functions. One would guess that an index on a column finds what the operator is true for, and takes what the column takes.
. "$(dirname "$0")/common.sh"
in_debian postgresql-18-postgis-3=3.6.4+dfsg-2
server
given "CREATE EXTENSION postgis;
CREATE TABLE t (x geometry);
INSERT INTO t SELECT CASE WHEN i % 4 = 0 THEN 'POINT EMPTY' ELSE format('POINT(%s %s)', i % 10, i % 7) END FROM generate_series(1, 1000) i"
rows() { # OPERATOR; in all, and of them empty
  sql "SET enable_seqscan = off; SELECT count(*), count(*) FILTER (WHERE ST_IsEmpty(x)) FROM t WHERE x $1 'POINT(100 100)'"
}
both() { echo "&& $(rows '&&'), @ $(rows '@')"; }
seen "rows, and empty ones, that point 100 100 meets or covers: read from the table" "$(both)" "&& 0|0, @ 250|250"
given "CREATE INDEX t_x ON t USING gist (x)"
seen "by a GiST index" "$(both)" "&& 0|0, @ 0|0"
given "DROP INDEX t_x; CREATE INDEX t_x ON t USING spgist (x)"
seen "by an SP-GiST index" "$(both)" "&& 250|250, @ 0|0"
given "DROP INDEX t_x; TRUNCATE t; CREATE INDEX t_x ON t USING spgist (x spgist_geometry_ops_nd); INSERT INTO t VALUES ('POINT Z(1 2 3)')"
seen "an empty geometry for an index of class spgist_geometry_ops_nd" "$(sql "INSERT INTO t VALUES ('POINT Z EMPTY')" | sed -E 's/function [0-9]+/function .../')" \
  "ERROR:  function ... returned NULL"
