// Whether the functions of a type that is not known keep its order: looked at for some of a table's values, while it is scanned.
#pragma once

#include "am/key/key_mapping.hpp"
#include "am/server/server.hpp"

namespace learned {

// Values of one column, spread over the table: all of the first ones, then of every second, every fourth row and so on. Whenever
// there are as many as can be, they are put in order, neighbours compared, and every second one given up; so values that
// are close to one another meet, be it in the table or in their order, and values of the whole table meet in the end.
class MappingSample {
 public:
  // Lasts as long as the memory context.
  static MappingSample* create(KeyMapping* mapping);

  void look_at(Datum value) {
    if (seen_++ % stride_ == 0) take(value);
  }
  // Raises ERRCODE_INVALID_OBJECT_DEFINITION unless the values are in the order of their codes. No value is shown.
  void check();

 private:
  static constexpr unsigned kMost = 4096;

  explicit MappingSample(KeyMapping* mapping) : mapping_(mapping) {}
  void take(Datum value);

  KeyMapping* mapping_;
  std::uint64_t seen_ = 0;
  std::uint64_t stride_ = 1;
  unsigned count_ = 0;
  KeyMapping::Mapped values_[kMost];
};
static_assert(std::is_trivially_destructible_v<MappingSample>);

}  // namespace learned
