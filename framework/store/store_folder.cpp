#include "framework/store/store_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/core/json.h"
#include "framework/store/checked_line.h"
#include "framework/store/names.h"
#include "framework/store/publishing.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSchema = "atelier.store/";
constexpr int kVersion = 1;

fs::path version_file(const fs::path& root) { return root / "store.json"; }

/// A store must not grow among somebody's files, where gc would later remove things. (What an interrupted first call
/// left is our own.)
void refuse_foreign_folder(const fs::path& root) {
  for (const auto& entry : fs::directory_iterator(root)) {
    const auto name = entry.path().filename().string();
    if (std::ranges::find(kStoreFolders, name) != kStoreFolders.end() || name == "store.json") continue;
    throw Error({.where = root.string(),
                 .found = fmt::format("a folder with other things in it (\"{}\") and no store.json", name),
                 .expected = "a store, an empty folder, or a name that is free",
                 .advice = "choose another folder with --store DIR or ATELIER_STORE"});
  }
}

void make_root(const fs::path& root) {
  std::error_code fault;
  fs::create_directories(root, fault);
  if (fault) fail_in_store(root, "make this folder", fault.value());
  if (!fs::exists(version_file(root))) refuse_foreign_folder(root);
}

/// First wins, so that two processes that make one store agree on its id.
void make_version_file(const fs::path& root) {
  const Temporary temporary(root / "tmp" / temporary_name());
  write_new_file(temporary.path(), store_file_text(random_hex(16)));
  static_cast<void>(link_new(temporary.path(), version_file(root)));
  sync_folder(root);
}

[[noreturn]] void fail_version(const fs::path& root, const std::string& schema) {
  throw Error({.where = version_file(root).string(),
               .found = fmt::format("\"{}\"", schema),
               .expected = fmt::format("\"{}{}\", the version this program reads", kSchema, kVersion),
               .advice = schema.starts_with(kSchema)
                             ? "use the Atelier that wrote it, or another store with --store DIR"
                             : "this folder is not a store; choose another with --store DIR"});
}

}  // namespace

std::string store_file_text(const std::string& id) {
  return pretty_json(with_sum({{"schema", fmt::format("{}{}", kSchema, kVersion)}, {"id", id}}));
}

std::string make_store_folder(const fs::path& root) {
  make_root(root);
  if (fs::exists(version_file(root))) static_cast<void>(read_store_id(root));  // before anything is made in it
  for (const auto folder : kStoreFolders) make_folder(root / folder);
  if (::faccessat(AT_FDCWD, (root / "tmp").c_str(), W_OK | X_OK, AT_EACCESS) != 0) {
    fail_in_store(root, "write to this store", errno);
  }
  if (!fs::exists(version_file(root))) make_version_file(root);
  return read_store_id(root);
}

std::string read_store_id(const fs::path& root) {
  std::error_code fault;
  if (!fs::exists(version_file(root), fault)) {
    throw Error({.where = root.string(),
                 .found = fault ? fault.message() : "no store here",
                 .expected = "a folder that `atelier run` made",
                 .advice = "name it with --store DIR or ATELIER_STORE"});
  }
  const Json content = read_json_file(version_file(root));
  const auto text = [&](const char* key) {
    const auto found = content.is_object() ? content.find(key) : content.end();
    return found != content.end() && found->is_string() ? found->get<std::string>() : std::string{};
  };
  if (text("schema") != fmt::format("{}{}", kSchema, kVersion)) fail_version(root, text("schema"));
  check_sum(content, version_file(root).string());
  const auto id = text("id");
  const bool plain = id.size() == 32 && id.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (plain) return id;
  throw Error({.where = version_file(root).string(), .found = "no id", .expected = "an id of 32 hexadecimal digits"});
}

}  // namespace atelier
