#pragma once

#include <cstdint>

#include "framework/methods/method.h"

#define ATELIER_PLUGIN_EXPORT __attribute__((visibility("default")))

namespace atelier {

/// What a plugin's one symbol, `atelier_plugin`, returns: plain data, compared before anything is called.
struct PluginTable {
  std::uint32_t magic;        ///< kPluginMagic
  std::int32_t api;           ///< kPluginApi of the headers it was built with
  const char* torch_version;  ///< "2.11.0"
  const char* compiler;       ///< kPluginCompiler of its build
  const char* name;           ///< of the method: also the file's stem
  const char* (*spec)();      ///< the MethodSpec as JSON; the text lives as long as the plugin. Never throws
  Method* (*create)();        ///< nullptr and `last_error` when it fails
  void (*destroy)(Method*);
  const char* (*last_error)();
};

inline constexpr std::uint32_t kPluginMagic = 0x41544C52;  // "ATLR"
#define ATELIER_STRING_(x) #x
#define ATELIER_STRING(x) ATELIER_STRING_(x)
/// Compiler and standard library, as far as they decide the layout of what crosses the boundary.
inline constexpr const char* kPluginCompiler =
#if defined(__clang__)
    "clang " ATELIER_STRING(__clang_major__) " cxx11abi=" ATELIER_STRING(_GLIBCXX_USE_CXX11_ABI);
#else
    "gcc " ATELIER_STRING(__GNUC__) " cxx11abi=" ATELIER_STRING(_GLIBCXX_USE_CXX11_ABI);
#endif

}  // namespace atelier
