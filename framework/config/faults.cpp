#include "framework/config/faults.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "framework/core/text.h"

namespace atelier {
namespace {

/// Without "methods.textreg.options: " (paths of files stay).
std::string without_path(const std::string& found) {
  const auto colon = found.find(": ");
  return colon == std::string::npos || found.find_first_of(" /") < colon ? found : found.substr(colon + 2);
}

}  // namespace

std::string place_text(const std::string& file, const SourcePosition& at) {
  return at.override_text.empty() ? fmt::format("{}:{}:{}", file, at.line, at.column) : at.override_text;
}

void Faults::add(const SourcePosition& at, std::string found, std::string expected, std::string advice) {
  const auto where = place_text(file_, at);
  if (at.command) found = without_path(found);
  const bool known = std::ranges::any_of(
      faults_, [&](const Entry& entry) { return entry.fault.where == where && entry.fault.found == found; });
  if (known) return;
  Fault fault{.where = where, .found = std::move(found), .expected = std::move(expected), .advice = std::move(advice)};
  faults_.push_back({at, std::move(fault)});
}

std::vector<Faults::Entry> Faults::sorted() const {
  auto entries = faults_;
  std::ranges::stable_sort(entries, {}, [](const Entry& entry) {
    const bool overridden = !entry.at.override_text.empty();
    return std::tuple(overridden, entry.at.line, entry.at.column);
  });
  return entries;
}

std::vector<std::string> Faults::lines() const {
  std::vector<std::string> texts;
  for (const auto& entry : sorted()) texts.emplace_back(Error(entry.fault).what());
  return texts;
}

void Faults::raise() const {
  if (faults_.empty()) return;
  if (faults_.size() == 1) throw Error(faults_.front().fault, ErrorKind::usage);
  throw Error({.where = file_,
               .found = fmt::format("{} faults", faults_.size()),
               .expected = "",
               .advice = "\n" + join(lines(), "\n")},
              ErrorKind::usage);
}

std::vector<std::string> fault_lines(const Error& error) {
  const auto& text = error.fault().advice;
  if (!text.starts_with('\n')) return {error.what()};
  std::vector<std::string> lines;
  for (std::size_t begin = 1; begin <= text.size();) {
    const auto end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

}  // namespace atelier
