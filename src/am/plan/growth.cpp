#include "am/plan/growth.hpp"

#include "am/store/buffer_store.hpp"

namespace learned {

namespace {

// The keys whose first column is not NULL.
template <class K>
BasicTreeRange<K> keys_of_values([[maybe_unused]] Relation index) {
  BasicTreeRange<K> range{TreeId::keys, KeyTraits<K>::lowest(), KeyTraits<K>::highest()};
  if constexpr (KeyTraits<K>::kWords > 1) {
    const bool nulls_high = (index->rd_indoption[0] & INDOPTION_NULLS_FIRST) == 0;
    if (nulls_high) {
      range.hi.flags &= static_cast<std::uint8_t>(~1u);
    } else {
      range.lo.flags |= 1;
    }
  }
  return range;
}

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

template <class K>
bool measure(Relation index, const KnownRange& known, Growth* growth) {
  using Store = BasicBufferStore<K>;
  Store store(index);
  const KeyColumn& column = growth->column;
  // (A plain index is stored ascending.)
  const bool turned = KeyTraits<K>::kWords > 1 && column.descending;
  const BasicTreeRange<K> all = keys_of_values<K>(index);
  auto* room = static_cast<typename Outline<Store>::Room*>(palloc(sizeof(typename Outline<Store>::Room)));
  bool sound = true;
  for (int end = 0; end < kSides && sound; end++) {
    // In the order of the index.
    const int side = turned ? 1 - end : end;
    const BasicTreeRange<K> edge =
        keys_of_value<K>(column, side == kAbove ? known.greatest : known.least);
    BasicTreeRange<K> range = all;
    if (end == kAbove ? edge.hi >= all.hi : edge.lo <= all.lo) continue;
    if (end == kAbove) {
      range.lo = KeyTraits<K>::after(edge.hi);
    } else {
      range.hi = KeyTraits<K>::before(edge.lo);
    }
    Outline<Store> outline(&store, room);
    sound = outline.draw(range);
    if (!sound) break;
    growth->leaf[end] = outline.end(end == kAbove);
    GrowthSide* out = &growth->side[side];
    out->entries = outline.entries();
    out->count = outline.marks();
    if (out->count == 0) continue;
    out->knots = static_cast<GrowthKnot*>(palloc(out->count * sizeof(GrowthKnot)));
    double before = 0.0;
    for (unsigned i = 0; i < out->count; i++) {
      const CodePair codes = codes_of(column, outline.mark(i).key);
      out->knots[turned ? out->count - 1 - i : i] = {codes, turned ? out->entries - before : before};
      before += outline.mark(i).entries;
    }
  }
  pfree(room);
  return sound;
}

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

bool measure_growth(Relation index, const KnownRange& known, Growth* growth) {
  const KeyColumns columns = key_columns_of(index);
  growth->column = columns.column[0];
  return with_key(columns.words, [&]<class K>() { return measure<K>(index, known, growth); });
}

bool still_ends(Relation index, const EndLeaf (&leaf)[kSides], unsigned tolerance) {
  return with_key(key_words_of(index), [&]<class K>() {
    using Store = BasicBufferStore<K>;
    Store store(index);
    const BasicTreeRange<K> all = keys_of_values<K>(index);
    for (int end = 0; end < kSides; end++) {
      if (leaf[end].block != kNoBlock &&
          !Outline<Store>::still_ends(&store, leaf[end], all.start(end == kBelow), tolerance)) {
        return false;
      }
    }
    return true;
  });
}

Datum value_at(const Growth& growth, int side, double entries) {
  const KeyColumn& column = growth.column;
  const GrowthKnot* knots = growth.side[side].knots;
  const unsigned count = growth.side[side].count;
  // The last knot with no more entries before it.
  unsigned lo = 0;
  unsigned hi = count;
  while (hi - lo > 1) {
    const unsigned middle = (lo + hi) / 2;
    if (knots[middle].entries <= entries) {
      lo = middle;
    } else {
      hi = middle;
    }
  }
  CodePair codes = knots[lo].codes;
  if (hi < count && knots[hi].entries > knots[lo].entries) {
    const double part = (entries - knots[lo].entries) / (knots[hi].entries - knots[lo].entries);
    codes = between(column.type.kind, codes, knots[hi].codes, std::clamp(part, 0.0, 1.0));
  }
  auto* storage = static_cast<KeyStorage*>(palloc(sizeof(KeyStorage)));
  const Code both[2] = {codes.first, codes.second};
  return column.place.words > 1 ? codes_to_datum(column.type, both, storage)
                                : code_to_datum(column.type, codes.first, storage);
}

}  // namespace learned
