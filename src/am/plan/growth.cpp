#include "am/plan/growth.hpp"

#include "am/key/value_range.hpp"
#include "am/plan/living_rows.hpp"
#include "am/store/buffer_store.hpp"

namespace learned {

namespace {

// The keys that have a value in the first column, or one that is equal to it. lo <= hi.
template <class K>
BasicTreeRange<K> keys_of_value(const KeyColumn& column, Datum value) {
  if constexpr (KeyTraits<K>::kWords == 1) {
    const CodeRange equal = equal_codes(column.type.kind, datum_to_code(column.type, value));
    return {TreeId::keys, equal.lo, equal.hi};
  } else {
    const ColumnValue words = column_value_of(column, value, false);
    K key{};
    key.flags = words.flag;
    key.word[0] = words.word[0];
    if (column.place.words > 1) key.word[1] = words.word[1];
    return {TreeId::keys, key_prefix(key, column.place.words), key_prefix_end(key, column.place.words)};
  }
}

// The codes of the first column, as an ascending index would have them.
template <class K>
CodePair codes_of(const KeyColumn& column, const K& key) {
  if constexpr (KeyTraits<K>::kWords == 1) {
    return {key, 0};
  } else {
    const Code turn = column.descending ? kMaxCode : 0;
    return {key.word[0] ^ turn, column.place.words > 1 ? key.word[1] ^ turn : 0};
  }
}

// The keys whose value in the first column is finite: what is infinite says nothing of how far values go.
template <class K>
BasicTreeRange<K> keys_of_finite_values(Relation index, const KeyColumn& column) {
  BasicTreeRange<K> range = keys_of_values<K>(index);
  const KeyKind kind = column.type.kind;
  const CodeRange finite = finite_codes(kind);
  if (column.place.words > 1 || finite.hi == code_domain(kind).hi) return range;
  KeyStorage storage;
  const auto least = keys_of_value<K>(column, code_to_datum(column.type, finite.lo, &storage));
  const auto greatest = keys_of_value<K>(column, code_to_datum(column.type, finite.hi, &storage));
  range.lo = std::max(range.lo, std::min(least.lo, greatest.lo));
  range.hi = std::min(range.hi, std::max(least.hi, greatest.hi));
  return range;
}

// Most rows that are looked at on a side.
constexpr std::size_t kRows = 64;

// Takes away what is dead: a row that is tells of the marks from its own to the next one that was looked at, and the first one of those in front of it,
// too. Sets *first and *last to the outermost rows that live.
template <class K>
void leave_out_dead_rows(LivingRows rows, std::span<BasicOutlineMark<K>> marks, Tid* first, Tid* last) {
  std::size_t candidates = 0;
  for (const BasicOutlineMark<K>& mark : marks) candidates += mark.tid != 0 ? 1 : 0;
  const std::size_t stride = (candidates + kRows - 1) / kRows;
  std::size_t number = 0;
  std::size_t told = 0;  // marks
  bool lives = true;
  for (std::size_t i = 0; i < marks.size(); i++) {
    // The last one, too: it has the end.
    const bool looked_at = marks[i].tid != 0 && (number % stride == 0 || number + 1 == candidates);
    if (marks[i].tid != 0) number++;
    if (looked_at) {
      lives = rows.has_somewhere(marks[i].tid);
      if (lives && *first == 0) *first = marks[i].tid;
      if (lives) *last = marks[i].tid;
      if (told == 0 && !lives) {
        for (std::size_t k = 0; k < i; k++) marks[k].entries = 0.0;
      }
      told = i + 1;
    }
    if (!lives) marks[i].entries = 0.0;
  }
  rows.release();
}

template <class K>
class Measure {
  using Store = BasicBufferStore<K>;
  using Sketch = Outline<Store>;

 public:
  Measure(const GrowingTable& of, const KnownRange& known, Growth* growth)
      : of_(of),
        growth_(growth),
        // (A plain index is stored ascending.)
        turned_(KeyTraits<K>::kWords > 1 && growth->column.descending),
        all_(keys_of_finite_values<K>(of.index, growth->column)),
        store_(of.index),
        // In the order of the index.
        edge_{keys_of_value<K>(growth->column, turned_ ? known.greatest : known.least),
              keys_of_value<K>(growth->column, turned_ ? known.least : known.greatest)} {
    store_.peek_within(of.index_blocks);
    room_ = static_cast<typename Sketch::Room*>(palloc(sizeof(typename Sketch::Room)));
  }
  // (No destructor does it: an error would jump over that.)
  void release() { pfree(room_); }

  bool sides() {
    for (int end = 0; end < kSides; end++) {
      BasicTreeRange<K> range = all_;
      if (end == kAbove ? edge_[end].hi >= all_.hi : edge_[end].lo <= all_.lo) continue;
      if (end == kAbove) {
        range.lo = KeyTraits<K>::after(edge_[end].hi);
      } else {
        range.hi = KeyTraits<K>::before(edge_[end].lo);
      }
      GrowthPart* part = &growth_->part[turned_ ? 1 - end : end];
      Sketch outline(&store_, room_, growth_->column.place.words);
      if (!outline.draw(range)) return false;
      growth_->leaf[end] = outline.end(end == kAbove);
      take(outline, part, end);
    }
    return true;
  }

  bool inside() {
    Sketch outline(&store_, room_, growth_->column.place.words);
    if (!outline.draw({TreeId::keys, edge_[kBelow].lo, edge_[kAbove].hi})) return false;
    take(outline, &growth_->part[kInside], kAbove);
    return true;
  }

 private:
  void take(const Sketch& outline, GrowthPart* out, int end) {
    const auto marks = outline.marks();
    Tid first = 0;
    Tid last = 0;
    leave_out_dead_rows<K>(LivingRows(of_.table, of_.table_blocks), marks, &first, &last);
    out->outermost = end == kAbove ? last : first;
    double values = 0.0;
    const K* before_it = nullptr;
    for (const auto& mark : marks) {
      if (mark.entries <= 0.0) continue;
      out->entries += mark.entries;
      if (before_it == nullptr || !same_prefix(*before_it, mark.key, growth_->column.place.words)) values++;
      before_it = &mark.key;
    }
    out->values = std::max(values, out->entries * outline.share_of_keys());
    out->count = static_cast<unsigned>(marks.size());
    out->knots = static_cast<GrowthKnot*>(palloc(marks.size() * sizeof(GrowthKnot)));
    double before = 0.0;
    for (std::size_t i = 0; i < marks.size(); i++) {
      const double up_to = turned_ ? out->entries - before : before;
      out->knots[turned_ ? marks.size() - 1 - i : i] = {codes_of(growth_->column, marks[i].key), up_to};
      before += marks[i].entries;
    }
  }

  const GrowingTable& of_;
  Growth* growth_;
  bool turned_;
  BasicTreeRange<K> all_;
  Store store_;
  BasicTreeRange<K> edge_[kSides];
  typename Sketch::Room* room_;
};
static_assert(std::is_trivially_destructible_v<Measure<Code>> &&
              std::is_trivially_destructible_v<Measure<Words<2>>>);

// The codes in the middle between those of two values, where all in between are values, too; `part` in [0, 1) says where.
CodePair between(KeyKind kind, const CodePair& low, const CodePair& high, double part) {
  const Code distance = high.first - low.first;
  // (Beside the ends are those that stand for infinity.)
  const bool endless = high.first == code_domain(kind).hi || low.first == code_domain(kind).lo;
  if (distance < 2 || endless) return low;
  const auto step = static_cast<Code>(static_cast<double>(distance) * part);
  return {low.first + std::min(step, distance - 1), low.second};
}

}  // namespace

bool growth_known_for(Relation index) { return !has_mapped_column(index); }

bool measure_growth(const GrowingTable& of, const KnownRange& known, Growth* growth) {
  const KeyColumns columns = key_columns_of(of.index);
  growth->column = columns.column[0];
  return with_key(columns.words, [&]<class K>() {
    Measure<K> measure(of, known, growth);
    const bool sound = measure.sides();
    measure.release();
    return sound;
  });
}

bool measure_inside(const GrowingTable& of, const KnownRange& known, Growth* growth) {
  return with_key(key_words_of(of.index), [&]<class K>() {
    Measure<K> measure(of, known, growth);
    const bool sound = measure.inside();
    measure.release();
    return sound;
  });
}

bool still_ends(const GrowingTable& of, const EndLeaf (&leaf)[kSides], unsigned tolerance) {
  return with_key(key_words_of(of.index), [&]<class K>() {
    using Store = BasicBufferStore<K>;
    Store store(of.index);
    store.peek_within(of.index_blocks);
    const BasicTreeRange<K> all = keys_of_finite_values<K>(of.index, key_columns_of(of.index).column[0]);
    for (int end = 0; end < kSides; end++) {
      if (leaf[end].block != kNoBlock &&
          !Outline<Store>::still_ends(&store, leaf[end], all.start(end == kBelow), tolerance)) {
        return false;
      }
    }
    return true;
  });
}

Datum value_at(const Growth& growth, int part_of_all, int side, double entries) {
  const KeyColumn& column = growth.column;
  const GrowthKnot* knots = growth.part[part_of_all].knots;
  const unsigned count = growth.part[part_of_all].count;
  // The last knot with no more entries before it, or, above, the one before the first that has as many: where there is nothing behind a
  // knot but dead rows, it is the end.
  unsigned lo = 0;
  unsigned hi = count;
  while (hi - lo > 1) {
    const unsigned middle = (lo + hi) / 2;
    if (side == kAbove ? knots[middle].entries < entries : knots[middle].entries <= entries) {
      lo = middle;
    } else {
      hi = middle;
    }
  }
  CodePair codes = knots[lo].codes;
  if (hi < count && knots[hi].entries > knots[lo].entries) {
    const double part = (entries - knots[lo].entries) / (knots[hi].entries - knots[lo].entries);
    codes =
        part < 1.0 ? between(column.type.kind, codes, knots[hi].codes, std::max(part, 0.0)) : knots[hi].codes;
  }
  auto* storage = static_cast<KeyStorage*>(palloc(sizeof(KeyStorage)));
  const Code both[2] = {codes.first, codes.second};
  return column.place.words > 1 ? codes_to_datum(column.type, both, storage)
                                : code_to_datum(column.type, codes.first, storage);
}

}  // namespace learned
