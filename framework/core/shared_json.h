#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "framework/core/json.h"

namespace atelier {

/// A value that many owners have in common: copies share it, and it never changes. A study of 100,000 cells has a few
/// hundred different sets of options.
class SharedJson {
 public:
  /// An empty object.
  SharedJson() : value_(empty()) {}
  SharedJson(Json value) : value_(std::make_shared<const Json>(std::move(value))) {}

  operator const Json&() const { return *value_; }
  const Json& operator*() const { return *value_; }
  const Json* operator->() const { return value_.get(); }
  [[nodiscard]] const Json& at(const std::string& name) const { return value_->at(name); }
  [[nodiscard]] std::size_t size() const { return value_->size(); }

  /// Equal for copies of one value, as long as one of them lives.
  [[nodiscard]] const Json* identity() const { return value_.get(); }
  friend bool operator==(const SharedJson& a, const SharedJson& b) { return *a.value_ == *b.value_; }

 private:
  static const std::shared_ptr<const Json>& empty() {
    static const auto value = std::make_shared<const Json>(Json::object());
    return value;
  }

  std::shared_ptr<const Json> value_;
};

}  // namespace atelier
