#include "framework/worker/artifacts.h"

#include <fmt/format.h>

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

/// Applies what a training job published, by the method that trained it. Returns the placeholder, "" without one.
std::string apply_object(Session& session, const SampleRequest::ArtifactFile& file) {
  const ArtifactObject object = ArtifactObject::read(file.path);
  const auto method = installed_plugin(object.method).create();
  in_file(file.path, [&] { method->apply(session, object.artifact, file.weight); });
  const auto placeholders = placeholders_of(object.artifact.tensors);
  return placeholders.empty() ? "" : placeholders.front();
}

}  // namespace

ModuleNames module_names(Session& session) {
  ModuleNames names;
  add_layers(names, "unet", session.unet().registry());
  const auto towers = session.base().text_towers();
  for (std::size_t i = 0; i < towers.size(); ++i) add_layers(names, towers[i], session.text(i).registry());
  return names;
}

std::string apply_artifacts(Session& session, const SampleRequest& request) {
  std::string token = request.placeholder.value_or("");
  if (!request.artifacts.empty()) {
    const ModuleNames names = module_names(session);
    for (const auto& file : request.artifacts) {
      if (is_artifact_object(file.path)) {
        const std::string learned = apply_object(session, file);
        if (!learned.empty()) token = learned;
        continue;
      }
      const Artifact artifact = read_artifact(file.path, names, request.placeholder.value_or(""));
      for (const auto& embedding : artifact.embeddings) token = add_token(session, embedding, request, file.path);
      if (!artifact.lora) continue;
      in_file(file.path, [&] { attach(session, *artifact.lora, file.weight * request.lora_scale); });
    }
  }
  const std::string word = request.class_word.value_or("");
  return token.empty() || word.empty() ? token + word : token + " " + word;
}

}  // namespace atelier::worker
