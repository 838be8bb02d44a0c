// What a backend remembers of the pages it has read: that their checksums matched, in which buffer they were, and
// how their bytes are laid out.
//
// Lookups in large indexes wait for memory more than they compute. A remembered buffer is worth a try before the
// buffer table, and what a search in the page will touch can be fetched all at once, before the first byte of it
// is needed. None of it is believed: the buffer's tag, the page's fences and its checksum decide.
#pragma once

#include "am/server/compat.hpp"
#include "am/store/cache_counts.hpp"
#include "core/page/view.hpp"

namespace learned {

struct alignas(32) SeenPage {
  static constexpr unsigned kSegments = 3;  // of the first few segments the layout is kept
  static constexpr uint8 kBitmap = 0x80;    // in a width: a bitmap follows (core/column/elias_fano.hpp)

  uint32 tag;       // a checksum that was seen to match, mixed with the page's identity (seen_tag)
  uint16 upper;     // of the page when its delta entries were checked
  uint16 encoded;   // its entries then; 0: the layout is not known
  uint16 segments;  // how many it has
  struct {
    uint16 offset;     // of the key residuals, all words of them
    uint16 key_bytes;  // of them; TID residuals follow
  } segment[kSegments];
  uint16 first_rank[kSegments - 1];  // of the second and the third segment
  uint16 end;                        // of the last segment's residuals
  uint8 width
      [kMaxWords];  // of the residuals of each word of keys in the first segment, or of its low parts: kBitmap
};
static_assert(sizeof(SeenPage) == 32);

// By block number, so that neighbours share memory and the leaves of one index up to two gigabytes do not displace one
// another. Of these tables a session has in memory what it has used.
inline constexpr uint32 kSeenPages = 1 << 18;
extern SeenPage seen_pages[kSeenPages];
// Where each was last; InvalidBuffer: nowhere. A table of its own: all else waits for it, and it is small enough to stay
// in a processor's own cache.
extern Buffer seen_buffers[kSeenPages];
// The tags alone, of more pages, because a checksum costs far more than anything else that is not known of a page: by block
// number, up to eight gigabytes of an index.
inline constexpr uint32 kSeenTags = 1 << 20;
extern uint32 seen_tags[kSeenTags];
// Pages that were known to be sound or had to be checked; that were where they had been, or had to be looked for.
extern CacheCounts seen_page_counts;
extern CacheCounts seen_buffer_counts;

inline uint32 identity_of_index(Relation index) {
  return static_cast<uint32>(compat::file_number(index)) * 2654435769u;
}
inline uint32 seen_slot(Relation index, Block block) {
  return (block + (identity_of_index(index) >> 14)) % kSeenPages;
}
inline uint32* seen_tag_of(Relation index, Block block) {
  return &seen_tags[(block + (identity_of_index(index) >> 12)) % kSeenTags];
}
inline SeenPage* seen_page(Relation index, Block block) { return &seen_pages[seen_slot(index, block)]; }
// A page that changes gets another checksum, hence another tag.
inline uint32 seen_tag(Relation index, Block block, uint32 check) {
  return check ^ identity_of_index(index) ^ (block / kSeenPages) ^ 1;
}

// Records that a page was found sound. REQUIRES: check_header() found nothing.
template <class K>
void remember_page(SeenPage* seen, uint32 tag, const BasicPageView<K>& page);

// Begins to fetch what a search for a key (of type K) behind a `fraction` of the page's entries (negative: unknown) reads.
// REQUIRES: the page's last buffer is valid.
template <class K>
void prefetch_page(const SeenPage& seen, Buffer buffer, float fraction);

// The same for whoever looks at the header only, and the models. REQUIRES: the same.
template <class K>
void prefetch_header(Buffer buffer);
// The same for whoever reads all of it.
template <class K>
void prefetch_all(Buffer buffer);

// Whether a buffer may be pinned by ReadRecentBuffer, which before 19 does not raise its usage count: true if its count
// is so high already that the clock sweep treats it as an often visited one. A hint, read without a lock.
bool is_popular(Buffer buffer);

}  // namespace learned
