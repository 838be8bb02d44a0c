#include "am/count/visited_rows.hpp"

#include "am/server/grown_array.hpp"

namespace learned {

uint64* VisitedRows::chunk_of(BlockNumber number) {
  if (number >= count_) {
    const BlockNumber count = number + number / 2 + 16;
    const Size more = (count - count_) * sizeof(uint64*);
    if (bytes_ + more > most_) return nullptr;
    chunks_ = enlarge(context_, chunks_, count);
    std::fill(chunks_ + count_, chunks_ + count, nullptr);
    count_ = count;
    bytes_ += more;
  }
  if (chunks_[number] == nullptr && bytes_ + sizeof(Chunk) <= most_) {
    chunks_[number] = static_cast<uint64*>(MemoryContextAllocZero(context_, sizeof(Chunk)));
    bytes_ += sizeof(Chunk);
  }
  return chunks_[number];
}

}  // namespace learned
