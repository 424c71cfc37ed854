#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "eval/scoring.h"
#include "framework/core/mapped_file.h"

/// The pictures and the tiny CLIP of make_references.py.
struct Scene {
  explicit Scene(const std::string& subject);

  [[nodiscard]] atelier::eval::Scores score(const atelier::eval::Protocol& protocol) const {
    return atelier::eval::score(protocol, encoders, references, sets, duplicates);
  }

  std::vector<atelier::eval::Picture> references;
  std::vector<std::string> names;  // of the references
  std::vector<atelier::eval::PictureSet> sets;
  atelier::eval::Duplicates duplicates;
  atelier::eval::Encoders encoders;
  std::vector<std::shared_ptr<const atelier::MappedFile>> files;  // what the pictures borrow

 private:
  void read_sheet(const std::string& subject);
  atelier::eval::Picture picture(const std::string& path);
  std::vector<atelier::eval::Picture> pictures(const std::string& folder);
};

/// ti_code with batches of `rows`; with the set scores of ti_paper.
atelier::eval::Protocol ti_protocol(std::int64_t rows = 4);
