"""Attention of diffusers' UNet by hand, with a function that sees and may change the probabilities; the words of a
prompt as places of their tokens; and prompt-to-prompt editing (Hertz et al. 2022, arXiv:2208.01626) with the rules of
the authors' notebook for Stable Diffusion."""

import diffusers
import torch
import torch.nn.functional as F
from reference_files import MODELS
from reference_methods_model import Pipeline


class Processor:
    """`change(name, probabilities [B, H, N, L])` -> probabilities."""

    def __init__(self, name, change):
        self.name, self.change = name, change

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, temb=None, **_):
        source = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        batch, length, _ = hidden_states.shape

        def split(states):
            return states.view(batch, -1, attn.heads, states.shape[-1] // attn.heads).transpose(1, 2)

        query, key, value = split(attn.to_q(hidden_states)), split(attn.to_k(source)), split(attn.to_v(source))
        probabilities = (query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5).softmax(-1)
        mixed = self.change(self.name, probabilities) @ value
        return attn.to_out[0](mixed.transpose(1, 2).reshape(batch, length, -1))


def watch(unet, change):
    unet.set_attn_processor({name: Processor(name.removesuffix(".processor"), change) for name in unet.attn_processors})


def word_places(pipeline, prompt, word):
    """Places of a word's tokens: of every word of the prompt, split at spaces, that equals it (or has its number)."""
    places, position = [], 1
    for number, each in enumerate(prompt.split(" ")):
        count = len(pipeline.tokenizer(each, add_special_tokens=False)["input_ids"])
        if word in (each, number):
            places += range(position, position + count)
        position += count
    return places


def replacement(pipeline, source, edited):
    """[77, 77]: where the attention to the edited prompt's token n comes from."""
    old, new = source.split(" "), edited.split(" ")
    assert len(old) == len(new)
    matrix = torch.zeros(77, 77)
    i = j = 0
    for number in [number for number in range(len(old)) if old[number] != new[number]]:
        from_, to = word_places(pipeline, source, number), word_places(pipeline, edited, number)
        while i < from_[0]:
            matrix[i, j] = 1
            i, j = i + 1, j + 1
        for offset, place in enumerate(to):
            if len(from_) == len(to):
                matrix[from_[offset], place] = 1
            else:
                matrix[from_, place] = 1 / len(to)
        i, j = i + len(from_), j + len(to)
    while j < 77:  # behind the last swap the notebook goes on from the edited prompt's place in both
        matrix[j, j] = 1
        j += 1
        i += 1
        if i >= 77:
            break
    return matrix


def refinement(pipeline, source, edited):
    """-> place in the source of each token of the edited prompt, and whether it has one. Global alignment: a match is 1,
    a mismatch -1, a gap 0; of equal ways a gap in the source is taken first, then one in the edited prompt."""
    old, new = (pipeline.tokenizer(text)["input_ids"] for text in (source, edited))
    best = torch.zeros(len(old) + 1, len(new) + 1, dtype=torch.long)
    way = {(0, j): "left" for j in range(1, len(new) + 1)} | {(i, 0): "up" for i in range(1, len(old) + 1)}
    for i in range(1, len(old) + 1):
        for j in range(1, len(new) + 1):
            choices = {"left": best[i, j - 1], "up": best[i - 1, j],
                       "both": best[i - 1, j - 1] + (1 if old[i - 1] == new[j - 1] else -1)}
            best[i, j] = max(choices.values())
            way[i, j] = next(name for name, value in choices.items() if value == best[i, j])
    mapper, known = torch.zeros(77, dtype=torch.long), torch.ones(77)
    i, j = len(old), len(new)
    while i > 0 or j > 0:
        step = way[i, j]
        if step == "both":
            i, j = i - 1, j - 1
            mapper[j] = i
        elif step == "left":
            j -= 1
            mapper[j], known[j] = -1, 0
        else:
            i -= 1
    mapper[len(new):] = torch.arange(len(new), 77)
    return mapper, known


class Edit:
    """Rows 0 … of the conditional half: the source and the edited prompts."""

    def __init__(self, pipeline, prompts, steps, kind, cross, self_replace, size, reweight=None, blend=None,
                 threshold=0.3):
        self.count, self.steps, self.kind = len(prompts), steps, kind
        source, edited = prompts[0], prompts[1:]
        if kind == "replace":
            self.matrix = torch.stack([replacement(pipeline, source, text) for text in edited])
        else:
            pairs = [refinement(pipeline, source, text) for text in edited]
            self.mapper, self.known = torch.stack([m for m, _ in pairs]), torch.stack([k for _, k in pairs])
        self.window = torch.zeros(steps + 1, len(edited), 77)
        for word, bounds in {"default": cross.get("default", (0.0, 1.0)), **cross}.items():
            begin, end = (int(bound * (steps + 1)) for bound in bounds)
            for number, text in enumerate(edited):
                places = list(range(77)) if word == "default" else word_places(pipeline, text, word)
                if places:
                    self.window[:, number, places] = 0
                    self.window[begin:end, number, places] = 1
        self.self_window = [int(bound * steps) for bound in self_replace]
        self.scale = torch.ones(len(edited), 77)
        for word, factor in (reweight or {}).items():
            for number, text in enumerate(edited):
                self.scale[number, word_places(pipeline, text, word)] = factor
        self.blend = None
        if blend is not None:
            self.blend = torch.zeros(len(prompts), 77)
            for number, (text, words) in enumerate(zip(prompts, blend)):
                for word in words:
                    self.blend[number, word_places(pipeline, text, word)] = 1
        self.threshold, self.size = threshold, size  # latent height, width
        self.coarse = (size[0] // 4, size[1] // 4)
        self.step, self.sums, self.place = 0, [], 0

    def change(self, name, probabilities):
        conditional = probabilities[self.count:].clone()
        base, others = conditional[0], conditional[1:]
        if name.endswith("attn2"):
            dtype = probabilities.dtype
            if self.kind == "replace":
                new = torch.einsum("hpw,bwn->bhpn", base, self.matrix.to(dtype))
            else:
                known = self.known.to(dtype)[:, None, None, :]
                new = torch.stack([base[:, :, mapper] for mapper in self.mapper]) * known + others * (1 - known)
            new = new * self.scale.to(dtype)[:, None, None, :]
            window = self.window[self.step].to(dtype)[:, None, None, :]
            conditional[1:] = new * window + others * (1 - window)
            self.keep(name, conditional)
        elif self.in_self_window() and base.shape[1] <= self.coarse[0] * self.coarse[1]:
            conditional[1:] = base
        return torch.cat([probabilities[:self.count], conditional])

    def in_self_window(self):
        return self.self_window[0] <= self.step < self.self_window[1]

    def keep(self, name, maps):
        if self.blend is None or "mid_block" in name or maps.shape[2] != self.coarse[0] * self.coarse[1]:
            return
        if self.step == 0:
            self.sums.append(maps)
        else:
            self.sums[self.place] = self.sums[self.place] + maps
        self.place += 1

    def after_step(self, latents):
        self.step, self.place = self.step + 1, 0
        if self.blend is None:
            return latents
        maps = torch.cat([each.reshape(self.count, -1, *self.coarse, 77) for each in self.sums], dim=1)
        heat = (maps * self.blend.to(maps.dtype)[:, None, None, None, :]).sum(-1).mean(1, keepdim=True)
        heat = F.interpolate(F.max_pool2d(heat, 3, 1, 1), size=latents.shape[2:])
        mask = heat / heat.amax(dim=(2, 3), keepdim=True) > self.threshold
        mask = (mask[:1] | mask[1:]).to(latents.dtype)
        return torch.cat([latents[:1], latents[:1] + mask * (latents[1:] - latents[:1])])


class Maps:
    """The share of attention that goes to a word's tokens, averaged over heads, layers and steps; every layer's map is
    brought to the latents' size bilinearly."""

    def __init__(self, places, first, size):
        self.places, self.first, self.size = places, first, size
        self.total, self.count = 0.0, 0

    def sides(self, pixels):
        height, width = self.size
        while height * width != pixels:
            height, width = (height + 1) // 2, (width + 1) // 2
        return height, width

    def change(self, name, probabilities):
        if name.endswith("attn2"):
            mean = probabilities[self.first:].mean(1)  # [B, N, 77]
            words = torch.stack([mean[:, :, places].sum(-1) for places in self.places], 1)
            maps = words.reshape(len(mean), len(self.places), *self.sides(mean.shape[1]))
            self.total = self.total + F.interpolate(maps, size=self.size, mode="bilinear", align_corners=False)
            self.count += 1
        return probabilities

    def result(self):
        return self.total / self.count  # [B, words, h, w]


@torch.no_grad()
def walk(dtype, prompts, latents, steps, guidance, controller_of, negative=""):
    """DDIM from the same latents for all prompts (or one row each). -> final latents, the controller."""
    pipeline = Pipeline("sd15", dtype, [])
    scheduler = diffusers.DDIMScheduler.from_config(diffusers.DDPMScheduler.load_config(MODELS / "sd15/scheduler"))
    scheduler.set_timesteps(steps)
    controller = controller_of(pipeline)
    watch(pipeline.unet, controller.change)
    context = pipeline.text_encoder(pipeline.tokenize([negative] * len(prompts) + list(prompts))).last_hidden_state
    latents = latents.double().expand(len(prompts), -1, -1, -1)
    for timestep in scheduler.timesteps:
        both = pipeline.unet(latents.to(dtype).repeat(2, 1, 1, 1), timestep, context).sample.double()
        plain, text = both.chunk(2)
        latents = scheduler.step(plain + guidance * (text - plain), timestep, latents).prev_sample
        if hasattr(controller, "after_step"):
            latents = controller.after_step(latents)
    return latents, controller
