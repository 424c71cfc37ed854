#include "framework/store/ingest.h"

#include <dirent.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/store/ingest_parts.h"
#include "framework/store/names.h"
#include "framework/store/spool.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

/// Names with a number each, in byte order.
using Names = std::vector<std::pair<std::string, std::int64_t>>;

/// Names (less `suffix`) and inodes of a folder's files; one readdir pass, no stat.
Names files_of(const fs::path& folder, std::string_view suffix) {
  Names files;
  const std::unique_ptr<DIR, int (*)(DIR*)> opened(::opendir(folder.c_str()), ::closedir);
  if (!opened) throw Error({.where = folder.string(), .found = errno_text(errno), .expected = "a folder of the store"});
  while (const dirent* entry = ::readdir(opened.get())) {
    const std::string_view name = entry->d_name;
    if (name.starts_with('.') || !name.ends_with(suffix)) continue;
    files.emplace_back(name.substr(0, name.size() - suffix.size()), static_cast<std::int64_t>(entry->d_ino));
  }
  std::ranges::sort(files);
  return files;
}

void note_damage(Database& database, const std::string& place, const std::string& text) {
  database.run("INSERT OR REPLACE INTO damage VALUES (?, ?)", {place, text});
}

/// What the index has, ordered by its name.
Names seen(Database& database, const std::string& sql) {
  Names values;
  for (const auto& row : database.run(sql)) {
    values.emplace_back(text_of(row[0]), row.size() > 1 ? integer_of(row[1]) : 0);
  }
  return values;
}

/// The number that goes with the name; none: it is not among them.
std::optional<std::int64_t> find_in(const Names& names, const std::string& name) {
  const auto found = std::ranges::lower_bound(names, name, {}, &Names::value_type::first);
  return found == names.end() || found->first != name ? std::nullopt : std::optional(found->second);
}

std::size_t ingest_manifests(Database& database, const Store& store) {
  const auto known = seen(database, "SELECT manifest FROM study ORDER BY manifest");
  const auto files = files_of(store.root() / "manifests", ".json");
  std::size_t count = 0;
  for (const auto& [digest, unused] : known) {
    if (!find_in(files, digest)) forget_manifest(database, digest);
  }
  for (const auto& [digest, inode] : files) {
    if (find_in(known, digest)) continue;
    const auto place = "manifests/" + digest + ".json";
    try {
      ingest_manifest(database, digest, store.manifest(digest));
      ++count;
    } catch (const Error& error) {
      note_damage(database, place, error.what());
    }
  }
  return count;
}

std::size_t ingest_keys(Database& database, const Store& store) {
  const auto known = seen(database, "SELECT key, inode FROM ingested_key ORDER BY key");
  const auto files = files_of(store.root() / "keys", ".json");
  std::size_t count = 0;
  if (files == known) return 0;
  for (const auto& [key, unused] : known) {
    if (find_in(files, key)) continue;
    forget_record(database, key);
    database.run("DELETE FROM ingested_key WHERE key = ?", {key});
  }
  for (const auto& [key, inode] : files) {
    if (find_in(known, key) == inode) continue;  // a record that grows gets another inode
    const auto place = "keys/" + key + ".json";
    try {
      const auto record = store.find(key);
      if (!record) continue;  // gc was faster
      ingest_record(database, store, *record);
      database.run("INSERT OR REPLACE INTO ingested_key VALUES (?, ?)", {key, inode});
      ++count;
    } catch (const Error& error) {
      note_damage(database, place, error.what());
    }
  }
  return count;
}

std::size_t ingest_spools(Database& database, const Store& store) {
  const auto known = seen(database, "SELECT spool, bytes FROM ingested_spool ORDER BY spool");
  std::size_t count = 0;
  for (const auto& [name, inode] : files_of(store.spool_folder(), ".jsonl")) {
    const auto path = store.spool_folder() / (name + ".jsonl");
    const auto start = static_cast<std::uint64_t>(find_in(known, name).value_or(0));
    if (fs::file_size(path) == start) continue;
    const auto damaged = [&](std::uint64_t offset, const std::string& why) {
      note_damage(database, fmt::format("spool/{}.jsonl, byte {}", name, offset), why);
    };
    const auto event = [&](const Json& line) {
      ingest_event(database, line);
      ++count;
    };
    const auto end = static_cast<std::int64_t>(read_spool(path, start, event, damaged));
    database.run("INSERT OR REPLACE INTO ingested_spool VALUES (?, ?)", {name, end});
  }
  return count;
}

}  // namespace

Value text_member(const Json& json, const char* name) {
  const auto found = json.is_object() ? json.find(name) : json.end();
  return found != json.end() && found->is_string() ? Value(found->get<std::string>()) : Value();
}

Value integer_member(const Json& json, const char* name) {
  const auto found = json.is_object() ? json.find(name) : json.end();
  return found != json.end() && found->is_number_integer() ? Value(found->get<std::int64_t>()) : Value();
}

Value real_member(const Json& json, const char* name) {
  const auto found = json.is_object() ? json.find(name) : json.end();
  return found != json.end() && found->is_number() ? Value(found->get<double>()) : Value();
}

Value json_member(const Json& json, const char* name) {
  const auto found = json.is_object() ? json.find(name) : json.end();
  if (found == json.end() || found->is_null()) return {};
  return found->dump(-1, ' ', false, Json::error_handler_t::replace);
}

const Json& list_member(const Json& json, const char* name) {
  static const Json none = Json::array();
  const auto found = json.is_object() ? json.find(name) : json.end();
  return found != json.end() && found->is_array() ? *found : none;
}

const Json& object_member(const Json& json, const char* name) {
  static const Json none = Json::object();
  const auto found = json.is_object() ? json.find(name) : json.end();
  return found != json.end() && found->is_object() ? *found : none;
}

std::size_t ingest(Database& database, const Store& store) {
  // Files that could not be read are tried again each time; a spool's lines are not.
  database.run("DELETE FROM damage WHERE place NOT LIKE 'spool/%'");
  return ingest_manifests(database, store) + ingest_keys(database, store) + ingest_spools(database, store);
}

}  // namespace atelier
