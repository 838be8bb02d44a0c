// learned_index_sample(): random rows of an index, each with the same chance.
//
// How many entries a leaf has only the leaf knows, and that may differ a hundredfold. So leaves are drawn, each with the same chance, and each
// brings one of its entries and a number from [0, 1). A leaf counts if that number is less than its entries by those of the
// largest leaf that was drawn (rejection, as by Olken): so all entries have the same chance, and it is known only when all are drawn
// whose chance that was. In random order, the rows of leaves that count are taken if the snapshot sees them, until there are
// enough.
//
//   drawn                            are
//   leaves, kLeavesForRow for each   drawn one from each of as many equal stretches: what is larger than they all is no longer than two such
//     row, kLeastLeaves at least     stretches, or scattered
//   twice as many, and so on         up to kMostLeavesForRow for each row: the largest leaf is much larger than most, or few rows are seen
//   entries of those leaves          else, and if these are all the leaves of the index: from all of them, each with the same chance, none twice
//   all entries                      if half of them would not do: a walk over the index, and of the rows that are seen each with the same
//                                    chance (reservoir)
//
// Who may: inspection.hpp has the rule.
#include "am/check/inspection.hpp"
#include "am/key/key_columns.hpp"
#include "am/sample/leaf_survey.hpp"
#include "am/server/row_visits.hpp"

namespace learned {
namespace {

constexpr uint64 kLeastLeaves = 1024;
constexpr uint64 kLeavesForRow = 4;
constexpr uint64 kMostLeavesForRow = 32;

// Random numbers that setseed() makes the same again: random() says with which they begin.
class Random {
 public:
  Random() {
    const auto half = [] {
      return static_cast<uint64>(std::ldexp(DatumGetFloat8(DirectFunctionCall1(drandom, Datum{0})), 32));
    };
    const uint64 high = half();
    pg_prng_seed(&state_, high << 32 | half());
  }
  // From [0, n). REQUIRES: n > 0.
  uint64 below(uint64 n) { return pg_prng_uint64_range(&state_, 0, n - 1); }
  // From [0, 1).
  double fraction() { return pg_prng_double(&state_); }
  template <class T>
  void shuffle(GrownArray<T>* array) {
    for (Size i = array->size(); i > 1; i--) std::swap((*array)[i - 1], (*array)[below(i)]);
  }

 private:
  pg_prng_state state_;
};

// TIDs, none twice.
class TidSet {
 public:
  void clear() {
    if (table_ != nullptr) hash_destroy(table_);
    table_ = nullptr;
    tids_.clear();
  }
  void add(Tid tid) {
    if (table_ == nullptr) {
      HASHCTL control{};
      control.keysize = control.entrysize = sizeof(Tid);
      control.hcxt = CurrentMemoryContext;
      table_ = hash_create("rows of a sample", 1024, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
    }
    bool found;
    hash_search(table_, &tid, HASH_ENTER, &found);
    if (!found) tids_.push(tid);
  }
  GrownArray<Tid>& tids() { return tids_; }
  uint64 size() const { return tids_.size(); }

 private:
  HTAB* table_ = nullptr;
  GrownArray<Tid> tids_;
};

template <class K>
class RowSample {
 public:
  RowSample(const InspectedIndex& opened, uint64 wanted)
      : opened_(opened),
        snapshot_(GetActiveSnapshot()),
        wanted_(wanted),
        survey_(opened.index, snapshot_),
        visits_(opened.table, CurrentMemoryContext) {}

  void take() {
    if (wanted_ > 0) {
      for (TreeId tree : {TreeId::keys, TreeId::nulls})
        survey_.add({tree, KeyTraits<K>::lowest(), KeyTraits<K>::highest()});
      uint64 leaves = std::max(kLeastLeaves, wanted_ * kLeavesForRow);
      survey_.choose(leaves, random_.fraction());
      while (draw(leaves) && !take_from_drawn() && leaves < wanted_ * kMostLeavesForRow) leaves *= 2;
      if (rows_.size() < wanted_ && !take_from_entries()) take_from_all();
    }
    visits_.end();
  }
  // In no order.
  GrownArray<Tid>& rows() { return rows_.tids(); }

 private:
  using Entry = BasicEntry<K>;
  using LeafEntries = BasicLeafEntries<K>;

  struct Drawn {
    uint64 leaf;
    uint64 before;    // entries of those in front
    Tid tid;          // of one entry, each with the same chance
    double fraction;  // decides whether it counts
    uint32 live;
  };

  // An entry's TID.
  Tid tid_of(const LeafEntries& entries, int number) {
    const Tid tid = survey_.entry(entries, number).tid;
    check(tid);
    return tid;
  }
  void check(Tid tid) {
    if (!limit_.admits(opened_.table, tid)) survey_.corrupt("entry points beyond the table");
  }

  // Draws more, so that it is so many leaves. False: that would be about all there are, and now it is all, each once.
  bool draw(uint64 leaves) {
    const bool all = leaves >= survey_.size();
    if (all) {
      drawn_.clear();
      entries_ = 0;
    }
    const uint64 n = all ? survey_.size() : leaves - drawn_.size();
    for (uint64 i = 0; i < n; i++) {
      const double place = (static_cast<double>(i) + random_.fraction()) / static_cast<double>(n);
      Drawn drawn{};
      drawn.leaf = all ? i
                       : std::min(static_cast<uint64>(place * static_cast<double>(survey_.size())),
                                  survey_.size() - 1);
      drawn.before = entries_;
      drawn.fraction = random_.fraction();
      survey_.read(drawn.leaf, [&](const LeafEntries& entries) {
        const auto live = static_cast<uint32>(entries.live());
        drawn.live += live;
        // (Of several pages, each entry has the same chance all the same.)
        if (!all && live > 0 && random_.below(drawn.live) < live)
          drawn.tid = tid_of(entries, entries.live_number(static_cast<int>(random_.below(live))));
        return true;
      });
      entries_ += drawn.live;
      drawn_.push(drawn);
    }
    return !all;
  }

  // Takes rows of leaves that were drawn, at most one of each.
  bool take_from_drawn() {
    rows_.clear();
    uint32 most = 0;
    for (const Drawn& drawn : drawn_) most = std::max(most, drawn.live);
    GrownArray<Tid> tids;
    for (const Drawn& drawn : drawn_) {
      if (drawn.fraction * most < drawn.live) tids.push(drawn.tid);
    }
    random_.shuffle(&tids);
    for (Size from = 0; from < tids.size() && rows_.size() < wanted_;) {
      const Size n = std::min<Size>(wanted_ - rows_.size(), tids.size() - from);
      visit(tids.begin() + from, tids.begin() + from + n);
      from += n;
    }
    tids.release();
    return rows_.size() >= wanted_;
  }

  // Takes rows of entries of the leaves that were drawn, until half of them have been tried.
  bool take_from_entries() {
    rows_.clear();
    uint64 tried = 0;
    GrownArray<uint64> places;
    GrownArray<Tid> tids;
    while (rows_.size() < wanted_) {
      const uint64 n = wanted_ - rows_.size();
      tried += n;
      if (tried > entries_ / 2) return false;
      places.clear();
      for (uint64 i = 0; i < n; i++) places.push(random_.below(entries_));
      std::sort(places.begin(), places.end());
      tids.clear();
      for (uint64 place : places) find(place, &tids);
      visit(tids.begin(), tids.end());
    }
    return true;
  }

  // The TID of the entry before which the leaves that were drawn have so many, if there is one now.
  void find(uint64 place, GrownArray<Tid>* tids) {
    const Drawn* drawn = std::upper_bound(drawn_.begin(), drawn_.end(), place,
                                          [](uint64 at, const Drawn& d) { return at < d.before; }) -
                         1;
    uint64 nth = place - drawn->before;
    survey_.read(drawn->leaf, [&](const LeafEntries& entries) {
      const auto live = static_cast<uint64>(entries.live());
      if (nth < live) {
        tids->push(tid_of(entries, entries.live_number(static_cast<int>(nth))));
        return false;
      }
      nth -= live;
      return true;
    });
  }

  // Of rows of these entries, takes those that are seen. In the order of their blocks.
  void visit(Tid* begin, Tid* end) {
    std::sort(begin, end);
    for (const Tid* tid = begin; tid < end; tid++) {
      if (visits_.visible(*tid, snapshot_)) rows_.add(visits_.found());
    }
    visits_.rest();
  }

  // Takes rows of all entries.
  void take_from_all() {
    rows_.clear();
    constexpr Size kMost = kMaxEntries + kMaxDelta;
    auto* keys = static_cast<K*>(palloc(kMost * sizeof(K)));
    auto* tids = static_cast<Tid*>(palloc(kMost * sizeof(Tid)));
    auto* dead = static_cast<bool*>(palloc(kMost * sizeof(bool)));
    int n = 0;
    uint64 seen = 0;
    const auto take_in = [&](const LeafEntries& entries) {
      n = 0;
      if (!entries.decode(0, entries.total(), {keys, tids, dead})) survey_.corrupt("page does not decode");
      for (int i = 0; i < entries.total(); i++) {
        if (dead[i]) continue;
        check(tids[i]);
        tids[n++] = tids[i];
      }
      return true;
    };
    const auto visit_all = [&] {
      std::sort(tids, tids + n);
      for (int i = 0; i < n; i++) {
        if (!visits_.visible(tids[i], snapshot_)) continue;
        GrownArray<Tid>& rows = rows_.tids();
        seen++;
        if (rows.size() < wanted_) {
          rows.push(visits_.found());
        } else if (const uint64 other = random_.below(seen); other < wanted_) {
          rows[other] = visits_.found();
        }
      }
      visits_.rest();
    };
    for (TreeId tree : {TreeId::keys, TreeId::nulls}) survey_.read_all(tree, true, take_in, visit_all);
    pfree(dead);
    pfree(tids);
    pfree(keys);
  }

  InspectedIndex opened_;
  Snapshot snapshot_;
  uint64 wanted_;
  Random random_;
  LeafSurvey<K> survey_;
  RowVisits visits_;
  TidLimit limit_;
  GrownArray<Drawn> drawn_;
  uint64 entries_ = 0;  // of the leaves that were drawn
  TidSet rows_;
};
static_assert(std::is_trivially_destructible_v<RowSample<Code>>);

// Versions that a snapshot from before a build sees may have no entry, as the planner minds, too.
void refuse_older_snapshot(Relation index, Snapshot snapshot) {
  if (!index->rd_index->indcheckxmin ||
      !XidInMVCCSnapshot(HeapTupleHeaderGetXmin(index->rd_indextuple->t_data), snapshot))
    return;
  ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                  errmsg("index \"%s\" is newer than the snapshot", RelationGetRelationName(index)),
                  errhint("Call the function in a transaction that begins after the index was committed.")));
}

}  // namespace
}  // namespace learned

LEARNED_SQL_FUNCTION(learned_index_sample);

Datum learned_index_sample(PG_FUNCTION_ARGS) {
  const Oid oid = PG_GETARG_OID(0);
  const int32 wanted = PG_GETARG_INT32(1);
  if (wanted < 0) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("sample size must not be negative")));
  }
  InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
  const auto* result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
  const learned::InspectedIndex opened =
      learned::open_inspected_index(oid, AccessShareLock, learned::Tells::rows);
  learned::refuse_older_snapshot(opened.index, GetActiveSnapshot());
  MemoryContext context =
      AllocSetContextCreate(CurrentMemoryContext, "learned index sample", ALLOCSET_DEFAULT_SIZES);
  MemoryContext caller = MemoryContextSwitchTo(context);
  learned::with_key(learned::key_words_of(opened.index), [&]<class K>() {
    learned::RowSample<K> sample(opened, static_cast<uint64>(wanted));
    sample.take();
    for (const learned::Tid tid : sample.rows()) {
      ItemPointerData pointer = learned::pointer_of(tid);
      Datum value = PointerGetDatum(&pointer);
      bool isnull = false;
      tuplestore_putvalues(result->setResult, result->setDesc, &value, &isnull);
    }
  });
  MemoryContextSwitchTo(caller);
  MemoryContextDelete(context);
  learned::close_inspected_index(opened);
  PG_RETURN_NULL();
}
