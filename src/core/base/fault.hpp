// What a check found.
#pragma once

#include <cstddef>
#include <cstdint>

namespace learned {

enum class FaultKind : std::uint8_t {
  none,
  corrupt,  // no writer leaves it so
  newer,    // of a format that only a newer library reads
};

// A kind, and a constant lower-case sentence without an end mark. Sentences alone are corruption, which most faults are.
// True in a condition if there is one: `if (Fault fault = check(...)) return fault;`.
class Fault {
 public:
  constexpr Fault() = default;
  constexpr Fault(std::nullptr_t) {}
  constexpr Fault(const char* corrupt)  // null: none
      : text_(corrupt), kind_(corrupt != nullptr ? FaultKind::corrupt : FaultKind::none) {}
  constexpr Fault(FaultKind kind, const char* text) : text_(text), kind_(kind) {}

  friend constexpr bool operator==(const Fault& fault, std::nullptr_t) {
    return fault.kind_ == FaultKind::none;
  }
  constexpr explicit operator bool() const { return kind_ != FaultKind::none; }
  constexpr FaultKind kind() const { return kind_; }
  // Null if there is none.
  constexpr const char* text() const { return text_; }

 private:
  const char* text_ = nullptr;
  FaultKind kind_ = FaultKind::none;
};

}  // namespace learned
