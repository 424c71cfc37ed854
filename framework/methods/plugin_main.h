#pragma once

#include <torch/headeronly/version.h>

#include <cstring>
#include <exception>
#include <nlohmann/json.hpp>
#include <string>

#include "framework/methods/plugin.h"

namespace atelier::plugin_main {

/// Why the last call failed. Plain memory: a plugin has no static object with a constructor or destructor.
inline thread_local char last_error[1024] = "";

inline void remember(const char* text) noexcept {
  std::strncpy(last_error, text, sizeof last_error - 1);
  last_error[sizeof last_error - 1] = '\0';
}

/// Nothing may be thrown through the table: what `call` throws is remembered, and the answer is null.
template <typename Call>
auto guarded(const Call& call) noexcept -> decltype(call()) {
  try {
    return call();
  } catch (const std::exception& error) {
    remember(error.what());
  } catch (...) {
    remember("something thrown that is no exception");
  }
  return nullptr;
}

/// The plugin's table, from a class with a default constructor and a function that returns its MethodSpec.
template <typename MethodClass, MethodSpec (*make_spec)()>
struct Functions {
  /// Made at the first call and never freed.
  static const char* spec() {
    static const std::string* text = nullptr;
    return guarded([]() -> const char* {
      if (text == nullptr) text = new std::string(to_json(make_spec()).dump());
      return text->c_str();
    });
  }
  static Method* create() {
    return guarded([]() -> Method* { return new MethodClass(); });
  }
  static void destroy(Method* method) { delete method; }
  static const char* error() { return last_error; }
};

}  // namespace atelier::plugin_main

/// The one symbol of a plugin. In one source file, outside of every namespace:
///   ATELIER_METHOD_PLUGIN("textual_inversion", TextualInversion, textual_inversion_spec)
/// `name` is the method's and the file's.
#define ATELIER_METHOD_PLUGIN(name, MethodClass, spec_function)                                         \
  extern "C" ATELIER_PLUGIN_EXPORT const atelier::PluginTable* atelier_plugin() {                       \
    using Functions = atelier::plugin_main::Functions<MethodClass, spec_function>;                      \
    static constexpr atelier::PluginTable kTable{                                                       \
        atelier::kPluginMagic, atelier::kPluginApi, TORCH_VERSION,      atelier::kPluginCompiler, name, \
        Functions::spec,       Functions::create,   Functions::destroy, Functions::error};              \
    return &kTable;                                                                                     \
  }
