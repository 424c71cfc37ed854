#include "framework/store/live.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/store/names.h"
#include "framework/store/publishing.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

fs::path live_folder(const Store& store) { return store.root() / "live"; }

/// In byte order.
std::vector<fs::path> live_files(const Store& store) {
  std::vector<fs::path> files;
  std::error_code fault;
  for (fs::directory_iterator entry(live_folder(store), fault), end; !fault && entry != end; entry.increment(fault)) {
    if (entry->path().extension() == ".json") files.push_back(entry->path());
  }
  std::ranges::sort(files);
  return files;
}

}  // namespace

LiveFile::LiveFile(const Store& store) : path_(live_folder(store) / (temporary_name() + ".json")) {
  for (const auto& file : live_files(store)) {
    std::error_code ignored;
    if (owner_of_temporary(file.stem().string()) == Owner::dead) fs::remove(file, ignored);
  }
}

LiveFile::~LiveFile() {
  std::error_code ignored;
  fs::remove(path_, ignored);
}

void LiveFile::write(const Json& state) const {
  try {
    make_folder(path_.parent_path());
    write_file_atomically(path_, pretty_json(state));
  } catch (const Error&) {
    return;
  }
}

std::vector<Json> live_states(const Store& store) {
  std::vector<Json> states;
  for (const auto& file : live_files(store)) {
    if (owner_of_temporary(file.stem().string()) == Owner::dead) continue;
    try {
      states.push_back(read_json_file(file));
    } catch (const Error&) {
      continue;  // it ended between the two looks
    }
  }
  return states;
}

}  // namespace atelier
