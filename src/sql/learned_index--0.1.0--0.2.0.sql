/* learned_index--0.1.0--0.2.0.sql */

-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION learned_index UPDATE TO '0.2.0'" to load this file. \quit

-- What version 0.2.0 brings is in the library: no object of SQL changes.
