#include "framework/store/gc.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "framework/core/error.h"
#include "framework/store/names.h"
#include "framework/store/pins.h"
#include "framework/store/publishing.h"
#include "framework/store/references.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

/// Whether the maker of a temporary lives is known on its own machine alone. While nobody holds a lock, one that was
/// not touched for this long belongs to nobody.
constexpr auto kForeignAge = std::chrono::hours(24);

std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> entries;
  for (const auto& entry : fs::directory_iterator(folder)) entries.push_back(entry.path());
  std::ranges::sort(entries);  // so that a dry run and the run say the same
  return entries;
}

std::uintmax_t size_of(const fs::path& path) {
  std::error_code gone;
  if (!fs::is_directory(path, gone)) {
    const auto size = fs::file_size(path, gone);
    return gone ? 0 : size;
  }
  std::uintmax_t sum = 0;
  for (const auto& entry : fs::recursive_directory_iterator(path))
    sum += entry.is_regular_file() ? entry.file_size() : 0;
  return sum;
}

std::string kind_of(const KeyRecord& record) {
  const Json& kind = member_or_null(record.description, "kind");
  return kind.is_string() ? kind.get<std::string>() : "object";
}

class Collection {
 public:
  Collection(const Store& store, bool dry_run) : store_(store), dry_run_(dry_run) {}

  GcReport report();

 private:
  /// What a key is needed for, and what it leads to.
  struct Held {
    std::string kind, reason;
  };

  void find_needed();
  void need(const std::set<std::string>& digests, const std::string& reason);
  /// The descriptions of needed keys name the keys they were made from. Throws Error for a record that is damaged.
  void need_inputs();
  void hold(const KeyRecord& record);
  void remove(const fs::path& path, const std::string& kind);
  void remove_keys();
  void remove_objects();
  void remove_snapshots();
  void remove_previews();
  void remove_marks();
  void remove_temporaries();
  void tell_kept();

  const Store& store_;
  const bool dry_run_;
  std::map<std::string, std::string> needed_;  // digests, keys among them -> why
  std::map<std::string, Held> objects_;        // what needed keys lead to
  std::map<std::string, std::string> gone_;    // objects of keys that are not needed -> kind
  std::vector<KeptObject> kept_;
  GcReport report_;
};

void Collection::need(const std::set<std::string>& digests, const std::string& reason) {
  for (const auto& digest : digests) needed_.emplace(digest, reason);
}

void Collection::find_needed() {
  for (const auto& pin : read_pins(store_)) need(pin.keys, "pinned by a bundle of " + pin.study);
  for (const auto& file : entries_of(store_.root() / "manifests")) {
    const auto digest = file.stem().string();
    if (file.extension() != ".json" || !is_digest(digest)) continue;
    const Json manifest = store_.manifest(digest);
    const Json& study = member_or_null(manifest, "study");
    std::set<std::string> digests;
    collect_digests(manifest, digests);
    need(digests, "study " + (study.is_string() ? study.get<std::string>() : digest.substr(0, 12)));
  }
  need_inputs();
}

void Collection::need_inputs() {
  std::set<std::string> seen;
  std::vector<std::string> open;
  for (const auto& [key, unused] : needed_) open.push_back(key);
  while (!open.empty()) {
    const auto key = open.back();
    open.pop_back();
    if (!seen.insert(key).second) continue;
    const auto record = store_.find(key);
    if (!record) continue;
    hold(*record);
    std::set<std::string> inputs;
    collect_digests(record->description, inputs);
    open.insert(open.end(), inputs.begin(), inputs.end());
    need(inputs, needed_.at(key));
  }
}

void Collection::hold(const KeyRecord& record) {
  auto objects = objects_of(record);
  collect_digests(record.summary, objects);
  if (store_.released(record.key)) objects.erase(record.object);
  for (const auto& object : objects) objects_.emplace(object, Held{kind_of(record), needed_.at(record.key)});
}

void Collection::remove(const fs::path& path, const std::string& kind) {
  const auto bytes = size_of(path);
  if (!dry_run_) {
    std::error_code fault;
    fs::remove_all(path, fault);
    if (fault) fail_in_store(path, "remove", fault.value());
  }
  report_.removed.push_back({path.lexically_relative(store_.root()).string(), bytes, kind});
  report_.bytes += bytes;
}

void Collection::remove_keys() {
  for (const auto& path : entries_of(store_.root() / "keys")) {
    const auto key = path.stem().string();
    const bool ours = path.extension() == ".json" || path.extension() == ".lock";
    if (!ours || !is_digest(key) || needed_.contains(key)) continue;
    std::string kind = "lock";
    if (path.extension() == ".json") {
      kind = "object";
      try {
        if (const auto record = store_.find(key)) {
          kind = kind_of(*record);
          for (const auto& object : objects_of(*record)) gone_.emplace(object, kind);
        }
      } catch (const Error&) {  // damaged and not needed: it goes, whatever it was
      }
    }
    remove(path, kind);
  }
  if (!dry_run_) sync_folder(store_.root() / "keys");  // a key must not outlive its object
}

void Collection::remove_objects() {
  for (const auto& folder : entries_of(store_.root() / "objects")) {
    if (!fs::is_directory(folder)) continue;
    for (const auto& path : entries_of(folder)) {
      const auto digest = folder.filename().string() + path.filename().string();
      if (!is_digest(digest)) continue;
      if (const auto held = objects_.find(digest); held != objects_.end()) {
        kept_.push_back(
            {path.lexically_relative(store_.root()).string(), held->second.kind, size_of(path), held->second.reason});
        continue;
      }
      const auto kind = gone_.find(digest);
      remove(path, kind == gone_.end() ? "object" : kind->second);
    }
  }
}

void Collection::tell_kept() {
  constexpr std::size_t kShown = 10;
  std::ranges::stable_sort(kept_, std::greater(), &KeptObject::bytes);
  if (kept_.size() > kShown) kept_.resize(kShown);
  report_.kept = std::move(kept_);
}

/// Who writes one holds the lock of its key, so that what is left beside them was left by the dead.
void Collection::remove_snapshots() {
  for (const auto& path : entries_of(store_.root() / "snapshots")) {
    const auto key = path.filename().string();
    const bool goes_on = is_digest(key) && needed_.contains(key) && (!store_.has(key) || store_.released(key));
    if (!goes_on) remove(path, "snapshot");
  }
}

/// Pictures of a training for people to look at, a folder for each key; made when somebody asks for them.
void Collection::remove_previews() {
  const auto folder = store_.root() / "previews";
  if (!fs::is_directory(folder)) return;
  for (const auto& path : entries_of(folder)) {
    if (!needed_.contains(path.filename().string())) remove(path, "preview");
  }
}

/// That an object was released, of keys that are no more.
void Collection::remove_marks() {
  const auto folder = store_.root() / "released";
  if (!fs::is_directory(folder)) return;
  for (const auto& path : entries_of(folder)) {
    if (!needed_.contains(path.filename().string())) remove(path, "mark");
  }
}

void Collection::remove_temporaries() {
  for (const auto& path : entries_of(store_.root() / "tmp")) {
    const auto owner = owner_of_temporary(path.filename().string());
    std::error_code gone;
    const auto written = fs::last_write_time(path, gone);
    if (gone || owner == Owner::alive) continue;
    if (owner == Owner::dead || fs::file_time_type::clock::now() - written > kForeignAge) remove(path, "temporary");
  }
}

GcReport Collection::report() {
  find_needed();
  remove_keys();
  remove_objects();
  remove_snapshots();
  remove_previews();
  remove_marks();
  remove_temporaries();
  tell_kept();
  return std::move(report_);
}

}  // namespace

GcReport collect_garbage(const Store& store, bool dry_run) {
  if (dry_run) return Collection(store, true).report();
  const auto lock = store.lock_against_use();
  if (lock) return Collection(store, false).report();
  throw Error({.where = store.root().string(),
               .found = "another process works in this store",
               .expected = "no run and no worker while things are removed",
               .advice = "call again when it has ended; --dry-run works meanwhile"});
}

}  // namespace atelier
