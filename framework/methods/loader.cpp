#define BOOST_DLL_USE_STD_FS
#include "framework/methods/loader.h"

#include <fmt/format.h>
#include <torch/headeronly/version.h>

#include <boost/dll/shared_library.hpp>
#include <nlohmann/json.hpp>
#include <system_error>

#include "framework/core/digest.h"
#include "framework/core/error.h"
#include "framework/core/json.h"
#include "framework/methods/guarded_method.h"
#include "framework/methods/plugin.h"

namespace atelier {
namespace {

constexpr const char* kSymbol = "atelier_plugin";
constexpr const char* kRebuild = "rebuild the plugin";

[[noreturn]] void fail(const std::filesystem::path& file, std::string found, std::string expected, std::string advice) {
  throw Error({.where = file.string(),
               .found = std::move(found),
               .expected = std::move(expected),
               .advice = std::move(advice)});
}

/// What the system said, out of Boost's wrapping, without the file's name in front.
std::string system_message(const std::system_error& error, const std::filesystem::path& file) {
  std::string text = error.what();
  constexpr std::string_view kMark = "dlerror system message: ";
  if (const auto begin = text.find(kMark); begin != std::string::npos) {
    text = text.substr(begin + kMark.size());
    text = text.substr(0, text.rfind(')'));
  }
  const auto prefix = file.string() + ": ";
  return text.starts_with(prefix) ? text.substr(prefix.size()) : text;
}

boost::dll::shared_library open_library(const std::filesystem::path& file) {
  if (!std::filesystem::is_regular_file(file)) {
    fail(file, std::filesystem::exists(file) ? "not a file" : "no such file", "a plugin's shared library",
         "`atelier plugins` lists what is installed");
  }
  try {
    return boost::dll::shared_library(file, boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local);
  } catch (const std::system_error& error) {
    fail(file, system_message(error, file), "a plugin's shared library", kRebuild);
  }
}

const PluginTable& table_of(const boost::dll::shared_library& library, const std::filesystem::path& file) {
  if (!library.has(kSymbol)) {
    fail(file, fmt::format("a library without the symbol {}", kSymbol), "a method plugin",
         "build it with add_method_plugin()");
  }
  const auto* table = library.get<const PluginTable*()>(kSymbol)();
  if (table == nullptr) fail(file, "no plugin table", "the table that ATELIER_METHOD_PLUGIN makes", kRebuild);
  return *table;
}

void compare_text(const std::filesystem::path& file, const char* what, const char* found, std::string_view expected) {
  const std::string_view text = found == nullptr ? "nothing" : found;
  if (text == expected) return;
  fail(file, fmt::format("{} {}", what, text), fmt::format("{}, as this build of Atelier has", expected), kRebuild);
}

/// Field by field, in the order of the table: a wrong magic or API means that what follows may lie elsewhere.
void compare(const PluginTable& table, const std::filesystem::path& file) {
  if (table.magic != kPluginMagic) {
    fail(file, fmt::format("magic {:#010x}", table.magic), fmt::format("{:#010x}, a method plugin's", kPluginMagic),
         kRebuild);
  }
  if (table.api != kPluginApi) {
    fail(file, fmt::format("plugin API {}", table.api), fmt::format("{}, as this build of Atelier has", kPluginApi),
         kRebuild);
  }
  compare_text(file, "LibTorch", table.torch_version, TORCH_VERSION);
  compare_text(file, "compiler", table.compiler, kPluginCompiler);
  const std::string_view name = table.name == nullptr ? "" : table.name;
  if (name != file.stem().string()) {
    fail(file, fmt::format("the plugin of a method named \"{}\"", name),
         fmt::format("\"{}\", the name of its file", file.stem().string()), "rename the file, or rebuild the plugin");
  }
  if (!table.spec || !table.create || !table.destroy || !table.last_error)
    fail(file, "a table without all of its functions", "spec, create, destroy, last_error", kRebuild);
}

std::string last_error(const PluginTable& table) {
  const char* text = table.last_error();
  return text == nullptr || *text == '\0' ? "no reason given" : text;
}

MethodSpec read_spec(const PluginTable& table, const std::filesystem::path& file) {
  const char* text = table.spec();
  if (text == nullptr) fail(file, "no description: " + last_error(table), "the method's description", kRebuild);
  const auto where = file.string() + ": description";
  MethodSpec spec = method_spec_from_json(parse_json(text, where), where);
  if (spec.name != table.name) {
    fail(file, fmt::format("a description of \"{}\"", spec.name), fmt::format("of \"{}\"", table.name), kRebuild);
  }
  try {
    check_spec(spec);
  } catch (const Error& error) {
    Fault fault = error.fault();
    fault.where = where + ": " + fault.where;
    throw Error(std::move(fault), error.kind());
  }
  return spec;
}

}  // namespace

struct MethodPlugin::Library {
  std::filesystem::path file;
  boost::dll::shared_library handle;
  const PluginTable* table = nullptr;  // in the library
  MethodSpec spec;
};

MethodPlugin MethodPlugin::open(const std::filesystem::path& file) {
  auto library = std::make_shared<Library>();
  library->file = std::filesystem::absolute(file).lexically_normal();
  library->handle = open_library(library->file);
  library->table = &table_of(library->handle, library->file);
  compare(*library->table, library->file);
  library->spec = read_spec(*library->table, library->file);
  return MethodPlugin(std::move(library));
}

const MethodSpec& MethodPlugin::spec() const { return library_->spec; }

const std::filesystem::path& MethodPlugin::file() const { return library_->file; }

std::shared_ptr<const Method> MethodPlugin::create() const {
  const auto& table = *library_->table;
  Method* method = table.create();
  if (method == nullptr) {
    fail(library_->file, "the method could not be made: " + last_error(table), "a method",
         "this is a fault of the plugin");
  }
  // The deleter holds the library, so that `destroy` is there when it is called.
  const std::shared_ptr<const Method> own(method, [library = library_](const Method* dying) {
    library->table->destroy(const_cast<Method*>(dying));  // NOLINT: the plugin gave it as it was, not const
  });
  return std::make_shared<GuardedMethod>(library_->spec.name, own);
}

Json describe_plugin(const MethodPlugin& plugin) {
  return {{"schema", "atelier.plugin/1"},
          {"api", kPluginApi},
          {"torch", TORCH_VERSION},
          {"compiler", kPluginCompiler},
          {"build", sha256_file(plugin.file())},
          {"method", to_json(plugin.spec())}};
}

}  // namespace atelier
