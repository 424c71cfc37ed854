#include "experiments/pocket/world/folder.h"

#include <system_error>

#include "framework/core/error.h"

namespace atelier::pocket {

void make_folder(const std::filesystem::path& folder) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed)
    throw Error({.where = folder.string(), .found = failed.message(), .expected = "a folder that can be made"});
}

}  // namespace atelier::pocket
