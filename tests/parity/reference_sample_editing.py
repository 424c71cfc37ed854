"""Cases of `atelier sample --edit` and `--attention-maps`."""

import torch
from reference_attention import Edit, Maps, walk, word_places
from reference_files import write_tensors

SIZE = (16, 16)
CAT = "a photo of a red cat on the beach"
CASES = {
    "edit_replace": {"prompts": [CAT, "a photo of a red dinosaur on the beach"], "kind": "replace",
                     "cross": {"default": [0.0, 0.8]}, "self": [0.0, 0.4]},
    "edit_two_words": {"prompts": [CAT, "a photo of a blue dog on the moon", "a photo of a red train on the beach"],
                       "kind": "replace", "cross": {"default": [0.0, 1.0], "dog": [0.2, 0.6]}, "self": [0.1, 0.5]},
    "edit_refine": {"prompts": [CAT, "a photo of a small red cat with a hat on the beach"], "kind": "refine",
                    "cross": {"default": [0.0, 0.8]}, "self": [0.0, 0.4]},
    "edit_reweight": {"prompts": [CAT, CAT], "kind": "replace", "cross": {"default": [0.0, 0.8]}, "self": [0.0, 0.4],
                      "reweight": {"red": 4.0, "beach": -2.0}},
    "edit_blend": {"prompts": [CAT, "a photo of a red dog on the beach"], "kind": "replace",
                   "cross": {"default": [0.0, 0.8]}, "self": [0.0, 0.4], "blend": [["cat"], ["dog"]], "threshold": 0.9},
    "edit_refine_reweight": {"prompts": [CAT, "a photo of a red cat and a boat on the beach"], "kind": "refine",
                             "cross": {"default": [0.0, 0.8]}, "self": [0.0, 0.4], "reweight": {"boat": 3.0}},
}
STEPS, GUIDANCE = 10, 3.0


def deviation(first, exact):
    return ((first.double() - exact.double()).abs().max() / exact.double().pow(2).mean().sqrt()).item()


def write_edit(name, folder):
    case = CASES[name]
    latents = torch.randn([1, 4, *SIZE], generator=torch.Generator().manual_seed(len(name)))

    def controller(pipeline):
        return Edit(pipeline, case["prompts"], STEPS, case["kind"], case["cross"], case["self"], SIZE,
                    case.get("reweight"), case.get("blend"), case.get("threshold", 0.3))

    plain = walk(torch.float64, case["prompts"], latents, STEPS, GUIDANCE, lambda _: Maps([[1]], 0, SIZE))[0]
    final, exact = (walk(dtype, case["prompts"], latents, STEPS, GUIDANCE, controller)[0]
                    for dtype in (torch.float32, torch.float64))
    error, moved = deviation(final, exact), deviation(exact[1:], plain[1:])
    print(f"{name}: float32 against float64 {error:.1e}; the edit moves the latents by {moved:.2f}")
    assert error < 3e-5, "too sensitive to rounding to be a reference"
    assert torch.allclose(exact[:1], plain[:1]) and moved > 0.05
    write_tensors(folder / "in.safetensors", {"latents": latents})
    about = {**case, "steps": STEPS, "guidance": GUIDANCE}
    write_tensors(folder / "out.safetensors", {"latents": exact.float()}, about)


def write_maps(name, folder):
    prompt, words, size = "a red cat on the beach", ["cat", "beach", "red"], (9, 14)
    latents = torch.randn([1, 4, *size], generator=torch.Generator().manual_seed(3))

    def controller(pipeline):
        return Maps([word_places(pipeline, prompt, word) for word in words], 1, size)

    (final, maps32), (exact, maps64) = (walk(dtype, [prompt], latents, 4, GUIDANCE, controller)
                                        for dtype in (torch.float32, torch.float64))
    error = deviation(maps32.result(), maps64.result())
    print(f"{name}: float32 against float64 {error:.1e}; mean shares {maps64.result().mean((0, 2, 3)).tolist()}")
    assert error < 1e-5
    write_tensors(folder / "in.safetensors", {"latents": latents})
    write_tensors(folder / "out.safetensors",
                  {"latents": exact.float(), **{word: maps64.result()[0, i].float() for i, word in enumerate(words)}},
                  {"prompt": prompt, "words": words, "steps": 4, "guidance": GUIDANCE})
