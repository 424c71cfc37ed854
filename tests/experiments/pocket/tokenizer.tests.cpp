#include "experiments/pocket/world/tokenizer.h"

#include <catch2/catch.hpp>

#include "experiments/pocket/world/captions.h"
#include "framework/core/atomic_file.h"
#include "framework/plan/prompt_catalog.h"
#include "framework/text/clip_tokenizer.h"

using namespace atelier;
using namespace atelier::pocket;

namespace {

const std::filesystem::path kTokenizer = std::filesystem::path(ATELIER_SOURCE_DIR) / "experiments/pocket/tokenizer";

/// Its words of letters; the placeholder and punctuation left out.
std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  std::string word;
  for (const char c : text + " ") {
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (lower >= 'a' && lower <= 'z') {
      word += lower;
    } else if (!word.empty()) {
      words.push_back(std::move(word));
      word.clear();
    }
  }
  return words;
}

}  // namespace

TEST_CASE("The committed tokenizer is the one that the program writes", "[pocket][tokenizer]") {
  for (const auto& [name, content] : tokenizer_files()) CHECK(read_text_file(kTokenizer / name) == content);
}

TEST_CASE("Every word of the world is one token", "[pocket][tokenizer]") {
  const auto tokenizer = ClipTokenizer::load(kTokenizer);
  CHECK(tokenizer.vocab_size() <= 1200);
  CHECK(tokenizer.bos_id() == tokenizer.vocab_size() - 2);
  CHECK(tokenizer.eos_id() == tokenizer.vocab_size() - 1);
  for (const std::string& word : tokenizer_words()) {
    INFO(word);
    CHECK(tokenizer.tokens(word).size() == 1);
  }
}

TEST_CASE("Every word of the prompt lists that methods use is one token", "[pocket][tokenizer]") {
  const auto tokenizer = ClipTokenizer::load(kTokenizer);
  const PromptCatalog catalog(std::filesystem::path(ATELIER_SOURCE_DIR) / "eval/data");
  for (const char* id :
       {"pocket/edit", "ti/evaluation_reconstruction", "ti/evaluation_editability_examples", "ti/train_object",
        "ti/train_style", "ti/imagenet_templates_small", "textreg/evaluation_object", "textreg/evaluation_live"}) {
    for (const std::string& prompt : catalog.list(id).prompts) {
      for (const std::string& word : words_of(prompt)) {
        INFO(id << ": " << word);
        CHECK(tokenizer.tokens(word).size() == 1);
      }
    }
  }
}

TEST_CASE("Words that nobody taught it fall into several tokens", "[pocket][tokenizer]") {
  const auto tokenizer = ClipTokenizer::load(kTokenizer);
  CHECK(tokenizer.tokens("zeppelin").size() > 1);
  CHECK(tokenizer.tokens("月").size() >= 1);
}

TEST_CASE("The prompt list of the world uses its words alone", "[pocket][prompts]") {
  const PromptCatalog catalog(std::filesystem::path(ATELIER_SOURCE_DIR) / "eval/data");
  const auto known = world_words();
  for (const std::string& prompt : catalog.list("pocket/edit").prompts) {
    for (const std::string& word : words_of(prompt)) {
      INFO(prompt << ": " << word);
      CHECK(std::binary_search(known.begin(), known.end(), word));
    }
  }
}
