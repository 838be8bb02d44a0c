#include "am/count/merged_groups.hpp"

#include "am/server/grown_array.hpp"

namespace learned {

void add_measure(Measure* to, const Measure& from) {
  to->not_null += from.not_null;
  to->least = std::min(to->least, from.least);
  to->greatest = std::max(to->greatest, from.greatest);
  to->sum += from.sum;
}

MergedGroups::MergedGroups(MemoryContext context, TupleDesc tuple, int columns, int measures)
    : context_(context), tuple_(tuple), columns_(columns), measures_(measures) {
  const MemoryContext parent = MemoryContextGetParent(context);
  order_ = static_cast<FmgrInfo*>(
      MemoryContextAllocZero(parent, static_cast<Size>(columns + 1) * sizeof(FmgrInfo)));
  for (int c = 0; c < columns; c++) {
    const Oid type = TupleDescAttr(tuple, c)->atttypid;
    const TypeCacheEntry* entry = lookup_type_cache(type, TYPECACHE_CMP_PROC);
    if (!OidIsValid(entry->cmp_proc)) elog(ERROR, "type %u has no order", type);
    fmgr_info_cxt(entry->cmp_proc, &order_[c], parent);
  }
}

void MergedGroups::clear() {
  MemoryContextReset(context_);
  groups_ = nullptr;
  size_ = capacity_ = 0;
}

int MergedGroups::compare(const MergedGroup& a, const MergedGroup& b, int columns) const {
  for (int c = 0; c < columns; c++) {
    const NullableDatum& x = a.values[c];
    const NullableDatum& y = b.values[c];
    if (x.isnull || y.isnull) {
      if (x.isnull != y.isnull) return x.isnull ? 1 : -1;
      continue;
    }
    const int order = DatumGetInt32(
        FunctionCall2Coll(&order_[c], TupleDescAttr(tuple_, c)->attcollation, x.value, y.value));
    if (order != 0) return order;
  }
  return 0;
}

int MergedGroups::compare_all(const void* a, const void* b, void* groups) {
  // (Sorting millions takes seconds, and the server's sort asks nobody.)
  CHECK_FOR_INTERRUPTS();
  const auto* self = static_cast<const MergedGroups*>(groups);
  return self->compare(*static_cast<const MergedGroup*>(a), *static_cast<const MergedGroup*>(b),
                       self->columns_);
}

void MergedGroups::finish() {
  if (size_ < 2) return;
  qsort_arg(groups_, size_, sizeof(MergedGroup), compare_all, this);
  uint32 kept = 0;
  for (uint32 g = 1; g < size_; g++) {
    CHECK_FOR_INTERRUPTS();
    if (!same(groups_[kept], groups_[g], columns_)) {
      groups_[++kept] = groups_[g];
      continue;
    }
    for (int m = 0; m < measures_; m++) add_measure(&groups_[kept].measures[m], groups_[g].measures[m]);
    for (int c = 0; c < columns_; c++) {
      if (!groups_[g].values[c].isnull && !TupleDescAttr(tuple_, c)->attbyval)
        pfree(DatumGetPointer(groups_[g].values[c].value));
    }
    pfree(groups_[g].values);
  }
  size_ = kept + 1;
}

void MergedGroups::make_room() {
  constexpr uint32 kFirst = 64;
  finish();
  // (Merging again and again for a few places would take longer than all the rest.)
  if (capacity_ > 0 && size_ <= capacity_ / 2) return;
  capacity_ = capacity_ == 0 ? kFirst : capacity_ * 2;
  groups_ = enlarge(context_, groups_, capacity_);
}

MergedGroup* MergedGroups::add(const NullableDatum* values) {
  if (size_ == capacity_) make_room();
  const Size columns = static_cast<Size>(columns_) * sizeof(NullableDatum);
  MergedGroup* group = &groups_[size_];
  const MemoryContext before = MemoryContextSwitchTo(context_);
  char* memory = static_cast<char*>(palloc(columns + static_cast<Size>(measures_ + 1) * sizeof(Measure)));
  group->values = reinterpret_cast<NullableDatum*>(memory);
  group->measures = reinterpret_cast<Measure*>(memory + columns);
  for (int c = 0; c < columns_; c++) {
    const Form_pg_attribute type = TupleDescAttr(tuple_, c);
    group->values[c] = values[c];
    if (!values[c].isnull) group->values[c].value = datumCopy(values[c].value, type->attbyval, type->attlen);
  }
  MemoryContextSwitchTo(before);
  for (int m = 0; m < measures_; m++) group->measures[m] = Measure{};
  size_++;
  return group;
}

}  // namespace learned
