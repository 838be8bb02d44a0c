// Types that the index does not know, kept as values of one that it does.
//
// An operator class for such a type T brings support function 7 twice: (T, S) makes of a value one of type S, which has a key
// code, and (S, T) gets it back. The first must keep the order of T's default btree operator class, strictly. What is kept are
// the codes of S, in two words whatever S is: so a column of type T takes the way of a uuid (datum_to_codes(), codes_to_datum()),
// and nothing that columns of one word do knows of it.
//
// Each value that is mapped, to be stored or to be looked for, is mapped back, and must be the same bytes: two values never
// have one code. It is also compared with the one that was mapped before it, by T's own comparison function, which must say what
// the codes say. A build looks at more pairs (build/mapping_sample.hpp).
//
// The functions are called without locks on pages: they may fail, and take time.
#pragma once

#include "am/key/key_type.hpp"
#include "am/server/server.hpp"

namespace learned {

inline constexpr int16 kMappingFunction = 7;
// Words of a column of such a type.
inline constexpr unsigned kMappedWords = 2;

// What the catalogs say of a type.
struct MappedType {
  Oid family;
  Oid type;
  Oid stored;
  KeyKind kind;  // of the stored type
  Oid to;        // the functions
  Oid from;
};

// Whether an operator family of ours has both functions for a type, once.
bool find_mapping(Oid family, Oid type, MappedType* mapped);
// Words of a key column of a type, known or mapped by the family; 0: neither.
unsigned words_of_type(Oid family, Oid type);

// What is wrong with a support function 7 for these types; nullptr: nothing.
const char* mapping_fault(Oid function, Oid left, Oid right);
// Of the two, the one that is not known.
Oid mapped_type_of(Oid left, Oid right);

// Raises ERRCODE_FEATURE_NOT_SUPPORTED for a member of a family that mapping_fault() finds fault with.
[[noreturn]] void refuse_mapping(Oid family, Oid function, Oid left, Oid right);
// The same for a type for which there is no find_mapping().
[[noreturn]] void refuse_unmapped_type(Oid family, Oid type);

// Functions that are ready to be called. In a memory context of their own, which goes with its parent.
class KeyMapping {
 public:
  static KeyMapping* create(const MappedType& mapped, MemoryContext parent);

  Size width() const { return static_cast<Size>(length_); }
  Oid type() const { return mapped_.type; }

  // The codes of a value that is not NULL. Raises ERRCODE_INVALID_OBJECT_DEFINITION if the functions are seen to be wrong.
  CodePair to_codes(Datum value);
  // The value. See code_to_datum().
  Datum from_codes(CodePair codes, KeyStorage* storage);
  // The same, as the bytes of an attribute, width() of them.
  void store_attribute(CodePair codes, char* attribute);
  // A value with its codes.
  struct Mapped {
    CodePair codes;
    Datum value;       // if it is by value
    KeyStorage bytes;  // else
  };
  void keep(Mapped* mapped, Datum value, CodePair codes) const;
  // Raises ERRCODE_INVALID_OBJECT_DEFINITION unless two values are in the order of their codes.
  void check_order(const Mapped& a, const Mapped& b);
  // The same unless the codes are what is made of the value that is made of them.
  void check_codes(CodePair codes);

 private:
  explicit KeyMapping(const MappedType& mapped, MemoryContext context);
  Datum call(FmgrInfo* function, Datum value);
  Datum stored_of(CodePair codes, KeyStorage* storage) const;
  CodePair map(Datum value);
  Datum copy(Datum value, KeyStorage* storage) const;
  Datum value_of(const Mapped& mapped) const;
  [[noreturn]] void refuse(const char* detail);

  MappedType mapped_;
  MemoryContext scratch_;  // what the functions leave behind
  int16 length_;
  bool by_value_;
  FmgrInfo to_;
  FmgrInfo from_;
  FmgrInfo compare_;  // of the default btree operator class
  bool any_ = false;
  Mapped last_;  // if any_, of to_codes()
};
static_assert(std::is_trivially_destructible_v<KeyMapping>);

}  // namespace learned
