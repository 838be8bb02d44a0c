#include "am/build/mapping_sample.hpp"

namespace learned {

MappingSample* MappingSample::create(KeyMapping* mapping) {
  return new (palloc(sizeof(MappingSample))) MappingSample(mapping);
}

void MappingSample::take(Datum value) {
  if (count_ == kMost) {
    check();
    for (unsigned i = 1; i < kMost / 2; i++) values_[i] = values_[2 * i];
    count_ = kMost / 2;
    stride_ *= 2;
  }
  Code codes[2];
  mapping_->to_codes(value, codes);
  mapping_->keep(&values_[count_], value, codes);
  count_++;
}

// Sorted by their codes, neighbours tell it of all.
void MappingSample::check() {
  std::sort(values_, values_ + count_, [](const KeyMapping::Mapped& a, const KeyMapping::Mapped& b) {
    return a.codes[0] != b.codes[0] ? a.codes[0] < b.codes[0] : a.codes[1] < b.codes[1];
  });
  for (unsigned i = 1; i < count_; i++) mapping_->check_order(values_[i - 1], values_[i]);
}

}  // namespace learned
