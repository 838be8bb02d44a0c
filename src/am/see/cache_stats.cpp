// learned_index_cache_stats(): what this session remembers of indexes, and how often that helped. Its own alone: everybody may ask.
#include "am/options.hpp"
#include "am/server/result_row.hpp"
#include "am/store/model_cache.hpp"
#include "am/store/seen_pages.hpp"

namespace learned {
namespace {

void put(const char* name, const CacheCounts& counts, const CacheSize& size, const ReturnSetInfo* result) {
  ResultRow row;
  row.add_text(name);
  row.add_int8(static_cast<int64>(counts.hits));
  row.add_int8(static_cast<int64>(counts.misses));
  row.add_int8(static_cast<int64>(counts.evictions));
  row.add_int8(size.entries);
  row.add_int8(size.bytes);
  row.add_int8(size.most_bytes);
  row.put(result);
}

CacheSize size_of_pages() {
  const auto layouts = std::count_if(std::begin(seen_pages), std::end(seen_pages),
                                     [](const SeenPage& seen) { return seen.tag != 0; });
  const auto tags =
      std::count_if(std::begin(seen_tags), std::end(seen_tags), [](uint32 tag) { return tag != 0; });
  return {std::max(layouts, tags),
          layouts * static_cast<int64>(sizeof(SeenPage)) + tags * static_cast<int64>(sizeof(uint32)),
          sizeof seen_pages + sizeof seen_tags};
}

CacheSize size_of_buffers() {
  const auto used = std::count_if(std::begin(seen_buffers), std::end(seen_buffers),
                                  [](Buffer buffer) { return BufferIsValid(buffer); });
  return {used, used * static_cast<int64>(sizeof(Buffer)), sizeof seen_buffers};
}

}  // namespace
}  // namespace learned

LEARNED_SQL_FUNCTION(learned_index_cache_stats);

Datum learned_index_cache_stats(PG_FUNCTION_ARGS) {
  InitMaterializedSRF(fcinfo, 0);
  const auto* result = reinterpret_cast<const ReturnSetInfo*>(fcinfo->resultinfo);
  learned::put("models", learned::model_cache_counts, learned::model_cache_size(), result);
  learned::put("checked pages", learned::seen_page_counts, learned::size_of_pages(), result);
  learned::put("buffers", learned::seen_buffer_counts, learned::size_of_buffers(), result);
  PG_RETURN_NULL();
}
