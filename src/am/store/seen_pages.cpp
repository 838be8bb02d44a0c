#include "am/store/seen_pages.hpp"

#include <algorithm>

#include "am/server/compat.hpp"

extern "C" {
#include "storage/buf_internals.h"
}

namespace learned {

SeenPage seen_pages[kSeenPages];
Buffer seen_buffers[kSeenPages];
uint32 seen_tags[kSeenTags];
CacheCounts seen_page_counts;
CacheCounts seen_buffer_counts;

namespace {

constexpr std::size_t kLine = 64;
constexpr uint32 kPopular = 2;
constexpr std::size_t kMostModels = 12 * kLine;

// The lines around what lies behind a fraction of an area of the page. Inlined by force: g++ takes a function that only prefetches for
// one without effect and drops the call.
[[gnu::always_inline]] inline void prefetch_around(const std::uint8_t* page, std::size_t begin,
                                                   std::size_t size, float fraction, std::size_t margin) {
  const auto middle = begin + static_cast<std::size_t>(fraction * static_cast<float>(size));
  const std::size_t from = middle > begin + margin ? middle - margin : begin;
  const std::size_t to = middle + margin < begin + size ? middle + margin : begin + size;
  for (std::size_t at = from & ~(kLine - 1); at < to; at += kLine) __builtin_prefetch(page + at);
}

}  // namespace

template <class K>
void remember_page(SeenPage* seen, uint32 tag, const BasicPageView<K>& page) {
  // (Of this page before it changed, or of another one.)
  seen_page_counts.evictions += seen->tag != 0 ? 1 : 0;
  seen->tag = tag;
  seen->upper = static_cast<uint16>(page.upper());
  seen->segments = static_cast<uint16>(page.segments());
  seen->end = static_cast<uint16>(page.lower());
  seen->encoded = 0;
  if (page.segments() > SeenPage::kSegments) return;
  for (unsigned i = 0; i < page.segments(); i++) {
    BasicSegmentRef<K> ref;
    if (!load_segment(page, i, &ref)) return;
    seen->segment[i] = {ref.offset, static_cast<uint16>(KeyCodec<K>::bytes(ref.key, ref.count))};
    if (i == 0) {
      for (unsigned w = 0; w < KeyTraits<K>::kWords; w++) {
        const WordLayout layout = KeyCodec<K>::layout(ref.key, w);
        seen->width[w] = static_cast<uint8>(layout.width | (layout.elias_fano ? SeenPage::kBitmap : 0));
      }
    }
    if (i > 0) seen->first_rank[i - 1] = static_cast<uint16>(ref.first_rank);
  }
  seen->encoded = static_cast<uint16>(page.encoded());
}

template <class K>
void prefetch_page(const SeenPage& seen, Buffer buffer, float fraction) {
  constexpr std::size_t kSpecial = kSpecialOf<K>;
  constexpr std::size_t kSegment = segment_size<K>(0);
  __builtin_prefetch(&seen);
  if (!BufferIsLocal(buffer)) __builtin_prefetch(GetBufferDescriptor(static_cast<uint32>(buffer - 1)));
  const std::uint8_t* page = buffer_bytes(buffer);
  // Header, trailer, the models of the first two segments, the newest of the delta.
  __builtin_prefetch(page);
  __builtin_prefetch(page + kSpecial);
  __builtin_prefetch(page + kSpecial - kSegment);
  // (What is remembered may be of a page of another index, with more models than pages of this one have room for.)
  const std::size_t dir = kSpecial - std::min(std::size_t{seen.segments} * kSegment, kSpecial);
  // Models are bisected: a dozen of them, as of a few hundred rows each of a first word's values, are fetched all at once.
  const std::size_t models = std::max(dir, kSpecial - kMostModels);
  for (std::size_t at = models & ~(kLine - 1); at < kSpecial - kSegment; at += kLine)
    __builtin_prefetch(page + at);
  if (fraction >= 0.0F && fraction <= 1.0F && seen.encoded > 0 && seen.segments <= SeenPage::kSegments) {
    // A page of random keys strays from the line by about the square root of their number.
    const float rank = fraction * static_cast<float>(seen.encoded);
    unsigned s = 0;
    while (s + 1 < seen.segments && rank >= static_cast<float>(seen.first_rank[s])) s++;
    const unsigned first = s > 0 ? seen.first_rank[s - 1] : 0;
    const bool last = s + 1 >= seen.segments;
    const unsigned next = last ? seen.encoded : seen.first_rank[s];
    const unsigned end = last ? seen.end : seen.segment[s + 1].offset;
    const unsigned tids = seen.segment[s].offset + seen.segment[s].key_bytes;
    if (next <= first) return;
    const float within = (rank - static_cast<float>(first)) / static_cast<float>(next - first);
    if constexpr (KeyTraits<K>::kWords == 1) {
      prefetch_around(page, seen.segment[s].offset, seen.segment[s].key_bytes, within, 96);
    } else {
      // (Segments of a page are mostly alike in their widths; where not, what is fetched is not the best.)
      const auto packed = [&](unsigned w) {
        return packed_bytes(next - first, seen.width[w] & ~SeenPage::kBitmap);
      };
      // What is left of the segment's words are bitmaps: mostly one, or none.
      std::size_t bitmap = seen.segment[s].key_bytes;
      for (unsigned w = 0; w < KeyTraits<K>::kWords; w++) bitmap -= std::min(bitmap, packed(w));
      std::size_t at = seen.segment[s].offset;
      for (unsigned w = 0; w < KeyTraits<K>::kWords; w++) {
        const std::size_t size = packed(w);
        const bool has_bitmap = (seen.width[w] & SeenPage::kBitmap) != 0;
        if (size > 0 && at + size <= tids) {
          if (!has_bitmap) __builtin_prefetch(page + at);  // what the model is loaded with
          // (No bisection among low parts.)
          prefetch_around(page, at, size, within, has_bitmap ? 40 : 64);
        }
        at += size;
        if (!has_bitmap || at + bitmap > tids) continue;
        // It is searched from its beginning.
        const std::size_t searched =
            static_cast<std::size_t>(within * static_cast<float>(bitmap)) + kLine / 2;
        for (std::size_t line = 0; line < searched && line < bitmap; line += kLine)
          __builtin_prefetch(page + at + line);
        at += bitmap;
        bitmap = 0;
      }
    }
    if (end > tids) prefetch_around(page, tids, end - tids, within, 48);
  }
  // (A page that is only ever descended through, like the metapage, was not looked at.)
  if (seen.upper == 0) return;
  // The kill marks begin there.
  __builtin_prefetch(page + seen.end);
  for (std::size_t at = seen.upper & ~(kLine - 1); at < dir; at += kLine) __builtin_prefetch(page + at);
}

template <class K>
void prefetch_header(Buffer buffer) {
  if (!BufferIsLocal(buffer)) __builtin_prefetch(GetBufferDescriptor(static_cast<uint32>(buffer - 1)));
  const std::uint8_t* page = buffer_bytes(buffer);
  __builtin_prefetch(page);
  __builtin_prefetch(page + kSpecialOf<K>);
  __builtin_prefetch(page + kSpecialOf<K> - segment_size<K>(0));
}

template <class K>
void prefetch_all(Buffer buffer) {
  prefetch_header<K>(buffer);
  const std::uint8_t* page = buffer_bytes(buffer);
  for (std::size_t at = 0; at < kPageSize; at += kLine) __builtin_prefetch(page + at);
}

#define LEARNED_SEEN_PAGES(K)                                              \
  template void remember_page(SeenPage*, uint32, const BasicPageView<K>&); \
  template void prefetch_page<K>(const SeenPage&, Buffer, float);          \
  template void prefetch_header<K>(Buffer);                                \
  template void prefetch_all<K>(Buffer);
LEARNED_FOR_EVERY_KEY(LEARNED_SEEN_PAGES)
#undef LEARNED_SEEN_PAGES

bool is_popular(Buffer buffer) {
  if (compat::kRecentReadsCount || BufferIsLocal(buffer)) return true;
  BufferDesc* descriptor = GetBufferDescriptor(static_cast<uint32>(buffer - 1));
  return BUF_STATE_GET_USAGECOUNT(compat::read_atomic(&descriptor->state)) >= kPopular;
}

}  // namespace learned
