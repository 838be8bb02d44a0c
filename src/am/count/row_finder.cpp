#include "am/count/row_finder.hpp"

#include "core/code/key_steps.hpp"
#include "core/count/leaf_tally.hpp"

namespace learned {

template <class K>
void RowFinder<K>::begin(const ScanKeyData* keys, int nkeys, Snapshot snapshot, bool same_snapshot,
                         ScanDirection direction) {
  leaves_.begin(keys, nkeys, snapshot, same_snapshot, leaves_.parts().forward(direction));
  passed_ = 0;
  narrowed_ = false;
}

template <class K>
bool RowFinder<K>::find(uint64 n, FoundRow<K>* row) {
  while (leaves_.any_left()) {
    CHECK_FOR_INTERRUPTS();
    read_leaf();
    if (!narrowed_ && passed_ + rows_[0] + leaves_.suspects() <= n) {
      if (leaves_.has_many_suspects()) visit_suspects();
      passed_ += rows_[0];
    } else {
      visit_suspects();
      if (pass_pieces(n)) {
        if (!narrowed_ || !single_[piece_]) {
          narrow_to_piece();
          continue;
        }
        *row = {leaves_.parts().current().tree, first_[piece_]};
        // The next one is looked for from here on.
        narrowed_ = false;
        leaves_.return_to(leaves_.forward() ? row->entry : row->behind());
        leaves_.release_map();
        return true;
      }
      if (narrowed_ && leaves_.leaf().covers(leaves_.parts().current().tree, leaves_.forward() ? hi_ : lo_))
        lost();
    }
    leaves_.go_on();
  }
  // (No leaf is left to which they would be added.)
  tag_ += kPieces;
  visit_suspects();
  leaves_.release_map();
  return false;
}

template <class K>
void RowFinder<K>::visit_suspects() {
  leaves_.visit_suspects([this](uint32 tag, const K*) {
    // Those of earlier leaves have other tags.
    const uint32 piece = tag - tag_;
    (piece < static_cast<uint32>(kPieces) ? rows_[piece] : passed_)++;
  });
}

// Passes over the pieces that lie before the row n, piece_ has it. False: all do.
template <class K>
bool RowFinder<K>::pass_pieces(uint64 n) {
  const bool forward = leaves_.forward();
  for (int p = 0; p < pieces_; p++) {
    piece_ = forward ? p : pieces_ - 1 - p;
    if (passed_ + rows_[piece_] > n) return true;
    passed_ += rows_[piece_];
  }
  return false;
}

// Only the piece is read from now on.
template <class K>
void RowFinder<K>::narrow_to_piece() {
  if (narrowed_) {
    lo_ = first_[piece_];
    if (piece_ + 1 < pieces_) hi_ = first_[piece_ + 1];
  } else {
    const Entry began = leaves_.began();
    lo_ = leaves_.forward() ? began : lowest_entry<K>();
    hi_ = leaves_.forward() ? Entry{KeyTraits<K>::highest(), kMaxTid + 1} : began;
    narrowed_ = true;
  }
  leaves_.return_to(leaves_.forward() ? lo_ : hi_);
}

// ---- a leaf

template <class K>
void RowFinder<K>::read_leaf() {
  // (Never twice the same while there are suspects.)
  tag_ += kPieces;
  leaves_.read(
      [this](const PageView& page, const BasicLeafRanks<K>& ranks, const auto& open) {
        Sink sink{this};
        LeafTally leaf(page, open, sink);
        const bool whole = !narrowed_ && leaves_.parts().filter() == nullptr;
        if (!(whole ? tally_leaf(page, ranks, leaf) : tally_pieces(page, leaf))) leaves_.damaged();
        return true;
      },
      [] { return lowest_entry<K>(); });
}

// All of it: in no order.
template <class K>
template <class Tally>
bool RowFinder<K>::tally_leaf(const PageView& page, const BasicLeafRanks<K>& ranks, Tally& leaf) {
  pieces_ = 1;
  piece_ = 0;
  rows_[0] = 0;
  const auto part = leaves_.parts().current();
  const unsigned deltas = page.deltas();
  for (unsigned d = 0; d < deltas; d++) {
    const Entry entry = PageView::delta_entry(page.delta_at(d));
    if (leaves_.leaf().takes(part, entry)) leaf.entry(entry.code, entry.tid);
  }
  return leaf.ranks(ranks.begin, ranks.end);
}

// By the entries' numbers: pieces of what it is narrowed to, or all of it, but for what the filter leaves out.
template <class K>
template <class Tally>
bool RowFinder<K>::tally_pieces(const PageView& page, Tally& leaf) {
  BasicLeafRanks<K> ranks;
  entries_.open(page, false);
  if (!entries_.select(leaves_.leaf(), leaves_.parts().current(), &ranks)) return false;
  int begin = 0;
  int end = entries_.total();
  if (narrowed_ && !(entries_.count_before(lo_, &begin) && entries_.count_before(hi_, &end))) return false;
  const int total = std::max(end - begin, 0);
  pieces_ = narrowed_ ? std::min(total, kPieces) : 1;
  int from = begin;
  for (piece_ = 0; piece_ < pieces_; piece_++) {
    int to = begin + total * (piece_ + 1) / pieces_;
    if (to < end && !entries_.keep_together(&to)) return false;
    rows_[piece_] = 0;
    if (narrowed_ && !name_piece(from, to)) return false;
    if (!tally_piece(from, to, leaf)) return false;
    from = to;
  }
  entries_.release();
  return true;
}

// Notes where the current piece begins, and whether its entries, which may be none, have one position.
template <class K>
bool RowFinder<K>::name_piece(int begin, int end) {
  Entry& first = first_[piece_];
  Entry last{};
  bool dead;
  if (!entries_.decode(begin, begin + 1, {&first.code, &first.tid, &dead})) return false;
  single_[piece_] = end - begin <= 1;
  if (end - begin != 2) return true;
  if (!entries_.decode(end - 1, end, {&last.code, &last.tid, &dead})) return false;
  single_[piece_] = first == last;
  return true;
}

template <class K>
template <class Tally>
bool RowFinder<K>::tally_piece(int begin, int end, Tally& leaf) {
  while (begin < end) {
    int stop = end;
    if constexpr (KeyTraits<K>::kWords > 1) {
      if (const KeySet* filter = leaves_.parts().filter(); filter != nullptr) {
        Entry at{};
        bool dead;
        if (!entries_.decode(begin, begin + 1, {&at.code, &at.tid, &dead})) return false;
        KeyRange stretch;
        if (!filter->next(widen(at.code), &stretch)) return true;
        const K lo = narrow<KeyTraits<K>::kWords>(stretch.lo);
        const K hi = narrow<KeyTraits<K>::kWords>(stretch.hi);
        if (at.code < lo) {
          // Over the gap.
          if (!entries_.count_before({lo, 0}, &stop)) return false;
          begin = std::max(begin + 1, stop);
          continue;
        }
        if (hi < KeyTraits<K>::highest() && !entries_.count_before({KeyTraits<K>::after(hi), 0}, &stop))
          return false;
        stop = std::clamp(stop, begin + 1, end);
      }
    }
    const bool sound = entries_.for_each(
        begin, stop, [&leaf](unsigned rank, unsigned end_rank, int) { return leaf.ranks(rank, end_rank); },
        [&leaf](const Entry& entry, bool, int) {
          leaf.entry(entry.code, entry.tid);
          return true;
        });
    if (!sound) return false;
    begin = stop;
  }
  return true;
}

#define LEARNED_ROW_FINDER(K) template class RowFinder<K>;
LEARNED_FOR_EVERY_KEY(LEARNED_ROW_FINDER)
#undef LEARNED_ROW_FINDER

}  // namespace learned
