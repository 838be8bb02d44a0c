// The type of an index's keys: between Datums, codes and the bytes of a tuple.
#pragma once

#include "am/server/server.hpp"
#include "core/code/key_code.hpp"

namespace learned {

class KeyMapping;

// A plain value, computed once per statement or scan and passed by value.
struct KeyType {
  KeyKind kind;
  // Of a type that the index does not know, kept as codes of this kind in two words (key_mapping.hpp); else nullptr.
  KeyMapping* mapping = nullptr;

  // Of a kind's own type.
  int width() const { return key_width(kind); }
  // Whether values are 64-bit integers with a sign, as those of the types for time are.
  bool is_int8() const {
    switch (kind) {
      case KeyKind::int8:
      case KeyKind::timestamp:
      case KeyKind::timestamptz:
      case KeyKind::time:
      case KeyKind::money:
        return true;
      default:
        return false;
    }
  }
};
static_assert(std::is_trivially_copyable_v<KeyType>);

// The key type of an index's column. Raises ERRCODE_FEATURE_NOT_SUPPORTED for an operator class on a type
// that has no key code. Costs a load and a switch.
KeyType key_type_of(Relation index);

// The kind of a type, or false when the type has no key code.
bool key_kind_of_type(Oid type, KeyKind* kind);

// Raises ERRCODE_FEATURE_NOT_SUPPORTED, with a hint that names what has one.
[[noreturn]] void refuse_key_type(Oid type);
// The same of a column that is included.
[[noreturn]] void refuse_included_type(Oid type);

// The server's timetz: eight bytes of time, four of the zone.
inline constexpr Size kTimeTzBytes = 12;
static_assert(offsetof(TimeTzADT, time) == 0 && offsetof(TimeTzADT, zone) == 8);

// Raises ERRCODE_TOO_MANY_COLUMNS: an index's columns would make keys of so many words, more than kMaxWords.
[[noreturn]] void refuse_key_words(unsigned words);

// Room for a value that its Datum points to.
struct KeyStorage {
  alignas(8) unsigned char bytes[kMaxKeyWidth];
};

// Of a type with a mapping. (By value, so that the codes of other types need not be in memory for these.)
CodePair mapped_to_codes(KeyMapping* mapping, Datum value);
Datum mapped_from_codes(KeyMapping* mapping, CodePair codes, KeyStorage* storage);

// The two codes of a value of a kind that needs two (key_words()), or of a type with a mapping.
inline void datum_to_codes(KeyType type, Datum value, Code codes[2]) {
  if (type.mapping != nullptr) [[unlikely]] {
    const CodePair mapped = mapped_to_codes(type.mapping, value);
    codes[0] = mapped.first;
    codes[1] = mapped.second;
    return;
  }
  if (type.kind == KeyKind::uuid) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(DatumGetPointer(value));
    codes[0] = code_from_bytes(bytes, 8);
    codes[1] = code_from_bytes(bytes + 8, 8);
    return;
  }
  const TimeTzADT* time = DatumGetTimeTzADTP(value);
  codes[0] = code_from_int(time->time + int64{time->zone} * USECS_PER_SEC);
  codes[1] = code_from_int(time->zone);
}

// The value of two codes. See code_to_datum().
inline Datum codes_to_datum(KeyType type, const Code codes[2], KeyStorage* storage) {
  if (type.mapping != nullptr) [[unlikely]]
    return mapped_from_codes(type.mapping, {codes[0], codes[1]}, storage);
  if (type.kind == KeyKind::uuid) {
    bytes_from_code(codes[0], 8, storage->bytes);
    bytes_from_code(codes[1], 8, storage->bytes + 8);
    return PointerGetDatum(storage->bytes);
  }
  TimeTzADT time;
  std::memset(&time, 0, sizeof time);
  time.zone = static_cast<int32>(int_from_code(codes[1]));
  // (Modulo 2^64, as a damaged page may say anything.)
  time.time = static_cast<TimeADT>(static_cast<uint64>(int_from_code(codes[0])) -
                                   static_cast<uint64>(int64{time.zone} * USECS_PER_SEC));
  std::memcpy(storage->bytes, &time, kTimeTzBytes);
  return PointerGetDatum(storage->bytes);
}

// The code of a non-null key of one code.
inline Code datum_to_code(KeyType type, Datum value) {
  switch (type.kind) {
    case KeyKind::int2:
      return code_from_int(DatumGetInt16(value));
    case KeyKind::int4:
    case KeyKind::date:
      return code_from_int(DatumGetInt32(value));
    case KeyKind::oid:
      return code_from_oid(DatumGetObjectId(value));
    case KeyKind::oid8:
    case KeyKind::xid8:
    case KeyKind::pg_lsn:
      return DatumGetUInt64(value);
    case KeyKind::boolean:
      return DatumGetBool(value) ? 1 : 0;
    case KeyKind::character:
      return code_from_char(DatumGetChar(value));
    case KeyKind::macaddr:
      return code_from_bytes(reinterpret_cast<const unsigned char*>(DatumGetPointer(value)), 6);
    case KeyKind::macaddr8:
      return code_from_bytes(reinterpret_cast<const unsigned char*>(DatumGetPointer(value)), 8);
    case KeyKind::float4:
      return code_from_float4_bits(DatumGetUInt32(value));
    case KeyKind::float8:
      return code_from_float8_bits(DatumGetUInt64(value));
    default:
      return code_from_int(DatumGetInt64(value));
  }
}

// The key of a code, bit for bit as it was stored. A code outside the type's domain (a damaged page) gives
// some value of the type. The Datum of a by-reference type points to `storage`.
inline Datum code_to_datum(KeyType type, Code code, KeyStorage* storage) {
  switch (type.kind) {
    case KeyKind::int2:
      return Int16GetDatum(static_cast<int16>(int_from_code(code)));
    case KeyKind::int4:
    case KeyKind::date:
      return Int32GetDatum(static_cast<int32>(int_from_code(code)));
    case KeyKind::oid:
      // As fetch_att does for any four-byte attribute, so that Datums of one value are the same bits.
      return Int32GetDatum(static_cast<int32>(oid_from_code(code)));
    case KeyKind::oid8:
    case KeyKind::xid8:
    case KeyKind::pg_lsn:
      return UInt64GetDatum(code);
    case KeyKind::boolean:
      return BoolGetDatum(code != 0);
    case KeyKind::character:
      return CharGetDatum(char_from_code(code));
    case KeyKind::macaddr:
    case KeyKind::macaddr8:
      bytes_from_code(code, type.width(), storage->bytes);
      return PointerGetDatum(storage->bytes);
    case KeyKind::float4:
      return Int32GetDatum(static_cast<int32>(float4_bits_from_code(code)));
    case KeyKind::float8:
      return UInt64GetDatum(float8_bits_from_code(code));
    default:
      return Int64GetDatum(int_from_code(code));
  }
}

// Writes the attribute's bytes, type.width() of them, where an index tuple holds it, aligned as its type wants.
inline void store_code(KeyType type, Code code, char* dest) {
  KeyStorage storage;
  const Datum key = code_to_datum(type, code, &storage);
  // On every platform the server runs on, a by-value attribute is the value's own bytes in native order.
  switch (type.width()) {
    case 1:
      *dest = static_cast<char>(key);
      break;
    case 2: {
      const auto value = static_cast<uint16>(key);
      std::memcpy(dest, &value, sizeof value);
      break;
    }
    case 4: {
      const auto value = static_cast<uint32>(key);
      std::memcpy(dest, &value, sizeof value);
      break;
    }
    case 6:
      std::memcpy(dest, storage.bytes, 6);
      break;
    default:
      if (type.kind == KeyKind::macaddr8) {
        std::memcpy(dest, storage.bytes, 8);
      } else {
        const auto value = static_cast<uint64>(key);
        std::memcpy(dest, &value, sizeof value);
      }
      break;
  }
}

}  // namespace learned
