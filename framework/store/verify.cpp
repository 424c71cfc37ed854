#include "framework/store/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "framework/core/atomic_file.h"
#include "framework/core/digest.h"
#include "framework/core/error.h"
#include "framework/core/text.h"
#include "framework/store/names.h"
#include "framework/store/references.h"
#include "framework/store/spool.h"
#include "framework/store/store_folder.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLongest = std::size_t{1} << 30;  // of a manifest, bytes

class Verification {
 public:
  explicit Verification(const Store& store) : store_(store) {}

  std::vector<Damage> damages();

 private:
  /// Does `check` for every file of a folder, under its path in the store; what it throws is damage of that file.
  void each_file(const std::string& folder, const std::string& advice,
                 const std::function<void(const fs::path& file, const std::string& place)>& check);
  void tell(const std::string& place, const std::string& found, const std::string& advice);

  void identity();
  void keys();
  void key(const fs::path& file, const std::string& place);
  void objects();
  void object(const fs::path& file, const std::string& place);
  void manifests();
  void spools();
  void spool(const fs::path& file, const std::string& place);
  [[nodiscard]] std::string advice_for_object(const std::string& digest) const;

  const Store& store_;
  std::map<std::string, std::vector<std::string>> users_;  // object -> places of the records that name it
  std::vector<Damage> damages_;
};

void Verification::tell(const std::string& place, const std::string& found, const std::string& advice) {
  damages_.push_back({place, found, advice});
}

void Verification::each_file(const std::string& folder, const std::string& advice,
                             const std::function<void(const fs::path& file, const std::string& place)>& check) {
  std::error_code fault;
  for (fs::recursive_directory_iterator entry(store_.root() / folder, fault), end; entry != end && !fault;
       entry.increment(fault)) {
    if (entry->is_directory()) continue;
    const auto place = entry->path().lexically_relative(store_.root()).string();
    try {
      check(entry->path(), place);
    } catch (const Error& error) {
      if (fs::exists(entry->path())) tell(place, error.fault().found, advice);  // else it was removed meanwhile
    }
  }
  if (!fault) return;
  throw Error(
      {.where = (store_.root() / folder).string(), .found = fault.message(), .expected = "a folder that can be read"});
}

void Verification::identity() {
  constexpr const char* kAdvice = "copy this file from a backup of the store; its results are not affected";
  const auto file = store_.root() / "store.json";
  try {
    static_cast<void>(read_store_id(store_.root()));
    if (read_text_file(file) != store_file_text(store_.id()))
      tell("store.json", "not the text that this program writes", kAdvice);
  } catch (const Error& error) {
    tell("store.json", error.fault().found, kAdvice);
  }
}

void Verification::keys() {
  each_file("keys", "remove it and run the study again, which makes it anew",
            [this](const fs::path& file, const std::string& place) { key(file, place); });
}

void Verification::key(const fs::path& file, const std::string& place) {
  const auto name = file.stem().string();
  if (file.extension() == ".lock" && (is_digest(name) || name.starts_with('.'))) return;
  if (file.extension() != ".json" || !is_digest(name)) {
    return tell(place, "a file that is neither a key's record nor its lock", "remove it");
  }
  const auto record = store_.find(name);
  if (!record) return;
  constexpr const char* kAdvice = "remove this record and run the study again, which makes both anew";
  if (key_of(record->description) != name) return tell(place, "a description that has another key", kAdvice);
  if (read_text_file(file) != pretty_json(to_json(*record)))
    return tell(place, "not the text that this program writes", kAdvice);
  for (const auto& digest : objects_of(*record)) {
    users_[digest].push_back(place);
    const bool given_up = digest == record->object && store_.released(name);
    if (!store_.has_object(digest) && !given_up) {
      tell(place, fmt::format("leads to object {}, which is not in the store", digest), kAdvice);
    }
  }
}

std::string Verification::advice_for_object(const std::string& digest) const {
  const auto users = users_.find(digest);
  if (users == users_.end()) return "remove it; no key leads to it";
  return fmt::format("remove it and {}, and run the study again, which makes them anew",
                     join(users->second, " and ", 3));
}

void Verification::objects() {
  each_file("objects", "see that it can be read",
            [this](const fs::path& file, const std::string& place) { object(file, place); });
}

void Verification::object(const fs::path& file, const std::string& place) {
  const auto digest = file.parent_path().filename().string() + file.filename().string();
  if (!is_digest(digest) || store_.object_path(digest) != file)
    return tell(place, "a file that is no object", "remove it");
  if (sha256_file(file) == digest) return;
  tell(place, "bytes that do not fit its name", advice_for_object(digest));
}

void Verification::manifests() {
  constexpr const char* kAdvice = "remove it and run the study again, which writes its manifest anew";
  each_file("manifests", kAdvice, [this](const fs::path& file, const std::string& place) {
    const auto digest = file.stem().string();
    if (file.extension() != ".json" || !is_digest(digest))
      return tell(place, "a file that is no manifest", "remove it");
    const auto text = read_text_file(file, kLongest);
    if (sha256_hex(text) != digest) return tell(place, "a text that does not fit its name", kAdvice);
    static_cast<void>(parse_json(text, place));
  });
}

void Verification::spools() {
  each_file("spool", "see that it can be read",
            [this](const fs::path& file, const std::string& place) { spool(file, place); });
}

void Verification::spool(const fs::path& file, const std::string& place) {
  if (file.extension() != ".jsonl") return tell(place, "a file that is no spool", "remove it");
  const auto at = [&](std::uint64_t offset) { return fmt::format("{}, byte {}", place, offset); };
  const auto end = read_spool(
      file, 0, [](const Json&) {},
      [&](std::uint64_t offset, const std::string& why) {
        tell(at(offset), why, "nothing: the event is lost, results are not affected");
      });
  if (end == fs::file_size(file)) return;
  tell(at(end), "a last line without its end: its writer was killed, or is writing it",
       fmt::format("when nothing runs any more, cut it off: truncate -s {} {}", end, file.string()));
}

std::vector<Damage> Verification::damages() {
  identity();
  keys();
  objects();
  manifests();
  spools();
  std::ranges::stable_sort(damages_, {}, &Damage::place);
  return std::move(damages_);
}

}  // namespace

std::vector<Damage> verify(const Store& store) { return Verification(store).damages(); }

}  // namespace atelier
