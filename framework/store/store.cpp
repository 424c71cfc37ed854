#include "framework/store/store.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <utility>

#include "framework/core/atomic_file.h"
#include "framework/core/digest.h"
#include "framework/core/error.h"
#include "framework/store/checked_line.h"
#include "framework/store/names.h"
#include "framework/store/publishing.h"
#include "framework/store/store_folder.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

std::string canonical_text(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::strict); }

void check_record(const KeyRecord& record, const Store& store) {
  if (key_of(record.description) != checked_digest(record.key, "key")) {
    throw Error({.where = fmt::format("store: key {}", record.key),
                 .found = "a description with another key",
                 .expected = "the SHA-256 of the description's canonical text",
                 .advice = ""});
  }
  if (store.has_object(record.object)) return;
  throw Error({.where = fmt::format("store: key {}", record.key),
               .found = fmt::format("object {} is not in the store", record.object),
               .expected = "the artifact to be published before its key",
               .advice = ""});
}

}  // namespace

fs::path Store::default_root() {
  const char* chosen = std::getenv("ATELIER_STORE");
  return chosen != nullptr && *chosen != '\0' ? fs::path(chosen) : fs::path(".atelier");
}

Store Store::create_or_open(const fs::path& root) {
  auto absolute = fs::absolute(root).lexically_normal();
  if (!absolute.has_filename()) absolute = absolute.parent_path();  // "store/"
  auto id = make_store_folder(absolute);
  return {absolute, std::move(id)};
}

Store Store::open(const fs::path& root) {
  const auto absolute = fs::absolute(root).lexically_normal();
  return {absolute, read_store_id(absolute)};
}

fs::path Store::object_path(std::string_view digest) const {
  const auto name = checked_digest(digest, "object");
  return root_ / "objects" / name.substr(0, 2) / name.substr(2);
}

bool Store::has_object(std::string_view digest) const { return fs::is_regular_file(object_path(digest)); }

fs::path Store::temporary_path() const { return root_ / "tmp" / temporary_name(); }

void Store::place(const fs::path& sealed, const std::string& digest) const {
  const auto path = object_path(digest);
  make_folder(path.parent_path());
  // An object of that name and another length was damaged after it was published; the good bytes are at hand.
  if (!link_new(sealed, path) && fs::file_size(path) != fs::file_size(sealed)) replace(sealed, path);
  sync_folder(path.parent_path());
}

std::string Store::adopt(const fs::path& finished) const {
  const Temporary temporary(finished);  // also when the disk is full: what is left would fill it further
  seal_file(finished);
  auto digest = sha256_file(finished);
  place(finished, digest);
  return digest;
}

std::string Store::put(std::string_view content) const {
  auto digest = sha256_hex(content);
  const auto path = object_path(digest);
  std::error_code missing;
  if (fs::file_size(path, missing) == content.size() && !missing) return digest;
  const Temporary temporary(temporary_path());
  write_new_file(temporary.path(), content);
  place(temporary.path(), digest);
  return digest;
}

fs::path Store::key_path(std::string_view key) const { return root_ / "keys" / (checked_digest(key, "key") + ".json"); }

std::optional<KeyRecord> Store::find(std::string_view key) const {
  const auto path = key_path(key);
  if (!fs::exists(path)) return std::nullopt;
  auto record = key_record(read_json_file(path), path.string());
  if (record.key == key) return record;
  throw Error({.where = path.string(),
               .found = fmt::format("the record of key {}", record.key),
               .expected = "the key of its name",
               .advice = "run `atelier verify`"});
}

bool Store::has(std::string_view key) const {
  // Asked for every key of a plan: without fs::path, which would take longer than the system's answer.
  return ::access(fmt::format("{}/keys/{}.json", root_.native(), checked_digest(key, "key")).c_str(), F_OK) == 0;
}

fs::path Store::released_path(std::string_view key) const { return root_ / "released" / checked_digest(key, "key"); }

bool Store::released(std::string_view key) const {
  return ::access(fmt::format("{}/released/{}", root_.native(), checked_digest(key, "key")).c_str(), F_OK) == 0;
}

FileDescriptor Store::lock_publishing(LockMode mode) const {
  return lock_file(root_ / "keys" / ".publishing.lock", true, mode);
}

bool Store::publish(const KeyRecord& record) const {
  const auto lock = lock_publishing(LockMode::shared);
  check_record(record, *this);
  const auto path = key_path(record.key);
  const Temporary temporary(temporary_path());
  write_new_file(temporary.path(), pretty_json(to_json(record)));
  const bool first = link_new(temporary.path(), path);
  sync_folder(path.parent_path());
  return first || publish_again(record);
}

bool Store::publish_again(const KeyRecord& record) const {
  auto published = find(record.key).value();
  const bool same = published.object == record.object;
  if (!released(record.key)) {
    if (!same) add_divergent(record);
    return same;
  }
  if (!same) {  // the earlier bytes are gone, and what was made from them is not
    published.summary = record.summary;
    published.summary["removed"].push_back(published.object);
    published.divergent.push_back(std::exchange(published.object, record.object));
    std::ranges::sort(published.divergent);
    const Temporary temporary(temporary_path());
    write_new_file(temporary.path(), pretty_json(to_json(published)));
    replace(temporary.path(), key_path(record.key));
    sync_folder(root_ / "keys");
  }
  ::unlink(released_path(record.key).c_str());
  return same;
}

void Store::add_divergent(const KeyRecord& record) const {
  // Not the key's own lock: its holder is usually the one that publishes.
  const auto lock = lock_file(root_ / "keys" / ".divergence.lock", true);
  auto published = find(record.key).value();
  if (std::ranges::find(published.divergent, record.object) != published.divergent.end()) return;
  published.divergent.push_back(record.object);
  std::ranges::sort(published.divergent);
  const Temporary temporary(temporary_path());
  write_new_file(temporary.path(), pretty_json(to_json(published)));
  replace(temporary.path(), key_path(record.key));
  sync_folder(root_ / "keys");
}

std::optional<KeyLock> Store::lock(std::string_view key, bool wait) const {
  const auto path = root_ / "keys" / (checked_digest(key, "key") + ".lock");
  auto use = lock_file(use_lock_path(), wait, LockMode::shared);
  if (!use) return std::nullopt;
  auto file = lock_file(path, wait);
  if (!file) return std::nullopt;
  return KeyLock(std::move(file), std::move(use));
}

KeyLock Store::lock_for_use() const { return {{}, lock_file(use_lock_path(), true, LockMode::shared)}; }

std::optional<KeyLock> Store::lock_against_use() const {
  auto use = lock_file(use_lock_path(), false);
  if (!use) return std::nullopt;
  return KeyLock({}, std::move(use));
}

fs::path Store::use_lock_path() const { return root_ / "keys" / ".use.lock"; }

fs::path Store::snapshot_path(std::string_view key) const { return root_ / "snapshots" / checked_digest(key, "key"); }

fs::path Store::spool_folder() const { return root_ / "spool"; }

std::string Store::put_manifest(const Json& manifest) const {
  const auto text = manifest.dump(-1, ' ', false, Json::error_handler_t::replace);
  auto digest = sha256_hex(text);
  const auto lock = lock_publishing(LockMode::shared);  // from now on nobody releases what this study needs
  const auto path = root_ / "manifests" / (digest + ".json");
  std::error_code missing;
  if (fs::file_size(path, missing) == text.size() && !missing && sha256_file(path) == digest) return digest;
  const Temporary temporary(temporary_path());
  write_new_file(temporary.path(), text);
  // One whose text does not fit its name was damaged after it was written.
  if (!link_new(temporary.path(), path) && sha256_file(path) != digest) replace(temporary.path(), path);
  sync_folder(root_ / "manifests");
  return digest;
}

Json Store::manifest(std::string_view digest) const {
  const auto path = root_ / "manifests" / (checked_digest(digest, "manifest") + ".json");
  auto text = read_text_file(path, std::size_t{1} << 30);
  if (sha256_hex(text) == digest) return parse_json(text, path.string());
  throw Error({.where = path.string(),
               .found = "a manifest whose text does not fit its name",
               .expected = "the text that was stored",
               .advice = "run the study again, which writes its manifest anew"});
}

Json to_json(const KeyRecord& record) {
  return with_sum({{"schema", "atelier.key/1"},
                   {"key", record.key},
                   {"description", record.description},
                   {"object", record.object},
                   {"summary", record.summary},
                   {"divergent", record.divergent}});
}

KeyRecord key_record(const Json& json, const std::string& where) {
  check_sum(json, where);
  try {
    KeyRecord record{.key = json.at("key").get<std::string>(),
                     .description = json.at("description"),
                     .object = json.at("object").get<std::string>(),
                     .summary = json.value("summary", Json::object()),
                     .divergent = json.value("divergent", std::vector<std::string>{})};
    for (const auto& digest : record.divergent) static_cast<void>(checked_digest(digest, "divergent object"));
    static_cast<void>(checked_digest(record.object, "object"));
    return record;
  } catch (const Json::exception& error) {
    throw Error({.where = where,
                 .found = fmt::format("not a key record: {}", error.what()),
                 .expected = "key, description, object",
                 .advice = "run `atelier verify`"});
  }
}

std::string key_of(const Json& description) { return sha256_hex(canonical_text(description)); }

}  // namespace atelier
