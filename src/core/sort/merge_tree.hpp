// Merges sorted streams of entries, batch by batch.
//
// A binary tree of two-way merges, each with a small buffer, rather than a heap or a loser tree: a two-way merge
// of a batch has no branch that depends on the keys, and random keys make every other such branch a
// misprediction. Stretches in which one input is below the other are passed through uncopied; the parts of an
// append-only table that parallel workers have scanned consist of those.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include "core/sort/sort_entry.hpp"

namespace learned {

struct MergedCounts {
  std::size_t from_a;
  std::size_t from_b;
};

// Merges the beginnings of two sorted ranges into `out` until one of them is used up or `capacity` is. Of equal
// entries those of `a` come first.
template <class K>
MergedCounts merge_entries(std::span<const SortEntry<K>> a, std::span<const SortEntry<K>> b,
                           SortEntry<K>* out, std::size_t capacity) {
  const SortEntry<K>* next_a = a.data();
  const SortEntry<K>* next_b = b.data();
  const SortEntry<K>* const end_a = next_a + a.size();
  const SortEntry<K>* const end_b = next_b + b.size();
  while (capacity > 0 && next_a != end_a && next_b != end_b) {
    // So many steps cannot use anything up before the last of them.
    const std::size_t steps = std::min(
        {capacity, static_cast<std::size_t>(end_a - next_a), static_cast<std::size_t>(end_b - next_b)});
    for (std::size_t i = 0; i < steps; ++i) {
      // Without a branch (for keys of one word): both are compared, and the pointers advance by a truth value.
      bool less;
      if constexpr (KeyTraits<K>::kWords == 1) {
        less = (next_b->code < next_a->code) | ((next_b->code == next_a->code) & (next_b->tid < next_a->tid));
      } else {
        less = *next_b < *next_a;
      }
      const SortEntry<K>* const winner = less ? next_b : next_a;
      out[i] = *winner;
      next_b += less ? 1 : 0;
      next_a += less ? 0 : 1;
    }
    out += steps;
    capacity -= steps;
  }
  return {static_cast<std::size_t>(next_a - a.data()), static_cast<std::size_t>(next_b - b.data())};
}

// Source provides `std::span<const SortEntry<K>> next_batch(std::size_t input)`: the next entries of an input in order,
// none at its end (it may be asked again), valid until it is asked for the same input again.
template <class Source, class K = Code>
class MergeTree {
 public:
  using Entry = SortEntry<K>;
  // Entries that a two-way merge yields at once.
  static constexpr std::size_t kBuffer = 1024;
  // A stretch of this many entries is worth handing out as it is.
  static constexpr std::size_t kStretch = 64;

  struct Node {
    std::span<const Entry> left;
    std::span<const Entry> right;
    Entry buffer[kBuffer];
  };

  // How many nodes the caller allocates.
  static constexpr std::size_t node_count(std::size_t inputs) { return inputs; }

  MergeTree() = default;

  // REQUIRES: inputs > 0; `nodes` has node_count(inputs) elements and, like the source, outlives this.
  MergeTree(Source* source, std::size_t inputs, Node* nodes)
      : source_(source), inputs_(inputs), nodes_(nodes) {
    for (std::size_t i = 0; i < inputs; ++i) {
      nodes_[i].left = {};
      nodes_[i].right = {};
    }
  }

  // The next entries of all inputs in order, none at the end; valid until the next call.
  std::span<const Entry> next_batch() { return pull(1); }

 private:
  // Node n merges nodes 2n and 2n + 1; nodes inputs .. 2 * inputs - 1 are the inputs.
  std::span<const Entry> pull(std::size_t n) {
    if (n >= inputs_) return source_->next_batch(n - inputs_);
    Node& node = nodes_[n];
    // What a child handed out is used up here before the child is asked again.
    if (node.left.empty()) node.left = pull(2 * n);
    if (node.right.empty()) node.right = pull(2 * n + 1);
    if (node.right.empty()) return take(&node.left, node.left.size());
    if (node.left.empty()) return take(&node.right, node.right.size());
    if (const std::size_t count = stretch(node.left, node.right); count > 0) return take(&node.left, count);
    if (const std::size_t count = stretch(node.right, node.left); count > 0) return take(&node.right, count);
    const MergedCounts merged = merge_entries<K>(node.left, node.right, node.buffer, kBuffer);
    node.left = node.left.subspan(merged.from_a);
    node.right = node.right.subspan(merged.from_b);
    return {node.buffer, merged.from_a + merged.from_b};
  }

  // How many entries of `a` come before all of `b`, if they are worth it, else 0.
  static std::size_t stretch(std::span<const Entry> a, std::span<const Entry> b) {
    if (a.back() < b.front()) return a.size();
    if (a.size() < kStretch || !(a[kStretch - 1] < b.front())) return 0;
    return static_cast<std::size_t>(std::lower_bound(a.begin(), a.end(), b.front()) - a.begin());
  }

  static std::span<const Entry> take(std::span<const Entry>* entries, std::size_t count) {
    const std::span<const Entry> taken = entries->first(count);
    *entries = entries->subspan(count);
    return taken;
  }

  Source* source_ = nullptr;
  std::size_t inputs_ = 0;
  Node* nodes_ = nullptr;
};

}  // namespace learned
