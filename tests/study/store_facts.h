#pragma once

#include <map>
#include <string>

/// What the spools of a store say was done, key by key.
class StoreFacts {
 public:
  explicit StoreFacts(const std::string& store);

  /// Attempts that were begun for the key.
  [[nodiscard]] int attempts(const std::string& key) const { return count(attempts_, key); }
  /// Of those, the ones that published it.
  [[nodiscard]] int publications(const std::string& key) const { return count(publications_, key); }
  /// Contents that came out otherwise than an earlier one under the same key.
  [[nodiscard]] int divergences() const { return divergences_; }

 private:
  static int count(const std::map<std::string, int>& counts, const std::string& key) {
    const auto found = counts.find(key);
    return found == counts.end() ? 0 : found->second;
  }

  std::map<std::string, int> attempts_, publications_;
  int divergences_ = 0;
};
