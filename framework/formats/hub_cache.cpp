#include "framework/formats/hub_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <fstream>

#include "framework/core/error.h"
#include "framework/core/text.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kModelPrefix = "models--";

std::string environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? std::string() : std::string(value);
}

bool is_name_character(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

bool is_commit(const std::string& text) {
  return text.size() == 40 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

/// A revision may hold slashes ("refs/pr/3") but no step that leaves its folder.
bool is_safe_revision(const std::string& revision) {
  const fs::path path(revision);
  const auto is_bad = [](const fs::path& part) { return part.empty() || part == "." || part == ".."; };
  return !revision.empty() && path.is_relative() && std::none_of(path.begin(), path.end(), is_bad) &&
         revision.find('\0') == std::string::npos;
}

fs::path repo_folder(const fs::path& root, const std::string& repo) {
  auto name = std::string(kModelPrefix);
  for (const char c : repo) name += c == '/' ? std::string("--") : std::string(1, c);
  return root / name;
}

std::vector<std::string> snapshots_of(const fs::path& folder) {
  std::vector<std::string> commits;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder / "snapshots", ignored)) {
    if (entry.is_directory(ignored)) commits.push_back(entry.path().filename().string());
  }
  std::sort(commits.begin(), commits.end());
  return commits;
}

std::string read_reference(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(64, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) text.pop_back();
  if (!is_commit(text)) {
    throw Error({.where = path.string(),
                 .found = "no commit",
                 .expected = "40 hexadecimal digits",
                 .advice = "the cache is damaged; download the model again"});
  }
  return text;
}

[[noreturn]] void fail_revision(const fs::path& folder, const std::string& repo, const std::string& revision) {
  const auto commits = snapshots_of(folder);
  const auto advice = commits.size() == 1
                          ? fmt::format("the cache has one snapshot; to use it say {}@{}", repo, commits[0])
                      : commits.empty() ? std::string("download the model")
                                        : "the cache has the snapshots " + join(commits, ", ", 5);
  throw Error({.where = folder.string(),
               .found = fmt::format("no snapshot for revision \"{}\" of {}", revision, repo),
               .expected = fmt::format("refs/{} and the snapshot that it names", revision),
               .advice = advice});
}

}  // namespace

fs::path expand_path(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    if (i == 0 && text[0] == '~' && (text.size() == 1 || text[1] == '/')) {
      out += environment("HOME");
      ++i;
      continue;
    }
    const bool braced = text[i] == '$' && i + 1 < text.size() && text[i + 1] == '{';
    const auto begin = i + (braced ? 2 : 1);
    auto end = begin;
    while (text[i] == '$' && end < text.size() && is_name_character(text[end])) ++end;
    const auto name = text[i] == '$' ? text.substr(begin, end - begin) : std::string();
    const bool closed = !braced || (end < text.size() && text[end] == '}');
    if (name.empty() || !closed || std::getenv(name.c_str()) == nullptr) {
      out += text[i++];
      continue;
    }
    out += environment(name);
    i = end + (braced ? 1 : 0);
  }
  return out;
}

fs::path hub_cache_root() {
  for (const auto* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}) {
    if (const auto value = environment(name); !value.empty()) return expand_path(value);
  }
  if (const auto home = environment("HF_HOME"); !home.empty()) return expand_path(home) / "hub";
  if (const auto cache = environment("XDG_CACHE_HOME"); !cache.empty())
    return expand_path(cache) / "huggingface" / "hub";
  return expand_path("~/.cache/huggingface/hub");
}

bool is_repo_id(const std::string& text) {
  const auto is_allowed = [](char c) { return is_name_character(c) || c == '-' || c == '.' || c == '/'; };
  const auto slash = text.find('/');
  const bool has_parts = slash == std::string::npos || (slash > 0 && slash + 1 < text.size());
  return !text.empty() && text.size() <= 96 && has_parts && std::count(text.begin(), text.end(), '/') <= 1 &&
         text.find("..") == std::string::npos && text.find("--") == std::string::npos &&
         std::all_of(text.begin(), text.end(), is_allowed) && text.front() != '.' && text.front() != '-';
}

std::optional<HubSnapshot> find_snapshot(const fs::path& root, const std::string& repo, const std::string& revision) {
  if (!is_repo_id(repo) || !is_safe_revision(revision)) {
    throw Error({.where = fmt::format("{}@{}", repo, revision),
                 .found = "not a model's name",
                 .expected = "org/name or org/name@revision"},
                ErrorKind::usage);
  }
  const auto folder = repo_folder(root, repo);
  if (!fs::is_directory(folder)) return std::nullopt;
  const auto reference = folder / "refs" / revision;
  const auto commit = fs::is_regular_file(reference) ? read_reference(reference) : revision;
  const auto snapshot = folder / "snapshots" / commit;
  if (!is_commit(commit) || !fs::is_directory(snapshot)) fail_revision(folder, repo, revision);
  return HubSnapshot{snapshot, repo, revision, commit};
}

std::vector<std::string> cached_models(const fs::path& root) {
  std::vector<std::string> repos;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(root, ignored)) {
    auto name = entry.path().filename().string();
    if (!name.starts_with(kModelPrefix) || !entry.is_directory(ignored)) continue;
    name.erase(0, kModelPrefix.size());
    if (const auto dashes = name.find("--"); dashes != std::string::npos) name.replace(dashes, 2, "/");
    if (is_repo_id(name)) repos.push_back(name);
  }
  std::sort(repos.begin(), repos.end());
  return repos;
}

}  // namespace atelier
