#include "am/build/mapping_sample.hpp"

#include "am/key/key_mapping.hpp"

namespace learned {

MappingSample* MappingSample::create(const KeyColumn& column) {
  return new (palloc(sizeof(MappingSample))) MappingSample(column.type.mapping);
}

void MappingSample::take(Datum value) {
  if (count_ == kMost) {
    for (unsigned i = 1; i < kMost / 2; i++) values_[i] = values_[2 * i];
    count_ = kMost / 2;
    stride_ *= 2;
  }
  Value* taken = &values_[count_];
  mapping_->to_codes(value, taken->codes);
  taken->value = mapping_->copy(value, &taken->bytes);
  by_reference_ = taken->value == PointerGetDatum(taken->bytes.bytes);
  count_++;
}

// (Values are moved about.)
Datum MappingSample::datum_of(Value* value) const {
  return by_reference_ ? PointerGetDatum(value->bytes.bytes) : value->value;
}

// Sorted by their codes, neighbours tell it of all.
void MappingSample::check() {
  const auto same = [](const Value& a, const Value& b) {
    return a.codes[0] == b.codes[0] && a.codes[1] == b.codes[1];
  };
  std::sort(values_, values_ + count_, [](const Value& a, const Value& b) {
    return a.codes[0] != b.codes[0] ? a.codes[0] < b.codes[0] : a.codes[1] < b.codes[1];
  });
  TypeCacheEntry* type = lookup_type_cache(mapping_->type(), TYPECACHE_CMP_PROC_FINFO);
  for (unsigned i = 1; i < count_; i++) {
    const int32 order = DatumGetInt32(FunctionCall2Coll(&type->cmp_proc_finfo, InvalidOid,
                                                        datum_of(&values_[i - 1]), datum_of(&values_[i])));
    if (same(values_[i - 1], values_[i]) ? order != 0 : order >= 0) mapping_->refuse_order();
  }
}

}  // namespace learned
