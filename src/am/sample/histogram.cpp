// learned_index_histogram(): keys that divide the entries of an index into parts of equal size.
//
// A border is the key of an entry of a certain rank. Which leaf has it would take the populations of all leaves before; what is read
// instead is a number of leaves in proportion to the number of buckets (*probes*): some evenly, then in the middle of each gap
// between two as long as more entries may lie in it than a small part of a bucket has. So where leaves are full probes lie close,
// and the place where a run of full leaves ends is found by halving. What lies in a gap is taken to have the mean of both ends.
// If there are no gaps all borders are exact.
//
// Who may: inspection.hpp has the rule.
#include "am/check/inspection.hpp"
#include "am/key/key_texts.hpp"
#include "am/key/value_range.hpp"
#include "am/sample/leaf_survey.hpp"

namespace learned {
namespace {

constexpr int kMostBuckets = 10000;
// A gap between probes has at most one of so many parts of a bucket.
constexpr uint64 kPartsOfBucket = 16;

template <class K>
class Histogram {
 public:
  Histogram(Relation index, int buckets)
      : index_(index),
        buckets_(static_cast<uint64>(buckets)),
        columns_(key_columns_of(index)),
        // A plain index is stored ascending, whatever its order.
        reversed_(columns_.plain() && columns_.column[0].descending),
        survey_(index, GetActiveSnapshot()),
        texts_(index, columns_) {}

  void fill(Tuplestorestate* store, TupleDesc desc) {
    survey_.add(keys_of_values<K>(index_));
    survey_.choose(most_parts(), 0.5);
    probe();
    if (entries_ == 0) return;
    buckets_ = std::min(buckets_, entries_);
    find_borders();
    Datum lower = text_of(borders_[0]);
    for (uint64 b = 0; b < buckets_; b++) {
      const Datum upper = text_of(borders_[b + 1]);
      Datum values[] = {Int32GetDatum(static_cast<int32>(b + 1)), lower, upper, Int64GetDatum(entries_of(b)),
                        BoolGetDatum(exact())};
      bool nulls[std::size(values)] = {};
      tuplestore_putvalues(store, desc, values, nulls);
      lower = upper;
    }
  }

 private:
  using Entry = BasicEntry<K>;
  using LeafEntries = BasicLeafEntries<K>;

  struct Probe {
    uint64 leaf;
    uint64 live;
    uint64 before;  // entries, as far as is known
  };

  uint64 most_parts() const { return buckets_ * kPartsOfBucket; }
  bool exact() const { return survey_.complete() && probes_.size() == survey_.size(); }
  // Of all entries that are known of, those in buckets before one. (Both factors are far from 2^32.)
  uint64 rank_of_bucket(uint64 bucket) const {
    return entries_ / buckets_ * bucket + entries_ % buckets_ * bucket / buckets_;
  }
  int64 entries_of(uint64 bucket) const {
    const uint64 known = rank_of_bucket(bucket + 1) - rank_of_bucket(bucket);
    return static_cast<int64>(std::llround(static_cast<double>(known) * survey_.scale()));
  }

  // The entries between a probe and the next.
  static uint64 in_gap(const Probe& a, const Probe& b) {
    return (b.leaf - a.leaf - 1) * (a.live + b.live) / 2;
  }
  static uint64 most_in_gap(const Probe& a, const Probe& b) {
    return (b.leaf - a.leaf - 1) * std::max(a.live, b.live);
  }

  void count() {
    entries_ = 0;
    for (Size i = 0; i < probes_.size(); i++) {
      if (i > 0) entries_ += in_gap(probes_[i - 1], probes_[i]);
      probes_[i].before = entries_;
      entries_ += probes_[i].live;
    }
  }

  void probe() {
    const uint64 leaves = survey_.size();
    const uint64 first = leaves <= most_parts() ? leaves : most_parts() / 2;
    for (uint64 i = 0; i < first; i++) {
      const uint64 leaf = first == leaves ? i : i * (leaves - 1) / (first - 1);
      probes_.push({leaf, survey_.live(leaf), 0});
    }
    count();
    for (;;) {
      const uint64 enough = entries_ / most_parts();
      GrownArray<Probe> finer;
      for (Size i = 0; i < probes_.size(); i++) {
        if (i > 0 && most_in_gap(probes_[i - 1], probes_[i]) > enough) {
          const uint64 leaf = (probes_[i - 1].leaf + probes_[i].leaf) / 2;
          if (leaf > probes_[i - 1].leaf) finer.push({leaf, survey_.live(leaf), 0});
        }
        finer.push(probes_[i]);
      }
      const bool found = finer.size() > probes_.size();
      probes_.release();
      probes_ = finer;
      if (!found) return;
      count();
    }
  }

  // The first and the last entries are looked for, the others are where probes say.
  void find_borders() {
    borders_.reserve(buckets_ + 1);
    for (uint64 b = 0; b <= buckets_; b++) {
      const uint64 border = reversed_ ? buckets_ - b : b;
      const uint64 rank = border == buckets_ ? entries_ - 1 : rank_of_bucket(border);
      const uint64 place = reversed_ ? entries_ - 1 - rank : rank;
      K key{};
      bool found;
      if (place == 0 || place == entries_ - 1) {
        found = find_end(place == 0, &key);
      } else {
        found = find(place, &key);
      }
      // Others may have removed what was there, or added what is between.
      if (b > 0 && (!found || key < borders_[b - 1])) key = borders_[b - 1];
      borders_.push(key);
    }
    if (reversed_) std::reverse(borders_.begin(), borders_.end());
  }

  bool find_end(bool front, K* key) {
    bool found = false;
    survey_.read_all(TreeId::keys, front, [&](const LeafEntries& entries) {
      const int live = entries.live();
      found = live > 0;
      if (found) *key = survey_.entry(entries, entries.live_number(front ? 0 : live - 1)).code;
      return !found;
    });
    return found;
  }

  // The key of the entry before which there are so many.
  bool find(uint64 place, K* key) {
    const Probe* probe = std::upper_bound(probes_.begin(), probes_.end(), place,
                                          [](uint64 at, const Probe& p) { return at < p.before; }) -
                         1;
    uint64 leaf = probe->leaf;
    uint64 nth = place - probe->before;
    if (nth >= probe->live) {
      const uint64 leaves = probe[1].leaf - leaf - 1;
      const double share = static_cast<double>(nth - probe->live) /
                           static_cast<double>(probe[1].before - probe->before - probe->live);
      const double leaves_before = share * static_cast<double>(leaves);
      const uint64 whole = std::min(static_cast<uint64>(leaves_before), leaves - 1);
      leaf += 1 + whole;
      nth = static_cast<uint64>((leaves_before - static_cast<double>(whole)) *
                                static_cast<double>(survey_.live(leaf)));
    }
    bool found = false;
    survey_.read_from(leaf, [&](const LeafEntries& entries) {
      const auto live = static_cast<uint64>(entries.live());
      found = nth < live;
      if (found) {
        *key = survey_.entry(entries, entries.live_number(static_cast<int>(nth))).code;
      } else {
        nth -= live;
      }
      return !found;
    });
    return found;
  }

  // An array with the value of each key column.
  Datum text_of(const K& key) { return texts_.array<K>({TreeId::keys, key}, 0, columns_.keys); }

  Relation index_;
  uint64 buckets_;
  KeyColumns columns_;
  bool reversed_;
  LeafSurvey<K> survey_;
  KeyTexts texts_;
  GrownArray<Probe> probes_;
  uint64 entries_ = 0;
  GrownArray<K> borders_;
};
static_assert(std::is_trivially_destructible_v<Histogram<Code>>);

}  // namespace
}  // namespace learned

LEARNED_SQL_FUNCTION(learned_index_histogram);

Datum learned_index_histogram(PG_FUNCTION_ARGS) {
  const Oid oid = PG_GETARG_OID(0);
  const int buckets = PG_GETARG_INT32(1);
  if (buckets < 1 || buckets > learned::kMostBuckets) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("number of buckets must be between 1 and %d", learned::kMostBuckets)));
  }
  InitMaterializedSRF(fcinfo, 0);
  const auto* result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
  const learned::InspectedIndex opened =
      learned::open_inspected_index(oid, AccessShareLock, learned::Tells::rows);
  MemoryContext context =
      AllocSetContextCreate(CurrentMemoryContext, "learned index histogram", ALLOCSET_DEFAULT_SIZES);
  MemoryContext caller = MemoryContextSwitchTo(context);
  learned::with_key(learned::key_words_of(opened.index), [&]<class K>() {
    learned::Histogram<K>(opened.index, buckets).fill(result->setResult, result->setDesc);
  });
  MemoryContextSwitchTo(caller);
  MemoryContextDelete(context);
  learned::close_inspected_index(opened);
  PG_RETURN_NULL();
}
