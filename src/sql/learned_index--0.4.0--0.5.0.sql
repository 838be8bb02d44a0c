/* learned_index--0.4.0--0.5.0.sql */

-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION learned_index UPDATE TO '0.5.0'" to load this file. \quit

-- Nothing: counting is all the library's.
