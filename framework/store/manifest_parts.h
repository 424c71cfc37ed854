#pragma once

#include "framework/core/json.h"

namespace atelier {

// Jobs of a manifest and descriptions of their outputs are mostly alike. What many have in common stands once, under
// the manifest's `shared`, by name; an object that has it names it in its own `shared`: {"shared": ["0", "7"], "seed":
// 3}. Manifests of earlier versions have everything in its place, and are read the same.

/// The member, wherever it stands; null where there is none. Lives as long as the manifest and the object.
[[nodiscard]] const Json& member_of(const Json& manifest, const Json& object, const char* name);
/// The object with all its members in their place.
[[nodiscard]] Json whole_object(const Json& manifest, const Json& object);
/// A job's content: what its worker is told.
[[nodiscard]] Json job_content(const Json& manifest, const Json& job);
/// What an output's key is the digest of.
[[nodiscard]] Json description_of(const Json& manifest, const Json& output);
/// The job with its content and its outputs' descriptions in their place.
[[nodiscard]] Json whole_job(const Json& manifest, const Json& job);
/// The manifest without `shared`.
[[nodiscard]] Json whole_manifest(Json manifest);

}  // namespace atelier
