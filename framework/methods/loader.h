#pragma once

#include <filesystem>
#include <memory>

#include "framework/config/method_spec.h"
#include "framework/methods/method.h"

namespace atelier {

/// One method's shared library, opened and compared. Copies share the library; it stays loaded as long as a copy, a
/// method or a stage from it lives (and is never unmapped: plugins link with -z nodelete, because tensors and callbacks
/// that were born in one may outlive it).
class MethodPlugin {
 public:
  /// Opens `file` and compares its table with this build before anything else of it is called. Throws Error naming the
  /// file and what differs: no library, no plugin, magic, API, LibTorch, compiler, name, description.
  [[nodiscard]] static MethodPlugin open(const std::filesystem::path& file);

  [[nodiscard]] const MethodSpec& spec() const;
  [[nodiscard]] const std::filesystem::path& file() const;

  /// The method. Whatever its code throws arrives as an Error that names plugin, stage and call. Throws Error when its
  /// constructor does.
  [[nodiscard]] std::shared_ptr<const Method> create() const;

 private:
  struct Library;
  explicit MethodPlugin(std::shared_ptr<const Library> library) : library_(std::move(library)) {}
  std::shared_ptr<const Library> library_;
};

/// What lies beside the library as <name>.json, so that planning loads none: schema atelier.plugin/1 with the API,
/// LibTorch and compiler it was built with, the digest of the library's file and the method's description.
[[nodiscard]] Json describe_plugin(const MethodPlugin& plugin);

}  // namespace atelier
