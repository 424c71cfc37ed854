#include "framework/store/names.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <vector>

#include "framework/core/digest.h"
#include "framework/core/error.h"

namespace atelier {
namespace {

std::string make_domain() {
  std::string boot;
  std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), boot);
  std::error_code ignored;
  const auto processes = std::filesystem::read_symlink("/proc/self/ns/pid", ignored);
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  return sha256_hex(fmt::format("{}\n{}\n{}", boot, processes.string(), host.data())).substr(0, 8);
}

/// The start of what was given instead of a digest, fit to be printed.
std::string shown(std::string_view text) {
  std::string start(text.substr(0, 80));
  std::ranges::replace_if(
      start, [](char c) { return c < ' ' || c > '~'; }, '?');
  return start;
}

}  // namespace

bool is_digest(std::string_view text) {
  return text.size() == 64 &&
         std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::string checked_digest(std::string_view text, std::string_view what) {
  if (is_digest(text)) return std::string(text);
  throw Error({.where = fmt::format("store: {}", what),
               .found = fmt::format("\"{}\"", shown(text)),
               .expected = "a SHA-256 as 64 lower-case hexadecimal digits",
               .advice = ""});
}

std::string random_hex(std::size_t bytes) {
  std::vector<unsigned char> random(bytes);
  std::size_t have = 0;
  while (have < bytes) {
    const ssize_t got = ::getrandom(random.data() + have, bytes - have, 0);
    if (got < 0 && errno != EINTR) throw Error({.where = "getrandom", .found = errno_text(errno)});
    if (got > 0) have += static_cast<std::size_t>(got);
  }
  std::string text;
  for (const unsigned char byte : random) text += fmt::format("{:02x}", byte);
  return text;
}

std::string random_uuid() {
  std::string hex = random_hex(16);
  hex[12] = '4';
  hex[16] = "89ab"[static_cast<unsigned>(hex[16]) % 4];
  for (const std::size_t position : {20, 16, 12, 8}) hex.insert(position, 1, '-');
  return hex;
}

const std::string& process_domain() {
  static const std::string domain = make_domain();
  return domain;
}

std::string temporary_name() { return fmt::format("{}-{}-{}", process_domain(), ::getpid(), random_hex(8)); }

Owner owner_of_temporary(std::string_view name) {
  if (name.starts_with('.')) name.remove_prefix(1);
  const auto first = name.find('-');
  const auto second = name.find('-', first == std::string_view::npos ? first : first + 1);
  if (second == std::string_view::npos || name.substr(0, first) != process_domain()) return Owner::unknown;
  pid_t pid = 0;
  const auto [end, fault] = std::from_chars(name.data() + first + 1, name.data() + second, pid);
  if (fault != std::errc{} || end != name.data() + second || pid <= 0) return Owner::unknown;
  return ::kill(pid, 0) == 0 || errno != ESRCH ? Owner::alive : Owner::dead;
}

}  // namespace atelier
