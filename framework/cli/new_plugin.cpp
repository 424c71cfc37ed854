#include <fmt/format.h>

#include "framework/cli/command.h"
#include "framework/cli/new_plugin_templates.h"

namespace atelier::cli {
namespace {

struct NewPluginOptions {
  std::string name, out;
};

int make(const NewPluginOptions& options) {
  const std::filesystem::path folder =
      options.out.empty() ? std::filesystem::path(options.name) : std::filesystem::path(options.out);
  write_new_plugin(options.name, folder);
  fmt::print(
      "written: {}\nbuild it: cmake -S {} -B {}/build -DCMAKE_PREFIX_PATH=<installed Atelier> && cmake --build "
      "{}/build\n",
      folder.string(), folder.string(), folder.string(), folder.string());
  return 0;
}

}  // namespace

void add_new_plugin(CLI::App& parent, Action& action) {
  CLI::App* app =
      parent.add_subcommand("new-plugin", "A folder with a method that compiles and learns: the start of your own");
  const auto options = std::make_shared<NewPluginOptions>();
  app->add_option("name", options->name, "of the method: a-z, 0-9 and _")->required()->type_name("NAME");
  app->add_option("--out", options->out, "folder to make (default: NAME)")->type_name("DIR");
  app->callback([options, &action] { action = [options] { return make(*options); }; });
}

}  // namespace atelier::cli
