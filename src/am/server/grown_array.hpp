// An array that grows, in the memory context that was current when it was made, beyond a gigabyte if need be.
#pragma once

#include "am/server/server.hpp"

namespace learned {

// Goes with its context: there is no destructor. T is copied byte by byte.
template <class T>
class GrownArray {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  GrownArray() : context_(CurrentMemoryContext) {}

  void push(const T& value) {
    if (size_ == capacity_) reserve(capacity_ == 0 ? 64 : capacity_ * 2);
    data_[size_++] = value;
  }
  void reserve(Size capacity) {
    if (capacity <= capacity_) return;
    const Size bytes = capacity * sizeof(T);
    data_ = static_cast<T*>(data_ == nullptr ? MemoryContextAllocHuge(context_, bytes)
                                             : repalloc_huge(data_, bytes));
    capacity_ = capacity;
  }
  void clear() { size_ = 0; }
  // Gives the memory back.
  void release() {
    if (data_ != nullptr) pfree(data_);
    data_ = nullptr;
    size_ = capacity_ = 0;
  }

  Size size() const { return size_; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  T& operator[](Size i) { return data_[i]; }
  const T& operator[](Size i) const { return data_[i]; }

 private:
  MemoryContext context_;
  T* data_ = nullptr;
  Size size_ = 0;
  Size capacity_ = 0;
};

}  // namespace learned
