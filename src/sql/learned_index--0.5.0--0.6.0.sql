/* learned_index--0.5.0--0.6.0.sql */

-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION learned_index UPDATE TO '0.6.0'" to load this file. \quit
