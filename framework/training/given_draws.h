#pragma once

#include <map>
#include <string>
#include <utility>
#include <variant>

#include "framework/training/draws.h"

namespace atelier {

/// Draws whose outcomes somebody else made: a probe. Every draw that is asked for must have been given, of the right
/// kind and in range; else an Error names it.
class GivenDraws final : public Draws {
 public:
  using Outcome = std::variant<bool, std::int64_t, double, Tensor>;

  GivenDraws() = default;
  /// `where` names the place in errors: "batch.3".
  explicit GivenDraws(std::string where) : where_(std::move(where)) {}

  void give(const std::string& name, Outcome outcome, std::int64_t index = 0);

  [[nodiscard]] double uniform(std::string_view name, std::int64_t index = 0) override;
  [[nodiscard]] std::int64_t below(std::string_view name, std::int64_t n, std::int64_t index = 0) override;
  /// An integer 0 or 1 is accepted too.
  [[nodiscard]] bool happens(std::string_view name, double p, std::int64_t index = 0) override;
  [[nodiscard]] Tensor normal(std::string_view name, at::IntArrayRef shape, std::int64_t index = 0) override;

 private:
  [[nodiscard]] const Outcome& find(std::string_view name, std::int64_t index, const char* kind) const;
  [[noreturn]] void fail(std::string_view name, std::int64_t index, std::string found, std::string expected) const;

  std::string where_ = "draws";
  std::map<std::pair<std::string, std::int64_t>, Outcome> outcomes_;
};

}  // namespace atelier
