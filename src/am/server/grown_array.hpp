// Arrays that grow beyond a gigabyte if need be; and one in the memory context that was current when it was made.
#pragma once

#include "am/server/server.hpp"

namespace learned {

// An array with room for so many values in place of one that has less, or nullptr.
template <class T>
[[nodiscard]] T* enlarge(MemoryContext context, T* array, Size capacity) {
  static_assert(std::is_trivially_copyable_v<T>);
  const Size bytes = std::max<Size>(capacity, 1) * sizeof(T);
  return static_cast<T*>(array == nullptr ? MemoryContextAllocHuge(context, bytes)
                                          : repalloc_huge(array, bytes));
}

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
    data_ = enlarge(context_, data_, capacity);
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
