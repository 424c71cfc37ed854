#pragma once

#include <filesystem>
#include <memory>

#include "eval/encoder.h"

namespace atelier::eval {

/// An encoder that computes each text once. With a file of vectors from another program's text encoder it computes none
/// and takes the file's: `features` [N, F] with the metadata `texts`, a JSON array of N texts. Throws Error for a file
/// of another form; text_features() then throws for a text that is not in it.
[[nodiscard]] std::unique_ptr<Encoder> with_texts(std::unique_ptr<Encoder> encoder,
                                                  const std::filesystem::path& vectors = {});

}  // namespace atelier::eval
