#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>

#include "framework/store/index.h"
#include "framework/store/store.h"

namespace atelier::cli {

/// `--store DIR`, the same for every command that reads or writes results.
void add_store(CLI::App& app, std::string& store);
/// For reading: throws Error when there is no store.
[[nodiscard]] Store open_store(const std::string& store);
[[nodiscard]] Store create_store(const std::string& store);
/// Nullopt when there is none yet.
[[nodiscard]] std::optional<Store> find_store(const std::string& store);

/// The index, with its messages told on standard error.
[[nodiscard]] std::unique_ptr<Index> open_index(const Store& store);

}  // namespace atelier::cli
