#pragma once

#include "framework/cli/command.h"

namespace atelier::pocket {

// Each adds one subcommand, as in framework/cli/command.h.
void add_draw(CLI::App& root, cli::Action& action);
void add_sheet(CLI::App& root, cli::Action& action);
void add_concepts(CLI::App& root, cli::Action& action);
void add_prompts(CLI::App& root, cli::Action& action);
void add_words(CLI::App& root, cli::Action& action);
void add_tokenizer(CLI::App& root, cli::Action& action);

}  // namespace atelier::pocket
