// learned_index_segments() and learned_index_entries(): the models of a page, and what they and its delta stand for.
//
// Pages are checked as learned_index_check() does, and what is shown is what that has decoded.
//
// Who may: as learned_index_pages(). Keys are shown to who may see the rows of the table (inspection.hpp); to others they are NULL.
#include "am/check/page_totals.hpp"
#include "am/check/verify.hpp"
#include "am/key/key_texts.hpp"
#include "am/see/inspected.hpp"
#include "am/server/result_row.hpp"
#include "core/page/kill_marks.hpp"

namespace learned {
namespace {

constexpr unsigned kRowsBetweenInterrupts = 1024;

// A word's model in terms of the word: where its line begins, measured from the first word, how it climbs per entry, and how far above it
// words lie at most.
struct WordLine {
  const char* kind;
  double start;
  double slope;
  double reach;  // negative: the model does not say
  int bits;
};
WordLine line_of(const ColumnModel& line, Code first) {
  const double slope = std::ldexp(static_cast<double>(line.slope), -(line.shift & 0x7F));
  const bool descends = (line.shift & ColumnModel::kDescending) != 0;
  return {line.slope == 0 ? "constant" : "line", 0.0 - static_cast<double>(first - line.base),
          descends ? -slope : slope, std::ldexp(1.0, line.width) - 1, line.width};
}
WordLine line_of(const SegmentRef& ref, unsigned) { return line_of(ref.key, ref.first_code); }
template <unsigned W>
WordLine line_of(const BasicSegmentRef<Words<W>>& ref, unsigned w) {
  const WordModel& word = ref.key.word[w];
  // (Bits that are the same in all words are left out: those below count for little.)
  const double unit = std::ldexp(1.0, word.gap_bits);
  if (word.elias_fano()) {
    const double steps = static_cast<double>(ref.count > 1 ? ref.count - 1 : 1);
    return {"elias-fano", 0, static_cast<double>(word.line.slope) * unit / steps, -1, word.line.width};
  }
  WordLine line = line_of(word.line, word.squeeze(ref.first_code.word[w]));
  line.start *= unit;
  line.slope *= unit;
  line.reach *= unit;
  return line;
}

int flag_bits(const SegmentRef&) { return 0; }
template <unsigned W>
int flag_bits(const BasicSegmentRef<Words<W>>& ref) {
  return ref.key.flags_width;
}

const char* name_of(TidCodec codec) {
  switch (codec) {
    case TidCodec::linear:
      return "linear";
    case TidCodec::runs:
      return "runs";
    case TidCodec::ascending:
      return "ascending";
  }
  return "unknown";
}

template <class K>
class PageContent : PageChecker<K> {
  using Base = PageChecker<K>;
  using Base::check_content;
  using Base::check_meta;
  using Base::columns_;
  using Base::fault;
  using Base::index_;
  using Base::page_;
  using Base::reader_;
  using Base::workspace_;
  using typename Base::Item;
  using typename Base::PageView;
  using SegmentRef = BasicSegmentRef<K>;

 public:
  PageContent(const InspectedIndex& opened, const ReturnSetInfo* result)
      : Base(opened.index),
        result_(result),
        shows_keys_(may_see_rows(RelationGetRelid(opened.index), RelationGetRelid(opened.table))),
        texts_(opened.index, columns_) {}

  // False: the page has no content.
  bool read(int64 number) {
    if (number < 0 || number >= int64{reader_.blocks()}) {
      ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                      errmsg("index \"%s\" has no block %lld", RelationGetRelationName(index_),
                             static_cast<long long>(number)),
                      errdetail("It has %u blocks.", reader_.blocks())));
    }
    const auto block = static_cast<Block>(number);
    check_meta();
    if (block == kMetaBlock) {
      ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                      errmsg("block 0 of index \"%s\" is its metapage", RelationGetRelationName(index_)),
                      errhint("learned_index_metapage() shows it; learned_index_pages() tells what other "
                              "pages there are.")));
    }
    reader_.copy(block, page_);
    if (is_new_page(page_)) return false;
    check_content(block);
    block_ = block;
    return !PageView(page_).deleted();
  }

  void put_segments() {
    each_segment([this](unsigned number, const SegmentRef& ref) {
      memory_.with_row([&] { put_segment(number, ref); });
    });
  }

  void put_entries() {
    const PageView page(page_);
    if (page.level() == 0) kill_marks_ = KillMarks(page);
    each_segment([&](unsigned number, const SegmentRef& ref) {
      for (unsigned rank = ref.first_rank; rank < ref.first_rank + ref.count; rank++) {
        const Block child = page.level() > 0 ? workspace_->children[rank] : kNoBlock;
        put_entry(rank, static_cast<int>(number), {workspace_->codes[rank], workspace_->tids[rank], child});
      }
    });
    for (unsigned j = 0; j < page.deltas(); j++) put_entry(page.encoded() + j, kOfDelta, page.delta_item(j));
  }

 private:
  static constexpr int kOfDelta = -1;

  template <class F>
  void each_segment(const F& f) {
    const PageView page(page_);
    for (unsigned s = 0; s < page.segments(); s++) {
      CHECK_FOR_INTERRUPTS();
      SegmentRef ref;
      if (!load_segment(page, s, &ref)) fault(block_, "page does not decode");
      f(s, ref);
    }
  }

  // The key columns of an entry. In inner pages keys are cut off where they need not go on: what is behind may be nothing that a row can have.
  void add_key(const K& key, ResultRow* row) {
    if (!shows_keys_) {
      row->add_null();
      return;
    }
    const PageView page(page_);
    unsigned end = columns_.keys;
    if (page.level() > 0 && page.tree() == TreeId::keys) {
      end = std::min(end, possible_columns(columns_, key));
      for (unsigned c = 0; c < end; c++) {
        // (Functions of a type that we do not know need not accept what no row had.)
        if (columns_.column[c].type.mapping != nullptr) end = c;
      }
    }
    row->add_datum(texts_.array<K>({page.tree(), key}, 0, end));
  }

  void put_segment(unsigned number, const SegmentRef& ref) {
    const PageView page(page_);
    unsigned dead = 0;
    for (unsigned i = 0; i < ref.count; i++) dead += page.is_dead(ref.first_rank + i) ? 1 : 0;
    ResultRow row;
    row.add_int4(static_cast<int>(number));
    row.add_int4(static_cast<int>(ref.first_rank));
    row.add_int4(static_cast<int>(ref.count));
    row.add_int4(static_cast<int>(dead));
    add_key(ref.first_code, &row);
    add_lines(ref, &row);
    row.add_int4(flag_bits(ref));
    row.add_ratio(8.0 * static_cast<double>(kKeyShare<K> + KeyCodec<K>::bytes(ref.key, ref.count)),
                  ref.count);
    if (page.tree() == TreeId::nulls) {
      row.add_nulls(2);
    } else {
      const ModelErrors errors = model_errors<K>(ref, workspace_->codes + ref.first_rank);
      row.add_ratio(errors.sum, ref.count);
      row.add_float8(errors.most);
    }
    row.add_text(name_of(ref.tids.codec));
    row.add_int4(ref.tids.model.width);
    row.add_int4(ref.tids.scale);
    row.add_int4(ref.tids.runs);
    row.add_ratio(8.0 * static_cast<double>(kTidShare + tid_bytes(ref.tids, ref.count)), ref.count);
    if (page.level() > 0) {
      row.add_int4(ref.child.width);
    } else {
      row.add_null();
    }
    row.put(result_);
  }

  static void add_lines(const SegmentRef& ref, ResultRow* row) {
    constexpr int kWords = static_cast<int>(KeyTraits<K>::kWords);
    Datum kinds[kWords];
    Datum starts[kWords];
    Datum slopes[kWords];
    Datum reaches[kWords];
    Datum bits[kWords];
    bool unknown[kWords];
    for (int w = 0; w < kWords; w++) {
      const WordLine line = line_of(ref, static_cast<unsigned>(w));
      kinds[w] = CStringGetTextDatum(line.kind);
      starts[w] = Float8GetDatum(line.start);
      slopes[w] = Float8GetDatum(line.slope);
      reaches[w] = Float8GetDatum(line.reach);
      bits[w] = Int32GetDatum(line.bits);
      unknown[w] = line.reach < 0;
    }
    int dimension = kWords;
    int lower_bound = 1;
    row->add_datum(PointerGetDatum(construct_array(kinds, kWords, TEXTOID, -1, false, TYPALIGN_INT)));
    row->add_datum(PointerGetDatum(construct_array(starts, kWords, FLOAT8OID, 8, true, TYPALIGN_DOUBLE)));
    row->add_datum(PointerGetDatum(construct_array(slopes, kWords, FLOAT8OID, 8, true, TYPALIGN_DOUBLE)));
    row->add_datum(PointerGetDatum(construct_md_array(reaches, unknown, 1, &dimension, &lower_bound,
                                                      FLOAT8OID, 8, true, TYPALIGN_DOUBLE)));
    row->add_datum(PointerGetDatum(construct_array(bits, kWords, INT4OID, 4, true, TYPALIGN_INT)));
  }

  void put_entry(unsigned number, int segment, const Item& item) {
    if (number % kRowsBetweenInterrupts == 0) CHECK_FOR_INTERRUPTS();
    memory_.with_row([&] {
      const PageView page(page_);
      const bool delta = segment == kOfDelta;
      const unsigned arrival = number - page.encoded();
      ResultRow row;
      row.add_int4(static_cast<int>(number));
      if (delta) {
        row.add_null();
      } else {
        row.add_int4(segment);
      }
      add_key(item.code, &row);
      if (shows_keys_ && columns_.keys < columns_.count && page.level() == 0) {
        row.add_datum(texts_.array<K>({page.tree(), item.code}, columns_.keys, columns_.count));
      } else {
        row.add_null();
      }
      auto* tid = static_cast<ItemPointer>(palloc(sizeof(ItemPointerData)));
      ItemPointerSet(tid, tid_block(item.tid), tid_offset(item.tid));
      row.add_datum(PointerGetDatum(tid));
      if (page.level() > 0) {
        row.add_int8(item.child);
      } else {
        row.add_null();
      }
      row.add_bool(delta);
      row.add_bool(!delta && page.is_dead(number));
      row.add_bool(delta ? kill_marks_.delta_killed(arrival) : kill_marks_.killed(number));
      row.put(result_);
    });
  }

  const ReturnSetInfo* result_;
  bool shows_keys_;
  KeyTexts texts_;
  RowMemory memory_;
  KillMarks kill_marks_;
  Block block_ = kNoBlock;
};
static_assert(std::is_trivially_destructible_v<PageContent<Code>>);

}  // namespace
}  // namespace learned

LEARNED_SQL_FUNCTION(learned_index_segments);
LEARNED_SQL_FUNCTION(learned_index_entries);

Datum learned_index_segments(PG_FUNCTION_ARGS) {
  const int64 block = PG_GETARG_INT64(1);
  InitMaterializedSRF(fcinfo, 0);
  const auto* result = reinterpret_cast<const ReturnSetInfo*>(fcinfo->resultinfo);
  learned::with_inspected_index(fcinfo, [&]<class K>(const learned::InspectedIndex& opened) {
    learned::PageContent<K> page(opened, result);
    if (page.read(block)) page.put_segments();
  });
  PG_RETURN_NULL();
}

Datum learned_index_entries(PG_FUNCTION_ARGS) {
  const int64 block = PG_GETARG_INT64(1);
  InitMaterializedSRF(fcinfo, 0);
  const auto* result = reinterpret_cast<const ReturnSetInfo*>(fcinfo->resultinfo);
  learned::with_inspected_index(fcinfo, [&]<class K>(const learned::InspectedIndex& opened) {
    learned::PageContent<K> page(opened, result);
    if (page.read(block)) page.put_entries();
  });
  PG_RETURN_NULL();
}
