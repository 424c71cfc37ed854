// atelier-describe-plugin LIBRARY.so DESCRIPTION.json: opens a plugin with the checks of every other opening and writes
// its description beside it. add_method_plugin() runs it after linking.
#include <cstdio>
#include <exception>
#include <nlohmann/json.hpp>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/core/json.h"
#include "framework/methods/loader.h"

int main(int count, char** arguments) {
  if (count != 3) {
    std::fprintf(stderr, "usage: atelier-describe-plugin LIBRARY.so DESCRIPTION.json\n");
    return 2;
  }
  try {
    const auto plugin = atelier::MethodPlugin::open(arguments[1]);
    atelier::write_file_atomically(arguments[2], atelier::pretty_json(atelier::describe_plugin(plugin)));
    return 0;
  } catch (const atelier::Error& error) {
    std::fprintf(stderr, "atelier-describe-plugin: %s\n", error.what());
    return error.exit_code();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "atelier-describe-plugin: %s\n", error.what());
    return 1;
  }
}
