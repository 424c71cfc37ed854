#!/usr/bin/env python3
"""The reference's side of side_by_side.py: one component, timed in a process of its own. Imports no more than a user
who wants this component would."""

import argparse
import json
import os
import pathlib
import resource
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")


def seconds_since_process_start():
    ticks = int(pathlib.Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def load(component, folder, dtype):
    """-> a function from the input tensors to the main output."""
    if component == "unet":
        from diffusers import UNet2DConditionModel
        unet = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=dtype).eval()

        def call(inputs):
            extra = {name: inputs[name] for name in ("text_embeds", "time_ids") if name in inputs}
            return unet(inputs["sample"], inputs["timestep"], inputs["encoder_hidden_states"],
                        added_cond_kwargs=extra or None).sample
        return call
    if component.startswith("vae"):
        from diffusers import AutoencoderKL
        vae = AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=dtype).eval()
        if component == "vae_encoder":
            return lambda inputs: vae.encode(inputs["pixel_values"]).latent_dist.mean
        return lambda inputs: vae.decode(inputs["latents"] / vae.config.scaling_factor).sample
    import transformers
    kind = "CLIPTextModelWithProjection" if component.endswith("_2") else "CLIPTextModel"
    text_encoder = getattr(transformers, kind).from_pretrained(folder / component, torch_dtype=dtype).eval()
    return lambda inputs: text_encoder(inputs["input_ids"], output_hidden_states=True).last_hidden_state


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("component")
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--in", dest="input", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--timings", type=pathlib.Path, required=True)
    parser.add_argument("--dtype", required=True)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--repeat", type=int, required=True)
    arguments = parser.parse_args()

    import torch
    from safetensors.torch import load_file, save_file
    torch.set_num_threads(arguments.threads)
    dtype = getattr(torch, arguments.dtype)

    def finish(output):
        if arguments.device != "cpu":
            torch.cuda.synchronize()
        return output

    with torch.no_grad(), torch.device("cpu"):
        start = time.perf_counter()
        call = load(arguments.component, arguments.model, dtype)
        if arguments.device != "cpu":
            for cell in call.__closure__:
                if isinstance(cell.cell_contents, torch.nn.Module):
                    cell.cell_contents.to(arguments.device)
        load_seconds = time.perf_counter() - start
        inputs = {name: tensor.to(arguments.device, dtype) if tensor.is_floating_point() and name != "time_ids"
                  else tensor.to(arguments.device) for name, tensor in load_file(arguments.input).items()}
        output = finish(call(inputs))
        first = seconds_since_process_start()
        calls = []
        for _ in range(arguments.repeat):
            start = time.perf_counter()
            finish(call(inputs))
            calls.append(time.perf_counter() - start)
    save_file({"output": output.float().cpu().contiguous()}, arguments.out)
    arguments.timings.write_text(json.dumps({
        "load_seconds": load_seconds, "first_call_seconds": first, "calls": calls,
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))


if __name__ == "__main__":
    main()
