// What is committed beside the program: concepts, prompts, tokenizer; and the words.
#include <fmt/format.h>

#include "experiments/pocket/program/commands.h"
#include "experiments/pocket/world/captions.h"
#include "experiments/pocket/world/concept_folder.h"
#include "experiments/pocket/world/prompts.h"
#include "experiments/pocket/world/tokenizer.h"
#include "framework/cli/options.h"
#include "framework/core/atomic_file.h"

namespace atelier::pocket {
namespace {

int write_concepts(const std::string& out) {
  cli::check_output_folder("--out", out);
  for (const Concept& what : concepts()) write_concept_folder(what, std::filesystem::path(out) / what.name);
  fmt::print("{}: {} concepts\n", out, concepts().size());
  return 0;
}

int write_prompts(const std::string& out) {
  cli::check_output("--out", out);
  write_file_atomically(out, prompts_yaml());
  fmt::print("{}: {} prompts, {} word swaps\n", out, held_out_prompts().size(), word_swaps().size());
  return 0;
}

int make_tokenizer(const std::string& out) {
  cli::check_output_folder("--out", out);
  write_tokenizer(out);
  const auto words = tokenizer_words();
  fmt::print("{}: {} words, {} tokens\n", out, words.size(), tokenizer_vocabulary(train_merges(words)).size());
  return 0;
}

/// A subcommand with --out alone.
void add_writer(CLI::App& root, cli::Action& action, const char* name, const char* help, const char* type,
                int (*write)(const std::string&)) {
  CLI::App* app = root.add_subcommand(name, help);
  const auto out = std::make_shared<std::string>();
  app->add_option("--out", *out, "what to write; files that are there are replaced")->type_name(type)->required();
  app->callback([out, write, &action] { action = [out, write] { return write(*out); }; });
}

}  // namespace

void add_concepts(CLI::App& root, cli::Action& action) {
  add_writer(root, action, "concepts", "Write the folders of the concepts: photos, masks, concept.yaml", "DIR",
             write_concepts);
}

void add_prompts(CLI::App& root, cli::Action& action) {
  add_writer(root, action, "prompts", "Write the prompts that base training never saw, and pairs that differ in a word",
             "FILE", write_prompts);
}

void add_tokenizer(CLI::App& root, cli::Action& action) {
  add_writer(root, action, "tokenizer", "Write the tokenizer in which each of the world's words is one token", "DIR",
             make_tokenizer);
}

void add_words(CLI::App& root, cli::Action& action) {
  CLI::App* app = root.add_subcommand("words", "Print every word that captions can hold");
  app->callback([&action] {
    action = [] {
      for (const std::string& word : world_words()) fmt::print("{}\n", word);
      return 0;
    };
  });
}

}  // namespace atelier::pocket
