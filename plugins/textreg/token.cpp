#include "plugins/textreg/token.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/full.h>
#include <fmt/format.h>

#include "framework/core/error.h"
#include "framework/formats/artifact_file.h"
#include "framework/formats/checkpoint.h"
#include "framework/models/base.h"
#include "framework/models/clip_text.h"
#include "framework/tensor/tensor_io.h"
#include "framework/text/clip_tokenizer.h"

namespace atelier::textreg {
namespace {

/// [D]
Tensor row_of(ClipText& encoder, std::int64_t id) {
  if (id >= encoder.config().vocabulary) {
    throw Error({.where = "initializer_id",
                 .found = std::to_string(id),
                 .expected = fmt::format("a row of the token table, 0 to {}", encoder.config().vocabulary - 1),
                 .advice = "the default is a row of CLIP's table; this base model has a smaller one"},
                ErrorKind::usage);
  }
  const at::NoGradGuard no_grad;
  return encoder.embed_tokens(at::full({1, 1}, id, at::kLong)).reshape(-1);
}

[[noreturn]] void refuse_file(const std::string& path, const std::string& placeholder, const std::string& encoder) {
  throw Error({.where = path,
               .found = fmt::format("no vector of {} for {}", placeholder, encoder),
               .expected = "a learned identifier of that name",
               .advice = "set placeholder_token to the file's, or name another file"});
}

const EmbeddingFile* find_token(const Artifact& artifact, const std::string& placeholder) {
  for (const EmbeddingFile& embedding : artifact.embeddings) {
    if (embedding.token == placeholder) return &embedding;
  }
  return nullptr;
}

}  // namespace

TokenRows identifier_rows(Session& session, const Settings& settings) {
  TokenRows rows;
  for (std::size_t tower = 0; tower < session.text_towers(); ++tower) {
    const auto id =
        settings.from_class ? session.tokenizer(tower).tokens(settings.class_word).back() : settings.initializer_id;
    rows.push_back(row_of(session.text(tower), id));
  }
  return rows;
}

TensorMap read_identifier(const std::string& path, Session& session, const std::string& placeholder) {
  ModuleNames target;
  const Checkpoint& checkpoint = session.base().checkpoint();
  target.add_all("unet", checkpoint.weights("unet").tensors);
  for (const auto& encoder : session.base().text_towers()) target.add_all(encoder, checkpoint.weights(encoder).tensors);
  const Artifact artifact = read_artifact(path, target, placeholder);
  TensorMap tensors;
  for (const auto& encoder : session.base().text_towers()) {
    const EmbeddingFile* file = find_token(artifact, placeholder);
    if (file == nullptr || !file->towers.contains(encoder)) refuse_file(path, placeholder, encoder);
    tensors[token_parameter(encoder, placeholder)] = to_tensor(file->towers.at(encoder)).reshape(-1).clone();
  }
  return tensors;
}

}  // namespace atelier::textreg
