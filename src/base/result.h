// Result<T>: a value or an Error. Every path that a peer or a user's file can reach returns one; nothing throws.
// These names live in `yett` itself, since every module uses them.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace yett {

/// What went wrong, for a person: lower case, no final period, context joined by colons.
struct Error {
  std::string message;

  /// The same error seen from one step further out: "<what>: <message>".
  Error within(const std::string& what) && { return Error{what + ": " + std::move(message)}; }
};

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  /// REQUIRES: ok().
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  /// REQUIRES: !ok().
  Error& error() & { return std::get<1>(state_); }
  const Error& error() const& { return std::get<1>(state_); }
  Error&& error() && { return std::get<1>(std::move(state_)); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  void value() const {}
  /// REQUIRES: !ok().
  const Error& error() const& { return *error_; }
  Error&& error() && { return *std::move(error_); }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

}  // namespace yett

/// TRY(expr): the value of a Result, or return its error from the enclosing function.
#define TRY(expr)                                                                        \
  __extension__({                                                                        \
    auto&& yett_try_result = (expr);                                                     \
    if (!yett_try_result.ok()) return ::yett::Error(std::move(yett_try_result).error()); \
    std::move(yett_try_result).value();                                                  \
  })
