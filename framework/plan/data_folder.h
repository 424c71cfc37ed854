#pragma once

#include <filesystem>
#include <string>

#include "framework/core/json.h"

namespace atelier {

/// The folder of the running program, links resolved.
[[nodiscard]] std::filesystem::path program_folder();

/// The product's data (prompt lists, concept sets, protocols): $ATELIER_DATA, else <program
/// folder>/../share/atelier/data. Throws Error that names both when it is not there.
[[nodiscard]] std::filesystem::path data_folder();

/// A strict YAML file as JSON. Throws Error (usage) with every fault, with line and column.
[[nodiscard]] Json read_yaml_file(const std::filesystem::path& path);

/// Throws Error (usage) unless `schema` of the file is `expected`.
void check_schema(const Json& json, const std::string& expected, const std::filesystem::path& path);

}  // namespace atelier
