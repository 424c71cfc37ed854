#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "framework/methods/method.h"
#include "framework/models/session.h"
#include "framework/models/text_attention.h"

namespace atelier::catversion {

/// The one tensor that learns: the keys and values that stand in front of the text's in some layers of the text
/// encoder.
inline constexpr const char* kControlTrans = "text_encoder.control_trans";

/// How the flat tensor is read. Element (p, l, kv, h, d), with p of the P entries, l of the L layers in the order of
/// `layers`, kv 0 for the key and 1 for the value, h of the heads and d inside a head, lies at
/// ((p · 2L + 2l + kv) · H + h) · Dh + d: the authors' layout.
struct PrefixForm {
  std::int64_t length = 1;           ///< P
  std::vector<std::int64_t> layers;  ///< from 0
  double logit_bias = 1.0;           ///< added to the logits of the extra keys; in the authors' program 1
  std::int64_t width = 768;          ///< D = H · Dh

  /// P · 2L · D.
  [[nodiscard]] std::int64_t size() const { return length * 2 * static_cast<std::int64_t>(layers.size()) * width; }
  /// [P, D] each, views of the flat tensor [size()].
  [[nodiscard]] Tensor keys(const Tensor& flat, std::size_t layer) const;
  [[nodiscard]] Tensor values(const Tensor& flat, std::size_t layer) const;
  /// What the attention of layers[layer] becomes.
  [[nodiscard]] TextAttentionEdit edit(const Tensor& flat, std::size_t layer) const;
};

/// Layer numbers counted from 0, ascending; negative ones count from the end. Throws Error (usage, `where`) for none,
/// for one that the encoder does not have, and for one twice.
[[nodiscard]] std::vector<std::int64_t> count_layers(const std::vector<std::int64_t>& layers, std::int64_t depth,
                                                     const std::string& where);

/// Puts the prefix into the session's text encoder, for every following encode(). The edits are views of `flat`.
void put_prefix(Session& session, const PrefixForm& form, const Tensor& flat);

/// The form that an artifact's notes describe; `width` is the text encoder's. Throws Error when they do not, or when
/// the tensor has another size.
[[nodiscard]] PrefixForm read_form(const TrainedArtifact& artifact, std::int64_t width);
/// The artifact's notes of a form.
[[nodiscard]] std::map<std::string, std::string> notes_of(const PrefixForm& form);

}  // namespace atelier::catversion
