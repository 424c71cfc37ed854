#include "framework/cli/safe_names.h"

#include <cctype>
#include <string_view>

#include "framework/core/digest.h"

namespace atelier::cli {
namespace {

constexpr std::size_t kLongest = 100;
constexpr std::size_t kDigits = 8;  // of the digest

std::string plain(const std::string& text) {
  std::string name;
  for (const char c : text) {
    const bool stays =
        std::isalnum(static_cast<unsigned char>(c)) != 0 || std::string_view("-_=.+").find(c) != std::string_view::npos;
    name += stays ? c : '_';
  }
  if (name.empty() || name.front() == '.') name.insert(name.begin(), '_');
  return name;
}

std::string marked(const std::string& name, const std::string& text) {
  return name.substr(0, kLongest - kDigits - 1) + "-" + sha256_hex(text).substr(0, kDigits);
}

}  // namespace

std::map<std::string, std::string> safe_names(const std::set<std::string>& texts) {
  std::map<std::string, int> uses;
  for (const auto& text : texts) ++uses[plain(text)];
  std::map<std::string, std::string> names;
  for (const auto& text : texts) {
    const auto name = plain(text);
    const bool doubtful = name != text && uses[name] > 1;
    names[text] = doubtful || name.size() > kLongest ? marked(name, text) : name;
  }
  return names;
}

}  // namespace atelier::cli
