// Keys as SQL shows them: the values of an index's columns as text.
#pragma once

#include "am/key/key_columns.hpp"

namespace learned {

class KeyTexts {
 public:
  KeyTexts(Relation index, const KeyColumns& columns);

  // An array with the values of columns [first, end). REQUIRES: the columns up to `end` of the key are possible.
  template <class K>
  Datum array(const RowKey<K>& key, unsigned first, unsigned end);

 private:
  KeyColumns columns_;
  FmgrInfo output_[kMaxWords];
};
static_assert(std::is_trivially_destructible_v<KeyTexts>);

}  // namespace learned
