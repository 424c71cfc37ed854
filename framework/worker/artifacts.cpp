#include "framework/worker/artifacts.h"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "framework/core/error.h"
#include "framework/formats/artifact_file.h"
#include "framework/methods/learned_token.h"
#include "framework/models/base.h"
#include "framework/models/clip_text.h"
#include "framework/models/conv2d.h"
#include "framework/models/linear.h"
#include "framework/models/unet.h"
#include "framework/tensor/tensor_io.h"
#include "framework/text/clip_tokenizer.h"
#include "framework/worker/artifact_object.h"
#include "framework/worker/method_of_job.h"

namespace atelier::worker {
namespace {

void add_layers(ModuleNames& names, const std::string& component, const Registry& registry) {
  for (const auto& [name, layer] : registry.linears) names.add(component, name + ".weight", layer->weight.sizes());
  for (const auto& [name, layer] : registry.convolutions) names.add(component, name + ".weight", layer->weight.sizes());
}

/// Calls `apply`, and puts the file in front of the place that an Error names.
template <typename Apply>
void in_file(const std::string& path, const Apply& apply) {
  try {
    apply();
  } catch (const Error& error) {
    Fault fault = error.fault();
    fault.where = path + ": " + fault.where;
    throw Error(std::move(fault), error.kind());
  }
}

/// A token's vectors for each tower of the base.
std::vector<Tensor> vectors_of(const EmbeddingFile& embedding, Session& session, const std::string& path) {
  std::vector<Tensor> vectors;
  for (const auto& tower : session.base().text_towers()) {
    const auto found = embedding.towers.find(tower);
    if (found == embedding.towers.end()) {
      throw Error({.where = path,
                   .found = fmt::format("no vectors for {}", tower),
                   .expected = "vectors for every text encoder of the base model",
                   .advice = "this embedding was made for another kind of base model"});
    }
    vectors.push_back(to_tensor(found->second, session.base().placement()));
  }
  if (embedding.towers.size() > vectors.size()) {
    throw Error({.where = path,
                 .found = fmt::format("vectors for {} text encoders", embedding.towers.size()),
                 .expected = std::to_string(vectors.size()),
                 .advice = "this embedding was made for another kind of base model"});
  }
  return vectors;
}

/// Adds a token; returns its name.
std::string add_token(Session& session, const EmbeddingFile& embedding, const SampleRequest& request,
                      const std::string& path) {
  const bool unnamed = embedding.token.empty() || embedding.token_is_stem;
  const std::string token = unnamed && request.placeholder ? *request.placeholder : embedding.token;
  if (token.empty()) {
    throw Error({.where = path,
                 .found = "a learned token without a name",
                 .expected = "a name for it",
                 .advice = "give it with --placeholder"},
                ErrorKind::usage);
  }
  const auto vectors = vectors_of(embedding, session, path);
  in_file(path, [&] { session.add_token(token, vectors); });
  return token;
}

void attach(Session& session, const LoraFile& lora, double weight) {
  const Placement& placement = session.base().placement();
  for (const LoraEntry& entry : lora.entries) {
    session.attach(entry.module, {.a = to_tensor(entry.down, placement),
                                  .b = to_tensor(entry.up, placement),
                                  .scale = weight * entry.alpha / static_cast<double>(entry.rank)});
  }
}

/// An artifact and the method that knows it.
struct Owned {
  std::shared_ptr<const Method> method;
  TrainedArtifact artifact;
};

/// A file without tensors is nobody's, whatever a method would say of it.
bool may_be_read(const ForeignFiles& files) {
  if (files.is_folder()) return true;
  try {
    (void)files.tensors(files.names().front());
    return true;
  } catch (const Error&) {
    return false;  // the caller says what was expected
  }
}

/// Asks the installed methods for a file that is no LoRA and no token, or for a folder. Nothing when none knows it.
std::optional<Owned> read_by_method(const std::string& path, const ModuleNames& names, const SampleRequest& request) {
  const ForeignFiles files(path);
  if (!may_be_read(files)) return std::nullopt;
  std::optional<Owned> found;
  std::string owner;
  for (const auto& [name, method] : installed_methods()) {
    auto artifact = method->read({.files = files,
                                  .target = names,
                                  .placeholder = request.placeholder.value_or(""),
                                  .settings = request.artifact_settings});
    if (!artifact) continue;
    if (found) {
      throw Error({.where = path,
                   .found = fmt::format("an artifact of {} and of {}", owner, name),
                   .expected = "one method that knows it"});
    }
    found = {.method = method, .artifact = std::move(*artifact)};
    owner = name;
  }
  return found;
}

bool is_lora_or_tokens(const std::string& path) {
  if (std::filesystem::is_directory(path)) return false;
  const auto kind = sniff_artifact(path);
  return kind == ArtifactKind::lora || kind == ArtifactKind::embedding || kind == ArtifactKind::lora_and_embedding;
}

/// Applies the artifacts one by one, and remembers what they say of the prompts.
class Applier {
 public:
  Applier(Session& session, const SampleRequest& request)
      : session_(session), request_(request), token_(request.placeholder.value_or("")) {}

  void add(const SampleRequest::ArtifactFile& file) {
    if (is_artifact_object(file.path)) {
      auto object = ArtifactObject::read(file.path);
      add_owned({.method = installed_plugin(object.method).create(), .artifact = std::move(object.artifact)}, file);
      return;
    }
    if (!names_) names_ = module_names(session_);
    if (!is_lora_or_tokens(file.path)) {
      if (auto owned = read_by_method(file.path, *names_, request_)) {
        asked_ = true;
        add_owned(std::move(*owned), file);
        return;
      }
    }
    add_parts(read_artifact(file.path, *names_, request_.placeholder.value_or("")), file);
  }

  [[nodiscard]] AppliedArtifacts finish() {
    if (!request_.artifact_settings.empty() && !asked_) {
      throw Error({.where = "--artifact-set",
                   .found = request_.artifact_settings.dump(),
                   .expected = "an artifact that a method's own program wrote"},
                  ErrorKind::usage);
    }
    const std::string word = request_.class_word.value_or("");
    std::string phrase = token_.empty() || word.empty() ? token_ + word : token_ + " " + word;
    if (phrase.empty()) phrase = noted_;
    return {.phrase = std::move(phrase), .method = method_ ? method_ : bare_model()};
  }

 private:
  void add_owned(Owned owned, const SampleRequest::ArtifactFile& file) {
    in_file(file.path, [&] { owned.method->apply(session_, owned.artifact, file.weight); });
    const auto placeholders = placeholders_of(owned.artifact.tensors);
    if (!placeholders.empty()) token_ = placeholders.front();
    if (const auto note = owned.artifact.notes.find("phrase"); note != owned.artifact.notes.end())
      noted_ = note->second;
    method_ = std::move(owned.method);
  }
  void add_parts(const Artifact& artifact, const SampleRequest::ArtifactFile& file) {
    for (const auto& embedding : artifact.embeddings) token_ = add_token(session_, embedding, request_, file.path);
    if (!artifact.lora) return;
    in_file(file.path, [&] { attach(session_, *artifact.lora, file.weight * request_.lora_scale); });
  }

  Session& session_;
  const SampleRequest& request_;
  std::optional<ModuleNames> names_;
  std::string token_, noted_;
  std::shared_ptr<const Method> method_;
  bool asked_ = false;
};

}  // namespace

ModuleNames module_names(Session& session) {
  ModuleNames names;
  add_layers(names, "unet", session.unet().registry());
  const auto towers = session.base().text_towers();
  for (std::size_t i = 0; i < towers.size(); ++i) add_layers(names, towers[i], session.text(i).registry());
  return names;
}

AppliedArtifacts apply_artifacts(Session& session, const SampleRequest& request) {
  Applier applier(session, request);
  for (const auto& file : request.artifacts) applier.add(file);
  return applier.finish();
}

}  // namespace atelier::worker
