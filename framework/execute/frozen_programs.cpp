#include "framework/execute/frozen_programs.h"

#include <fmt/format.h>

#include "framework/core/digest.h"
#include "framework/core/error.h"
#include "framework/plan/data_folder.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

using Files = std::map<std::string, fs::path>;  // name in the folder -> source

void add_folder(Files& files, const std::string& name, const fs::path& folder) {
  for (const auto& entry : fs::recursive_directory_iterator(folder, fs::directory_options::follow_directory_symlink)) {
    if (!entry.is_regular_file()) continue;
    files[name + "/" + entry.path().lexically_relative(folder).string()] = entry.path();
  }
}

Files files_of(const fs::path& worker, const std::vector<std::string>& plugins) {
  const fs::path bin = program_folder();
  Files files{{"bin/atelier", fs::read_symlink("/proc/self/exe")}, {"bin/atelier-worker", worker}};
  const fs::path libraries = bin.parent_path() / "lib";
  if (fs::is_directory(libraries)) {
    for (const auto& entry : fs::directory_iterator(libraries)) {
      const auto name = entry.path().filename().string();
      if (name.starts_with("libatelier_")) files["lib/" + name] = entry.path();
    }
  }
  add_folder(files, "share/atelier/data", fs::canonical(data_folder()));
  for (const std::string& plugin : plugins) {
    // Two folders may hold plugins of one name.
    const std::string folder = sha256_hex(plugin).substr(0, 12);
    files["lib/atelier/plugins/" + folder + "/" + fs::path(plugin).filename().string()] = plugin;
  }
  return files;
}

std::string digest_of(const Files& files) {
  std::string text;
  for (const auto& [name, source] : files) text += fmt::format("{} {}\n", sha256_file(source), name);
  return sha256_hex(text);
}

}  // namespace

FrozenPrograms freeze_programs(const fs::path& into, const fs::path& partial, const fs::path& worker,
                               const std::vector<std::string>& plugins) try {
  const Files files = files_of(worker, plugins);
  FrozenPrograms frozen{.folder = into / digest_of(files), .plugins = {}};
  for (const auto& [name, source] : files) {
    if (name.starts_with("lib/atelier/plugins/")) frozen.plugins[source.string()] = (frozen.folder / name).string();
  }
  if (fs::exists(frozen.folder)) return frozen;
  for (const auto& [name, source] : files) {
    fs::create_directories((partial / name).parent_path());
    fs::copy_file(source, partial / name);
  }
  std::error_code taken;
  fs::rename(partial, frozen.folder, taken);
  if (taken && !fs::exists(frozen.folder)) throw fs::filesystem_error("rename", partial, frozen.folder, taken);
  if (taken) fs::remove_all(partial);
  return frozen;
} catch (const fs::filesystem_error& error) {
  throw Error({.where = error.path1().string(),
               .found = "cannot be copied for the tasks: " + error.code().message(),
               .expected = fmt::format("programs that can be read, and room for them in {}", into.string())});
}

}  // namespace atelier
