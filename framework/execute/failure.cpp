#include "framework/execute/failure.h"

#include <algorithm>
#include <cctype>
#include <cerrno>

#include "framework/core/error.h"

namespace atelier {
namespace {

bool says(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

bool is_word_part(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

/// "#" for a word with a digit in it: numbers, digests, names of runs and files with numbers.
std::string without_numbers(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size();) {
    const auto begin = i;
    while (i < text.size() && is_word_part(text[i])) ++i;
    const auto word = text.substr(begin, i - begin);
    const bool number =
        std::ranges::any_of(word, [](char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; });
    plain += number ? std::string_view("#") : word;
    if (i == begin) plain += text[i++];
  }
  return plain;
}

/// Paths lose their folders: one missing file for each concept is one cause.
std::string without_paths(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size();) {
    const bool starts = text[i] == '/' && (i == 0 || !is_word_part(text[i - 1]));
    if (!starts) {
      plain += text[i++];
      continue;
    }
    while (i < text.size() && text[i] != ' ' && text[i] != ':' && text[i] != ';' && text[i] != ',') ++i;
    plain += "#";
  }
  return plain;
}

}  // namespace

bool stops_everything(std::string_view failure, std::string_view text) {
  return failure == "resource" && (says(text, errno_text(ENOSPC)) || says(text, errno_text(EDQUOT)));
}

int retries_of(std::string_view failure, std::string_view text) {
  if (stops_everything(failure, text)) return 0;
  if (failure == "node") return 2;
  return failure == "resource" ? 1 : 0;
}

bool tried_by_later_calls(std::string_view failure) { return failure != "configuration" && failure != "method"; }

std::string failure_fingerprint(std::string_view failure, std::string_view kind, std::string_view text) {
  return std::string(failure) + "|" + std::string(kind) + "|" + without_numbers(without_paths(text));
}

std::string_view failure_advice(std::string_view failure) {
  if (failure == "configuration") return "correct what the study asks for, then `atelier run STUDY --retry failed`";
  if (failure == "method") return "change the option at fault; the same options fail again";
  if (failure == "resource") return "free memory or disk, or ask for less; the next run tries it again";
  if (failure == "node") return "look at the machine; the next run tries it again";
  return "the next run goes on";
}

}  // namespace atelier
