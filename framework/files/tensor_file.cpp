#include "framework/files/tensor_file.h"

#include "framework/core/error.h"
#include "framework/core/mapped_file.h"
#include "framework/files/file_kind.h"
#include "framework/files/pickle_reader.h"
#include "framework/files/safetensors.h"

namespace atelier {

TensorFile read_tensor_file(const std::filesystem::path& path, bool allow_pickle) {
  const auto file = MappedFile::open(path);
  const FileKind kind = sniff_file_kind(file->bytes());
  if (kind == FileKind::safetensors) return parse_safetensors(file->bytes(), path.string(), file);
  if (kind == FileKind::other) {
    ForeignFile foreign = describe_foreign_file(file->bytes());
    throw Error({.where = path.string(),
                 .found = std::move(foreign.found),
                 .expected = "a safetensors file or a checkpoint of torch.save",
                 .advice = std::move(foreign.advice)});
  }
  if (!allow_pickle) {
    throw Error({.where = path.string(),
                 .found = "a pickle file",
                 .expected = "a safetensors file",
                 .advice = "take the safetensors file of this model, or allow pickle files (--allow-pickle)"});
  }
  return pickle_checkpoint(parse_pickle(file->bytes(), path.string(), file));
}

}  // namespace atelier
