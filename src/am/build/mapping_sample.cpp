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
  mapping_->keep(&values_[count_++], value, mapping_->to_codes(value));
}

// Sorted by their codes, neighbours tell it of all.
void MappingSample::check() {
  std::sort(values_, values_ + count_, [](const auto& a, const auto& b) { return a.codes < b.codes; });
  for (unsigned i = 1; i < count_; i++) mapping_->check_order(values_[i - 1], values_[i]);
}

}  // namespace learned
