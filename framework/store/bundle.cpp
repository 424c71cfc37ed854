#include "framework/store/bundle.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "framework/core/atomic_file.h"
#include "framework/core/digest.h"
#include "framework/core/error.h"
#include "framework/store/checked_line.h"
#include "framework/store/ingest_parts.h"
#include "framework/store/references.h"
#include "framework/store/spool.h"
#include "framework/store/store_folder.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSchema = "atelier.bundle/1";
constexpr const char* kList = "bundle.json";
constexpr std::size_t kIdDigits = 32;

/// Removes the folder unless the bundle was finished.
class Unfinished {
 public:
  explicit Unfinished(fs::path folder) : folder_(std::move(folder)) {}
  ~Unfinished() {
    std::error_code ignored;
    if (!finished_) fs::remove_all(folder_, ignored);
  }
  Unfinished(const Unfinished&) = delete;
  Unfinished& operator=(const Unfinished&) = delete;
  void finish() { finished_ = true; }

 private:
  const fs::path folder_;
  bool finished_ = false;
};

std::string string_member(const Json& json, const char* name) { return text_of(text_member(json, name)); }

std::set<std::string> keys_in(const Json& manifest) {
  std::set<std::string> keys;
  for (const auto& job : list_member(manifest, "jobs")) {
    for (const auto& output : list_member(job, "outputs")) {
      if (const auto key = string_member(output, "key"); !key.empty()) keys.insert(key);
    }
  }
  return keys;
}

/// Whether the object that the record leads to is part of a bundle.
bool is_bundled(const KeyRecord& record, bool pictures) {
  const auto kind = string_member(record.description, "kind");
  return kind == "score" || (pictures && (kind == "sample" || kind == "given" || kind == "mask"));
}

class BundleWriter {
 public:
  BundleWriter(const Store& store, std::string manifest, fs::path folder, bool pictures)
      : store_(store), manifest_(std::move(manifest)), folder_(std::move(folder)), pictures_(pictures) {}

  BundleContent write() {
    const Json plan = store_.manifest(manifest_);
    const auto keys = keys_in(plan);
    for (const auto name : kStoreFolders) fs::create_directories(folder_ / name);
    copy("manifests/" + manifest_ + ".json");
    put("study.yaml", string_member(plan, "yaml"));
    for (const auto& key : keys) copy_key(key);
    copy_spools(keys);
    const std::string id = sha256_hex(Json(digests_).dump()).substr(0, kIdDigits);
    put("store.json", store_file_text(id));
    const Json list{{"schema", kSchema},
                    {"study", string_member(plan, "study")},
                    {"manifest", manifest_},
                    {"pictures", pictures_},
                    {"files", digests_}};
    const auto text = pretty_json(with_sum(list));
    write_file_atomically(folder_ / kList, text);
    return {.files = digests_.size() + 1, .bytes = bytes_ + text.size()};
  }

 private:
  void put(const std::string& name, const std::string& text) {
    fs::create_directories((folder_ / name).parent_path());
    write_file_atomically(folder_ / name, text);
    digests_[name] = sha256_hex(text);
    bytes_ += text.size();
  }

  void copy(const std::string& name) {
    if (digests_.contains(name)) return;
    fs::create_directories((folder_ / name).parent_path());
    fs::copy_file(store_.root() / name, folder_ / name);
    digests_[name] = sha256_file(folder_ / name);
    bytes_ += fs::file_size(folder_ / name);
  }

  void copy_object(const std::string& digest) {
    if (!store_.has_object(digest)) {
      throw Error({.where = store_.object_path(digest).string(),
                   .found = "no such file",
                   .expected = "the object that a key leads to",
                   .advice = "`atelier verify` tells all that is damaged"});
    }
    copy(fs::relative(store_.object_path(digest), store_.root()).generic_string());
  }

  void copy_key(const std::string& key) {
    const auto record = store_.find(key);
    if (!record) return;  // not made yet: the table says so
    copy("keys/" + key + ".json");
    if (is_bundled(*record, pictures_)) {
      check_held(*record);
      copy_object(record->object);
    }
    if (const auto losses = string_member(record->summary, "losses"); !losses.empty()) copy_object(losses);
  }

  void check_held(const KeyRecord& record) const {
    if (!store_.released(record.key)) return;
    throw Error({.where = fmt::format("key {}", record.key),
                 .found = "pictures that were removed after they were scored (`keep:` of the study)",
                 .expected = "pictures for the bundle",
                 .advice = "leave out --with-pictures"});
  }

  /// Of each spool the lines that are about the keys and the manifest, as they are.
  void copy_spools(const std::set<std::string>& keys) {
    std::set<fs::path> spools;
    for (const auto& entry : fs::directory_iterator(store_.spool_folder())) {
      if (entry.path().extension() == ".jsonl") spools.insert(entry.path());
    }
    std::set<std::string> attempts;
    for (const auto& path : spools) {
      for_each_line(path, [&](const Json& line) {
        const bool ours = std::ranges::any_of(list_member(line, "job_keys"), [&](const Json& key) {
          return key.is_string() && keys.contains(key.get<std::string>());
        });
        if (ours && string_member(line, "type") == "attempt") attempts.insert(string_member(line, "attempt"));
      });
    }
    for (const auto& path : spools) {
      std::string text;
      for_each_line(path, [&](const Json& line) {
        if (string_member(line, "manifest") == manifest_ || attempts.contains(string_member(line, "attempt")) ||
            keys.contains(string_member(line, "key"))) {
          text += checked_line(line);
        }
      });
      if (!text.empty()) put("spool/" + path.filename().string(), text);
    }
  }

  static void for_each_line(const fs::path& path, const std::function<void(const Json&)>& read) {
    read_spool(path, 0, read, [](std::uint64_t, const std::string&) {});  // a torn line has nothing to say
  }

  const Store& store_;  // borrowed
  const std::string manifest_;
  const fs::path folder_;
  const bool pictures_;
  std::map<std::string, std::string> digests_;
  std::uintmax_t bytes_ = 0;
};

[[noreturn]] void fail_file(const fs::path& file, const std::string& found, const std::string& expected) {
  throw Error({.where = file.string(),
               .found = found,
               .expected = expected,
               .advice = "the bundle is damaged: copy it again, or export it anew"});
}

/// A name that stays inside the bundle.
bool is_inside(const std::string& name) {
  const fs::path path(name);
  if (name.empty() || path.is_absolute()) return false;
  return std::ranges::none_of(path, [](const fs::path& part) { return part == ".." || part == "."; });
}

}  // namespace

BundleContent write_bundle(const Store& store, const std::string& manifest, const fs::path& folder, bool pictures) {
  if (fs::exists(folder) && (!fs::is_directory(folder) || !fs::is_empty(folder))) {
    throw Error({.where = folder.string(),
                 .found = "something that is there already",
                 .expected = "a name that is free, or an empty folder"},
                ErrorKind::usage);
  }
  Unfinished guard(folder);
  const auto content = BundleWriter(store, manifest, folder, pictures).write();
  guard.finish();
  return content;
}

Pin pin_of_bundle(const Store& store, const std::string& manifest, bool pictures) {
  const Json plan = store.manifest(manifest);
  Pin pin{.study = string_member(plan, "study"), .manifest = manifest, .keys = {}, .held = {}};
  for (const auto& key : keys_in(plan)) {
    const auto record = store.find(key);
    if (!record) continue;
    pin.keys.insert(key);
    if (is_bundled(*record, pictures)) pin.held.insert(key);
  }
  return pin;
}

bool is_bundle(const fs::path& folder) { return fs::is_regular_file(folder / kList); }

void check_bundle(const fs::path& folder) {
  const auto place = (folder / kList).string();
  const Json list = read_json_file(folder / kList);
  if (string_member(list, "schema") != kSchema) {
    throw Error({.where = place,
                 .found = fmt::format("\"{}\"", string_member(list, "schema")),
                 .expected = fmt::format("\"{}\"", kSchema)});
  }
  check_sum(list, place);
  for (const auto& [name, digest] : object_member(list, "files").items()) {
    if (!is_inside(name)) throw Error({.where = place, .found = "\"" + name + "\"", .expected = "a name inside it"});
    if (!fs::is_regular_file(folder / name))
      fail_file(folder / name, "no such file", "the file that bundle.json names");
    const auto found = sha256_file(folder / name);
    if (digest != Json(found)) fail_file(folder / name, "SHA-256 " + found, digest.dump());
  }
}

}  // namespace atelier
