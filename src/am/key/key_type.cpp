#include "am/key/key_type.hpp"

#include "am/server/compat.hpp"
#include "core/base/key.hpp"

namespace learned {

bool key_kind_of_type(Oid type, KeyKind* kind) {
  if (compat::is_oid8(type)) {
    *kind = KeyKind::oid8;
    return true;
  }
  switch (type) {
    case INT2OID:
      *kind = KeyKind::int2;
      return true;
    case INT4OID:
      *kind = KeyKind::int4;
      return true;
    case INT8OID:
      *kind = KeyKind::int8;
      return true;
    case OIDOID:
      *kind = KeyKind::oid;
      return true;
    case FLOAT4OID:
      *kind = KeyKind::float4;
      return true;
    case FLOAT8OID:
      *kind = KeyKind::float8;
      return true;
    case DATEOID:
      *kind = KeyKind::date;
      return true;
    case TIMESTAMPOID:
      *kind = KeyKind::timestamp;
      return true;
    case TIMESTAMPTZOID:
      *kind = KeyKind::timestamptz;
      return true;
    case TIMEOID:
      *kind = KeyKind::time;
      return true;
    case BOOLOID:
      *kind = KeyKind::boolean;
      return true;
    case CHAROID:
      *kind = KeyKind::character;
      return true;
    case XID8OID:
      *kind = KeyKind::xid8;
      return true;
    case MONEYOID:
      *kind = KeyKind::money;
      return true;
    case PG_LSNOID:
      *kind = KeyKind::pg_lsn;
      return true;
    case MACADDROID:
      *kind = KeyKind::macaddr;
      return true;
    case MACADDR8OID:
      *kind = KeyKind::macaddr8;
      return true;
    case UUIDOID:
      *kind = KeyKind::uuid;
      return true;
    case TIMETZOID:
      *kind = KeyKind::timetz;
      return true;
    default:
      return false;
  }
}

namespace {

constexpr char kTypes[] =
    "Supported are boolean, \"char\", smallint, integer, bigint, oid, xid8, real, double precision, money, "
    "date, time, "
    "timetz, timestamp, timestamptz, pg_lsn, macaddr, macaddr8, uuid, oid8 in PostgreSQL 19, and domains "
    "over these";

}  // namespace

void refuse_key_type(Oid type) {
  ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                  errmsg("access method \"learned\" does not support keys of type %s", format_type_be(type)),
                  errhint("%s; index an expression of such a type, or use a btree index.", kTypes)));
  pg_unreachable();
}

void refuse_included_type(Oid type) {
  ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                  errmsg("access method \"learned\" does not support included columns of type %s",
                         format_type_be(type)),
                  errhint("%s; leave out the column, or use a btree index.", kTypes)));
  pg_unreachable();
}

void refuse_key_words(unsigned words) {
  ereport(ERROR,
          (errcode(ERRCODE_TOO_MANY_COLUMNS),
           errmsg("access method \"learned\" does not support keys of more than %u words", kMaxWords),
           errdetail("These columns, included ones among them, take %u: a uuid, timetz or type of another "
                     "extension takes two, any other type one.",
                     words),
           errhint("Leave out columns, or use a btree index.")));
  pg_unreachable();
}

KeyType key_type_of(Relation index) {
  KeyType type;
  // Only an operator class that the extension does not ship can lead to the error.
  if (!key_kind_of_type(index->rd_opcintype[0], &type.kind)) refuse_key_type(index->rd_opcintype[0]);
  return type;
}

}  // namespace learned
