#include "framework/worker/artifact_object.h"

#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/core/mapped_file.h"
#include "framework/files/file_kind.h"
#include "framework/files/safetensors.h"
#include "framework/tensor/tensor_io.h"
#include "framework/worker/job.h"

namespace atelier::worker {
namespace {

constexpr const char* kMetadata = "atelier";
constexpr std::string_view kAux = "aux.";

Tensor on_cpu(const Tensor& value) { return value.detach().to(at::kCPU).contiguous(); }

std::string metadata_of(const ArtifactObject& object) {
  return Json{{"method", object.method},
              {"stage", object.stage},
              {"step", object.artifact.step},
              {"notes", object.artifact.notes}}
      .dump();
}

}  // namespace

TensorMap ArtifactObject::all() const {
  TensorMap tensors = artifact.tensors;
  tensors.insert(aux.begin(), aux.end());
  return tensors;
}

std::string ArtifactObject::store_in(const Store& store) const {
  NamedTensors content{.tensors = artifact.tensors, .metadata = {{kMetadata, metadata_of(*this)}}};
  for (const auto& [name, tensor] : aux) content.tensors[std::string(kAux) + name] = tensor;
  const auto path = store.temporary_path();
  write_named_tensors(path, content);
  return store.adopt(path);
}

ArtifactObject ArtifactObject::read(const std::filesystem::path& path) {
  NamedTensors content = read_named_tensors(path);
  const auto metadata = content.metadata.find(kMetadata);
  if (metadata == content.metadata.end()) {
    throw Error({.where = path.string(),
                 .found = "no description of a trained artifact",
                 .expected = "a file that a training job published"});
  }
  const Json json = parse_json(metadata->second, path.string() + ": metadata atelier");
  const Job fields(json);
  ArtifactObject object{.method = fields.text("method"),
                        .stage = fields.text("stage"),
                        .artifact = {.tensors = {}, .notes = {}, .step = fields.integer("step")},
                        .aux = {}};
  const Json notes = json.value("notes", Json::object());  // items() keeps a reference
  for (const auto& [key, value] : notes.items()) {
    object.artifact.notes[key] = value.is_string() ? value.get<std::string>() : value.dump();
  }
  for (auto& [name, tensor] : content.tensors) {
    const bool aux = name.starts_with(kAux);
    (aux ? object.aux[name.substr(kAux.size())] : object.artifact.tensors[name]) = tensor;
  }
  return object;
}

bool is_artifact_object(const std::filesystem::path& path) {
  if (!std::filesystem::is_regular_file(path)) return false;
  if (sniff_file_kind(MappedFile::open(path)->bytes()) != FileKind::safetensors) return false;
  return read_safetensors(path).metadata.contains(kMetadata);
}

void ObjectWriter::tensor(const std::string& name, const Tensor& value) {
  object_.artifact.tensors[name] = on_cpu(value);
}
void ObjectWriter::aux(const std::string& name, const Tensor& value) { object_.aux[name] = on_cpu(value); }
void ObjectWriter::note(const std::string& key, const std::string& value) { object_.artifact.notes[key] = value; }

}  // namespace atelier::worker
