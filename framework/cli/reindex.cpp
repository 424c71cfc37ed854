#include <fmt/format.h>

#include "framework/cli/command.h"
#include "framework/cli/store_option.h"

namespace atelier::cli {

void add_reindex(CLI::App& parent, Action& action) {
  CLI::App* app = parent.add_subcommand("reindex", "Make the index anew from the store's files");
  const auto store = std::make_shared<std::string>();
  add_store(*app, *store);
  app->callback([store, &action] {
    action = [store] {
      const Store opened = open_store(*store);
      const auto index = open_index(opened);
      index->rebuild();
      fmt::print("rebuilt {}\n", Index::file_of(opened).string());
      return 0;
    };
  });
}

}  // namespace atelier::cli
