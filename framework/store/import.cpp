#include "framework/store/import.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "framework/core/atomic_file.h"
#include "framework/core/digest.h"
#include "framework/core/error.h"
#include "framework/store/checked_line.h"
#include "framework/store/names.h"
#include "framework/store/references.h"
#include "framework/store/spool.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

/// The files of one folder with that ending, in byte order.
std::vector<fs::path> files_with(const fs::path& folder, const char* extension) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == extension) files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

class Import {
 public:
  Import(const Store& from, const Store& into) : from_(from), into_(into), use_(into.lock_for_use()) {}

  ImportReport report() {
    manifests();
    for (const auto& file : files_with(from_.root() / "keys", ".json")) {
      const auto key = file.stem().string();
      if (is_digest(key)) guarded("keys/" + key + ".json", [&] { take_key(key); });
    }
    for (const auto& file : files_with(from_.spool_folder(), ".jsonl")) spool(file);
    return std::move(report_);
  }

 private:
  /// What throws is damage of that place, and the rest goes on. A fault of our own store is not the other's.
  template <typename Work>
  void guarded(const std::string& place, Work work) {
    try {
      work();
    } catch (const Error& error) {
      if (error.fault().where.starts_with(into_.root().string())) throw;
      report_.damages.push_back({place, error.fault().found, "`atelier verify` on that store tells more"});
    }
  }

  void manifests() {
    for (const auto& file : files_with(from_.root() / "manifests", ".json")) {
      const auto digest = file.stem().string();
      const auto target = into_.root() / "manifests" / file.filename();
      if (!is_digest(digest) || fs::exists(target)) continue;
      guarded("manifests/" + file.filename().string(), [&] {
        static_cast<void>(from_.manifest(digest));  // throws where the text does not fit
        write_file_atomically(target, read_text_file(file, std::size_t{1} << 30));
        ++report_.manifests;
      });
    }
  }

  /// False when it is nowhere. Throws Error for bytes that do not fit.
  bool take_object(const std::string& digest) {
    if (into_.has_object(digest)) return true;
    if (!from_.has_object(digest)) return false;
    const auto temporary = into_.temporary_path();
    fs::copy_file(from_.object_path(digest), temporary);
    if (sha256_file(temporary) != digest) {
      fs::remove(temporary);
      throw Error({.where = from_.object_path(digest).string(), .found = "bytes that do not fit its name"});
    }
    report_.bytes += fs::file_size(temporary);
    static_cast<void>(into_.adopt(temporary));
    ++report_.objects;
    return true;
  }

  void take_key(const std::string& key) {
    auto theirs = from_.find(key);
    if (!theirs) return;
    const auto ours = into_.find(key);
    for (const auto& digest : objects_of(*theirs)) {
      if (take_object(digest)) continue;
      if (!ours) ++report_.without_object;
      return;
    }
    if (!ours) ++report_.keys;
    auto others = std::exchange(theirs->divergent, {});
    others.push_back(theirs->object);
    if (!ours) publish(*theirs);
    for (const auto& object : others) {
      theirs->object = object;
      publish(*theirs);
    }
  }

  void publish(const KeyRecord& record) {
    const auto before = into_.find(record.key);
    if (into_.publish(record)) return;
    if (before && std::ranges::find(before->divergent, record.object) != before->divergent.end()) return;
    report_.divergent.push_back(record.key);
    if (!events_) events_ = std::make_unique<Spool>(into_);
    events_->write({{"type", "divergence"}, {"key", record.key}, {"object", record.object}, {"other", before->object}},
                   true);
  }

  /// Lines that are not here go behind those that are: a reader has come as far as the file was long.
  void spool(const fs::path& file) {
    const auto target = into_.spool_folder() / file.filename();
    std::set<std::string> known;
    std::string text;
    if (fs::exists(target)) {
      for_each_line(target, [&](const std::string& line) { known.insert(line); });
      text = read_text_file(target, std::size_t{1} << 30);
    }
    std::size_t fresh = 0;
    for_each_line(file, [&](const std::string& line) {
      if (!known.insert(line).second) return;
      text += line;
      ++fresh;
    });
    if (fresh > 0) write_file_atomically(target, text);
    report_.lines += fresh;
  }

  static void for_each_line(const fs::path& file, const std::function<void(const std::string&)>& read) {
    read_spool(
        file, 0, [&](const Json& event) { read(checked_line(event)); }, [](std::uint64_t, const std::string&) {});
  }

  const Store &from_, &into_;  // borrowed
  const KeyLock use_;
  std::unique_ptr<Spool> events_;  // made for the first divergence
  ImportReport report_;
};

}  // namespace

ImportReport import_store(const Store& from, const Store& into) {
  if (fs::equivalent(from.root(), into.root())) {
    throw Error({.where = from.root().string(),
                 .found = "the store itself",
                 .expected = "another store",
                 .advice = "name yours with --store"},
                ErrorKind::usage);
  }
  return Import(from, into).report();
}

}  // namespace atelier
