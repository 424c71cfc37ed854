#include "tests/study/study_place.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "framework/core/json.h"
#include "framework/store/store.h"

namespace fs = std::filesystem;

StudyPlace::StudyPlace(const std::string& methods, const std::string& more) {
  const std::string source = ATELIER_SOURCE_DIR;
  std::ofstream(study()) << fmt::format(R"(study: small
concepts: [{{name: cat2, path: {0}/tests/eval/pictures/references/cat2, class: man, initializer: man}}]
methods:
{1}
sampler: {{scheduler: ddim, steps: 2, guidance: 3.0}}
evaluate: [{{protocol: ti_code, images: 2}}]
encoders: {{clip: {0}/tests/eval/models/clip_tiny}}
placement: {{device: cpu, dtype: float32, threads: 1}}
size: 64
{2}
)",
                                        source, methods, more);
}

Outcome StudyPlace::command(const std::string& name, const std::vector<std::string>& options) const {
  std::vector<std::string> words{name, study(), "--store", store()};
  words.insert(words.end(), options.begin(), options.end());
  return run_atelier(words);
}

Outcome StudyPlace::ask(const std::string& name, const std::vector<std::string>& options) const {
  std::vector<std::string> words{name, "small", "--store", store()};
  words.insert(words.end(), options.begin(), options.end());
  return run_atelier(words);
}

std::map<std::string, std::string> StudyPlace::published() const {
  std::map<std::string, std::string> all;
  const auto opened = atelier::Store::open(store());
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(store()) / "keys")) {
    if (entry.path().extension() != ".json") continue;
    const auto record = opened.find(entry.path().stem().string());
    if (record) all[record->key] = record->object;
  }
  return all;
}

std::string both_methods(const std::string& rate) {
  const std::string base = ATELIER_SOURCE_DIR "/experiments/demo/base";
  return fmt::format(R"(  textual_inversion:
    base: {0}
    options: {{resolution: 32, embedding: {{max_train_steps: 4, train_batch_size: 2, learning_rate: {1}}}}}
  textreg:
    base: {0}
    options: {{resolution: 32, initializer_id: 300, ti_train_step: 3, max_train_steps: 6, lora_rank: 2,
              ti: {{learning_rate: {1}}}, ut: {{learning_rate: {1}}}}})",
                     base, rate);
}
