#include "framework/plan/data_folder.h"

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <system_error>

#include "framework/config/yaml.h"
#include "framework/core/atomic_file.h"
#include "framework/core/error.h"

namespace atelier {

namespace fs = std::filesystem;

fs::path program_folder() {
  std::error_code failed;
  const auto program = fs::read_symlink("/proc/self/exe", failed);
  if (failed) throw Error({.where = "/proc/self/exe", .found = failed.message(), .expected = "the running program"});
  return program.parent_path();
}

fs::path data_folder() {
  const char* named = std::getenv("ATELIER_DATA");
  const bool is_named = named != nullptr && *named != '\0';
  const fs::path folder = is_named ? fs::path(named) : program_folder().parent_path() / "share" / "atelier" / "data";
  if (fs::is_directory(folder / "prompts")) return folder;
  throw Error(
      {.where = folder.string(),
       .found = "no folder with prompts/ in it",
       .expected = "Atelier's data: prompts, concept_sets and protocols",
       .advice = is_named ? "correct ATELIER_DATA" : "install Atelier again, or name the folder in ATELIER_DATA"});
}

Json read_yaml_file(const fs::path& path) {
  Faults faults(path.string());
  const auto root = parse_yaml(read_text_file(path), faults);
  faults.raise();
  return yaml_json(root);
}

void check_schema(const Json& json, const std::string& expected, const fs::path& path) {
  const auto found = json.is_object() ? json.find("schema") : json.end();
  if (json.is_object() && found != json.end() && *found == expected) return;
  throw Error({.where = path.string() + ": schema",
               .found = json.is_object() && found != json.end() ? found->dump() : std::string("nothing"),
               .expected = expected},
              ErrorKind::usage);
}

}  // namespace atelier
