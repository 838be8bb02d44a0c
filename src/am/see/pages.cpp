// learned_index_metapage() and learned_index_pages(): what an index is made of, page by page.
//
// Who may: roles that have been granted EXECUTE (pg_monitor from the beginning on), and of them those that may examine the index:
// inspection.hpp has the rule. Beside writers: each page is as it was when it was read.
#include "am/check/page_totals.hpp"
#include "am/check/verify.hpp"
#include "am/see/inspected.hpp"
#include "am/server/result_row.hpp"

namespace learned {
namespace {

Datum lsn_of(const std::uint8_t* page) {
  return UInt64GetDatum(PageGetLSN(reinterpret_cast<::Page>(const_cast<std::uint8_t*>(page))));
}

template <class K>
class PageLister : PageChecker<K> {
  using Base = PageChecker<K>;
  using Base::check_meta;
  using Base::fault;
  using Base::page_;
  using Base::reader_;
  using typename Base::PageView;

 public:
  explicit PageLister(Relation index) : Base(index) {}

  Datum metapage(TupleDesc desc) {
    const MetaInfo meta = check_meta();
    ResultRow row;
    row.add_int4(load<MetaPage>(page_ + kHeaderSize).version);
    row.add_int4(static_cast<int>(KeyTraits<K>::kWords));
    row.add_datum(ObjectIdGetDatum(meta.key_kind));
    for (int t = 0; t < kTreeCount; t++) {
      // (Of several words there is one tree. The other one is a leaf without entries, and stays that.)
      row.add_int8(meta.root[t]);
      row.add_int4(meta.level[t]);
    }
    row.add_datum(lsn_of(page_));
    return row.form(desc);
  }

  void pages(const ReturnSetInfo* result) {
    check_meta();
    RowMemory memory;
    for (Block block = kMetaBlock; block < reader_.blocks(); block++) {
      reader_.copy(block, page_);
      memory.with_row([&] { put(block, result); });
    }
  }

 private:
  void put(Block block, const ReturnSetInfo* result) {
    ResultRow row;
    row.add_int8(block);
    if (block == kMetaBlock) {
      if (Fault f = verify_meta_page<K>(page_)) fault(block, f);
      row.add_text("meta");
      row.add_nulls(kFacts);
    } else if (is_new_page(page_)) {
      row.add_text("new");
      row.add_nulls(kFacts);
    } else {
      if (Fault f = verify_page<K>(page_)) fault(block, f);
      const PageView page(page_);
      if (page.deleted()) {
        row.add_text("deleted");
        row.add_nulls(kFacts);
      } else {
        row.add_text(page.level() > 0 ? "inner" : "leaf");
        add_facts(page, &row);
      }
    }
    row.add_datum(lsn_of(page_));
    row.put(result);
  }

  static constexpr int kFacts = 12;
  static void add_facts(const PageView& page, ResultRow* row) {
    row->add_text(page.tree() == TreeId::nulls ? "nulls" : "keys");
    row->add_int4(static_cast<int>(page.level()));
    row->add_int4(static_cast<int>(page.live()));
    row->add_int4(static_cast<int>(page.encoded()));
    row->add_int4(static_cast<int>(page.deltas()));
    row->add_int4(static_cast<int>(page.dead()));
    row->add_int4(page.level() > 0 ? 0 : static_cast<int>(killed_entries(page)));
    row->add_int4(static_cast<int>(page.segments()));
    row->add_int4(page.upper() - page.lower());
    add_link(page.left(), row);
    add_link(page.right(), row);
    row->add_bool(page.incomplete_split());
  }
  static void add_link(Block block, ResultRow* row) {
    if (block == kNoBlock) {
      row->add_null();
    } else {
      row->add_int8(block);
    }
  }
};
static_assert(std::is_trivially_destructible_v<PageLister<Code>>);

}  // namespace
}  // namespace learned

LEARNED_SQL_FUNCTION(learned_index_metapage);
LEARNED_SQL_FUNCTION(learned_index_pages);

Datum learned_index_metapage(PG_FUNCTION_ARGS) {
  TupleDesc desc;
  if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE) {
    elog(ERROR, "return type must be a row type");
  }
  desc = BlessTupleDesc(desc);
  MemoryContext caller = CurrentMemoryContext;
  Datum row = 0;
  learned::with_inspected_index(fcinfo, [&]<class K>(const learned::InspectedIndex& opened) {
    learned::PageLister<K> lister(opened.index);
    MemoryContext context = MemoryContextSwitchTo(caller);
    row = lister.metapage(desc);
    MemoryContextSwitchTo(context);
  });
  PG_RETURN_DATUM(row);
}

Datum learned_index_pages(PG_FUNCTION_ARGS) {
  InitMaterializedSRF(fcinfo, 0);
  const auto* result = reinterpret_cast<const ReturnSetInfo*>(fcinfo->resultinfo);
  learned::with_inspected_index(fcinfo, [&]<class K>(const learned::InspectedIndex& opened) {
    learned::PageLister<K>(opened.index).pages(result);
  });
  PG_RETURN_NULL();
}
