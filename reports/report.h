#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "framework/store/index.h"
#include "framework/store/store.h"

namespace atelier::reports {

struct ReportOptions {
  std::string study = {};             ///< name in the title; empty: the manifest's
  std::string data_licences = {};     ///< of the product's data
  std::size_t prompts = 12;           ///< columns of the picture grids
  std::int64_t pictures = 2;          ///< of each prompt
  std::int64_t most_pictures = 4000;  ///< fewer of each prompt, then fewer prompts, where the grids would hold more
};

struct Report {
  std::string html;                            ///< a whole page that needs nothing beside it
  std::map<std::string, std::string> figures;  ///< SVG by the name of the evaluation
};

/// What a study came to: its tables, differences, trade-off of identity and text, losses, pictures, text and origin.
/// What is missing is shown as missing. The same store and photos give the same bytes. Throws Error (usage) for a
/// manifest that is not there, and a table of the study that cannot be made.
[[nodiscard]] Report make_report(Index& index, const Store& store, const std::string& manifest,
                                 const ReportOptions& options);

}  // namespace atelier::reports
