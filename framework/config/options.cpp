#include "framework/config/options.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "framework/core/error.h"
#include "framework/core/text.h"

namespace atelier {

struct Options::State {
  Json values;
  std::set<std::string> reads;
  std::string reader;

  [[noreturn]] void undeclared(std::string_view name) const {
    const std::vector<std::string> names(reads.begin(), reads.end());
    throw Error({.where = reader,
                 .found = fmt::format("reads the option \"{}\", which it did not declare", name),
                 .expected = names.empty() ? "no option at all: it declared none" : "one of " + join(names),
                 .advice = "what is read enters the key: add it to the stage's reads"});
  }

  [[noreturn]] void wrong_type(std::string_view name, const Json& value, std::string_view expected) const {
    throw Error({.where = reader,
                 .found = fmt::format("the option \"{}\" is {}", name, value.is_null() ? "unset" : value.type_name()),
                 .expected = std::string(expected)});
  }
};

Options::Options(Json values, std::set<std::string> reads, std::string reader)
    : state_(std::make_unique<State>(State{std::move(values), std::move(reads), std::move(reader)})) {}

Options::~Options() = default;

Options::Options(const Options& other) : state_(std::make_unique<State>(*other.state_)) {}

Options& Options::operator=(const Options& other) {
  if (this != &other) state_ = std::make_unique<State>(*other.state_);
  return *this;
}

const Json& Options::value(std::string_view name) const {
  const std::string key(name);
  if (!state_->reads.contains(key)) state_->undeclared(name);
  const auto found = state_->values.find(key);
  if (found == state_->values.end()) {
    throw Error({.where = state_->reader,
                 .found = fmt::format("reads the option \"{}\", which the method does not have", name),
                 .expected = "an option of the method"});
  }
  return *found;
}

bool Options::declared(std::string_view name) const { return state_->reads.contains(std::string(name)); }

bool Options::flag(std::string_view name) const {
  const auto& found = value(name);
  if (!found.is_boolean()) state_->wrong_type(name, found, "true or false");
  return found.get<bool>();
}

std::int64_t Options::integer(std::string_view name) const {
  const auto& found = value(name);
  if (!found.is_number_integer()) state_->wrong_type(name, found, "an integer");
  return found.get<std::int64_t>();
}

double Options::real(std::string_view name) const {
  const auto& found = value(name);
  if (!found.is_number()) state_->wrong_type(name, found, "a number");
  return found.get<double>();
}

std::string Options::text(std::string_view name) const {
  const auto& found = value(name);
  if (!found.is_string()) state_->wrong_type(name, found, "a text");
  return found.get<std::string>();
}

std::vector<std::int64_t> Options::integers(std::string_view name) const {
  const auto& found = value(name);
  if (!found.is_array()) state_->wrong_type(name, found, "a list of integers");
  std::vector<std::int64_t> numbers;
  for (const auto& item : found) {
    if (!item.is_number_integer()) state_->wrong_type(name, item, "integers only");
    numbers.push_back(item.get<std::int64_t>());
  }
  return numbers;
}

std::optional<std::int64_t> Options::optional_integer(std::string_view name) const {
  if (value(name).is_null()) return std::nullopt;
  return integer(name);
}

std::optional<double> Options::optional_real(std::string_view name) const {
  if (value(name).is_null()) return std::nullopt;
  return real(name);
}

std::optional<std::string> Options::optional_text(std::string_view name) const {
  if (value(name).is_null()) return std::nullopt;
  return text(name);
}

}  // namespace atelier
