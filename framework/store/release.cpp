#include "framework/store/release.h"

#include <algorithm>

#include "framework/store/names.h"
#include "framework/store/publishing.h"
#include "framework/store/references.h"

namespace atelier {

namespace fs = std::filesystem;

void Releaser::read_new_records() {
  for (const auto& entry : fs::directory_iterator(store_.root() / "keys")) {
    const auto key = entry.path().stem().string();
    if (entry.path().extension() != ".json" || !is_digest(key) || objects_.contains(key)) continue;
    const auto record = store_.find(key);
    if (!record) continue;
    objects_[key] = record->object;
    for (const auto& object : objects_of(*record)) users_[object].push_back(key);
  }
}

bool Releaser::needed(const std::string& object) const {
  const auto users = users_.find(object);
  return users != users_.end() &&
         std::ranges::any_of(users->second, [this](const std::string& key) { return !store_.released(key); });
}

std::uintmax_t Releaser::release(const std::set<std::string>& keys,
                                 const std::function<bool(const std::string& key)>& still_free) {
  const auto lock = store_.lock_publishing(LockMode::exclusive);
  read_new_records();
  make_folder(store_.root() / "released");
  std::set<std::string> released;
  for (const auto& key : keys) {
    if (!objects_.contains(key) || store_.released(key) || !still_free(key)) continue;
    const Temporary temporary(store_.temporary_path());
    write_new_file(temporary.path(), "");
    static_cast<void>(link_new(temporary.path(), store_.released_path(key)));
    released.insert(key);
  }
  sync_folder(store_.root() / "released");  // the mark first: an object that is missing without one is damage
  std::uintmax_t bytes = 0;
  for (const auto& key : released) {
    const auto path = store_.object_path(objects_.at(key));
    std::error_code gone;
    const auto size = fs::file_size(path, gone);
    if (!gone && !needed(objects_.at(key)) && fs::remove(path, gone)) bytes += size;
  }
  return bytes;
}

}  // namespace atelier
