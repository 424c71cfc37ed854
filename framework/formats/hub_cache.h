#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace atelier {

/// The Hugging Face cache on disk; formats.md 13. Nothing is ever downloaded.

/// `~` and `$NAME` or `${NAME}` at any place of a path replaced by the environment's values; unknown names stay.
[[nodiscard]] std::filesystem::path expand_path(const std::string& text);

/// $HF_HUB_CACHE, else $HUGGINGFACE_HUB_CACHE, else $HF_HOME/hub, where HF_HOME is by default
/// $XDG_CACHE_HOME/huggingface, else ~/.cache/huggingface.
[[nodiscard]] std::filesystem::path hub_cache_root();

struct HubSnapshot {
  std::filesystem::path folder;
  std::string repo;      ///< "org/name"
  std::string revision;  ///< as asked for: a branch, a tag or a commit
  std::string commit;
};

/// "org/name" or "name" of letters, digits, '.', '_' and '-'; nothing that could leave the cache.
[[nodiscard]] bool is_repo_id(const std::string& text);

/// The snapshot of a model that the cache holds for a revision. Nothing when the cache does not have the repository at
/// all. Throws Error when it has the repository but not this revision (naming the only snapshot where there is one),
/// for a damaged reference, and for a repo id or revision that could leave the cache.
[[nodiscard]] std::optional<HubSnapshot> find_snapshot(const std::filesystem::path& root, const std::string& repo,
                                                       const std::string& revision = "main");

/// Repo ids of all models in the cache, sorted.
[[nodiscard]] std::vector<std::string> cached_models(const std::filesystem::path& root);

}  // namespace atelier
