#include "framework/cli/store_option.h"

#include <fmt/format.h>

#include <cstdio>

#include "framework/store/bundle.h"

namespace atelier::cli {
namespace {

std::filesystem::path root_of(const std::string& store) {
  return store.empty() ? Store::default_root() : std::filesystem::path(store);
}

}  // namespace

void add_store(CLI::App& app, std::string& store) {
  app.add_option("--store", store, "folder with all results (default: $ATELIER_STORE, else .atelier)")
      ->type_name("DIR");
}

Store open_store(const std::string& store) {
  auto opened = Store::open(root_of(store));
  if (is_bundle(opened.root())) check_bundle(opened.root());
  return opened;
}

Store create_store(const std::string& store) { return Store::create_or_open(root_of(store)); }

std::optional<Store> find_store(const std::string& store) {
  if (!std::filesystem::exists(root_of(store))) return std::nullopt;
  return open_store(store);
}

std::unique_ptr<Index> open_index(const Store& store) {
  auto index = std::make_unique<Index>(store);
  for (const auto& message : index->messages()) fmt::print(stderr, "atelier: {}\n", message);
  return index;
}

}  // namespace atelier::cli
