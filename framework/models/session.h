#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "framework/models/adapters.h"
#include "framework/models/scope.h"

namespace atelier {

class Base;
class ClipText;
class ClipTokenizer;
class TextTower;
class UNet;
class VAE;
struct TextAttentionEdit;

/// What the UNet takes from the text: encoder states and, for SDXL, the pooled vector.
struct TextCondition {
  Tensor context;  ///< [B, 77, D]
  Tensor pooled;   ///< SDXL: [B, P]; undefined otherwise
};

/// Prompts as token ids: one tensor for each text encoder, [B, 77] int64 on the base's device.
struct TextIds {
  std::vector<Tensor> towers;
};

struct EncodeOptions {
  Tensor edited_rows = {};     ///< [B] bool: rows that the text-attention edits apply to; undefined: all
  Tensor attention_bias = {};  ///< [1 or B, 1, 77, 77] stands for the causal mask in every layer without an edit
  bool pool_at_eos = false;    ///< read SDXL's pooled vector at the end token instead of where the config says
  std::int64_t clip_skip = 0;  ///< take the state that many layers before the usual one
};

/// One user's view of a base model that others share: new tokens, low-rank adapters, unfrozen copies of weights, edits
/// of the text encoder's attention. The base is never written to; dropping the session drops every change.
///
/// Names are the checkpoint's with the component in front:
/// "unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_k". Patterns hold `*` for any run of characters.
class Session {
 public:
  explicit Session(std::shared_ptr<const Base> base);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  [[nodiscard]] const Base& base() const { return *base_; }
  [[nodiscard]] std::size_t text_towers() const { return towers_.size(); }
  /// Built on first use.
  [[nodiscard]] UNet& unet();
  [[nodiscard]] VAE& vae();
  [[nodiscard]] ClipText& text(std::size_t tower);
  [[nodiscard]] ClipTokenizer& tokenizer(std::size_t tower);

  /// A new token with one or more vectors in each tower: vectors[tower] [n, D] or [D], used as they are (they may
  /// require a gradient). More than one vector makes tokens `name`, `name_1`, …; prompts hold `name` once.
  void add_token(const std::string& name, const std::vector<Tensor>& vectors);
  /// The row of an existing single token of a tower, as a copy [D] float32. Throws Error when `word` is not one token.
  [[nodiscard]] Tensor token_vector(const std::string& word, std::size_t tower);

  /// Names of the linear (and, where asked, convolution) layers that match.
  [[nodiscard]] std::vector<std::string> layers(const std::string& pattern, bool convolutions = false);
  /// The weight's sizes: [out, in], of a convolution [out, in, k, k]. Throws Error when the layer does not exist.
  [[nodiscard]] std::vector<std::int64_t> layer_shape(const std::string& layer);
  /// Throws Error when the layer does not exist or the shapes do not fit it.
  void attach(const std::string& layer, LowRank adapter);
  void detach_adapters();
  /// What the adapters of a layer add for x, without row scale: sum of scale · B (A x).
  [[nodiscard]] Tensor adapter_output(const std::string& layer, const Tensor& x);

  /// Replaces the matching parameters by float32 copies that require a gradient (float64 stays float64).
  std::vector<std::pair<std::string, Tensor>> unfreeze(const std::string& pattern);
  /// A parameter as it is used now, detached: the base's own memory unless it was replaced. Not to be written to.
  [[nodiscard]] Tensor parameter(const std::string& name);
  /// Replaces one parameter by a tensor of the same shape: what an earlier stage learned.
  void replace(const std::string& parameter, const Tensor& value);

  /// The weights of a component as a file of their own: what replaced them, adapters folded in (float32 there; float64
  /// stays), and the rows of new tokens behind the token table's last. On the base's device, without gradient.
  [[nodiscard]] TensorMap whole_weights(const std::string& component);

  /// Edits the self-attention of one layer of a tower in every following encode().
  void edit_text_attention(std::size_t tower, std::int64_t layer, TextAttentionEdit edit);
  void clear_text_edits();
  [[nodiscard]] bool has_text_edits() const;

  /// Every following encode() reads SDXL's pooled vector at the end token, also where a learned token stands.
  void pool_at_eos() { pool_at_eos_ = true; }
  [[nodiscard]] bool pools_at_eos() const { return pool_at_eos_; }

  /// Every following training step computes the UNet's activations again in its backward pass instead of keeping them.
  void recompute_activations(bool recompute) { recompute_activations_ = recompute; }
  [[nodiscard]] bool recomputes_activations() const { return recompute_activations_; }

  /// Prompts through all towers. Placeholders of several vectors are expanded; long prompts are cut at 77 tokens.
  [[nodiscard]] TextCondition encode(const std::vector<std::string>& prompts, const EncodeOptions& options = {});
  /// The host's half of encode(), and the device's.
  [[nodiscard]] TextIds tokenize(const std::vector<std::string>& prompts);
  [[nodiscard]] TextCondition encode(const TextIds& ids, const EncodeOptions& options = {});

 private:
  struct Resolved {
    Registry* registry;
    std::string name;
  };
  [[nodiscard]] Resolved resolve(const std::string& name);
  [[nodiscard]] Tensor& slot(const std::string& parameter);
  [[nodiscard]] std::vector<std::string> components() const;
  [[nodiscard]] Registry& registry(const std::string& component);
  [[nodiscard]] TextTower& tower(std::size_t index);

  std::shared_ptr<const Base> base_;
  std::unique_ptr<UNet> unet_;
  std::unique_ptr<VAE> vae_;
  std::vector<std::unique_ptr<TextTower>> towers_;
  bool pool_at_eos_ = false;
  bool recompute_activations_ = false;
};

/// Whether `text` matches a pattern in which `*` stands for any run of characters.
[[nodiscard]] bool matches(std::string_view pattern, std::string_view text);

}  // namespace atelier
