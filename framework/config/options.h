#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "framework/core/json.h"

namespace atelier {

/// Resolved options as one reader sees them. Reading an option that the reader did not declare is an error: what is
/// read is what enters its key.
class Options {
 public:
  /// `values`: object of name -> value, all options of the method. `reads`: what may be read. `reader` names the reader
  /// in errors: "textreg: stage ut".
  Options(Json values, std::set<std::string> reads, std::string reader);
  ~Options();
  Options(const Options&);
  Options& operator=(const Options&);

  /// Whether the reader declared it.
  [[nodiscard]] bool declared(std::string_view name) const;
  [[nodiscard]] bool flag(std::string_view name) const;
  [[nodiscard]] std::int64_t integer(std::string_view name) const;
  [[nodiscard]] double real(std::string_view name) const;
  [[nodiscard]] std::string text(std::string_view name) const;
  [[nodiscard]] std::vector<std::int64_t> integers(std::string_view name) const;
  [[nodiscard]] std::optional<std::int64_t> optional_integer(std::string_view name) const;
  [[nodiscard]] std::optional<double> optional_real(std::string_view name) const;
  [[nodiscard]] std::optional<std::string> optional_text(std::string_view name) const;

 private:
  struct State;
  [[nodiscard]] const Json& value(std::string_view name) const;
  std::unique_ptr<State> state_;
};

}  // namespace atelier
