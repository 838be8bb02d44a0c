// Whether the functions of a type that is not known keep its order: looked at for some of a table's values, while it is scanned.
#pragma once

#include "am/key/key_columns.hpp"
#include "am/server/server.hpp"

namespace learned {

// Values of one column, spread over the table: the first ones, then every second, every fourth one and so on.
class MappingSample {
 public:
  // REQUIRES: the column's type is mapped. Lasts as long as the memory context.
  static MappingSample* create(const KeyColumn& column);

  void look_at(Datum value) {
    if (seen_++ % stride_ == 0) take(value);
  }
  // Raises ERRCODE_INVALID_OBJECT_DEFINITION unless all values are in the order of their codes. No value is shown.
  void check();

 private:
  static constexpr unsigned kMost = 4096;
  struct Value {
    Code codes[2];
    Datum value;  // if it is by value
    KeyStorage bytes;
  };

  explicit MappingSample(KeyMapping* mapping) : mapping_(mapping) {}
  void take(Datum value);
  Datum datum_of(Value* value) const;

  KeyMapping* mapping_;
  std::uint64_t seen_ = 0;
  std::uint64_t stride_ = 1;
  unsigned count_ = 0;
  bool by_reference_ = false;
  Value values_[kMost];
};
static_assert(std::is_trivially_destructible_v<MappingSample>);

}  // namespace learned
