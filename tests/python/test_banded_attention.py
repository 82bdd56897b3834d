"""The sliding window's fast attention against the clear one, values and gradients."""

import pytest
import torch

from visavis.model.backbone import TurnBand

CASES = ((23, 3, 8, True), (8, 5, 8, False), (9, 2, 4, True), (3, 4, 1, False))  # turns, tokens, window, bias


@pytest.mark.parametrize(("n_turns", "tokens", "window", "biased"), CASES)
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 2e-6), (torch.bfloat16, 0.03)]
)
def test_equals_the_clear_form(
    n_turns: int, tokens: int, window: int, biased: bool, dtype: torch.dtype, tolerance: float
) -> None:
    generator = torch.Generator().manual_seed(n_turns)
    B, H, d = 2, 3, 8
    shape = (B, H, n_turns * tokens, d)
    q, k, v, seen = (torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(4))
    exact = torch.float64 if dtype == torch.float64 else torch.float32  # weights stay so under autocast
    bias = torch.randn(H, window, generator=generator, dtype=torch.float64).to(exact) if biased else None
    inputs = [x.to(dtype).requires_grad_() for x in (q, k, v)] + ([bias.requires_grad_()] if bias is not None else [])
    band = TurnBand(n_turns, tokens, window, bias)
    found = []
    for attend in (band.one_stream, band):
        out = attend(*inputs[:3])
        found.append([out, *torch.autograd.grad(out, inputs, seen.to(dtype))])
    for clear, fast in zip(*found, strict=True):
        assert fast.dtype == clear.dtype and fast.shape == clear.shape
        assert (fast - clear).abs().max() <= tolerance * clear.abs().max()


def test_a_turn_sees_its_window_and_no_more() -> None:
    """By its gradient: what turn 5 gives hangs on turns 3 to 5 alone where three are visible."""
    v = torch.randn(1, 1, 8 * 2, 4, requires_grad=True)
    q, k = torch.randn(2, 1, 1, 8 * 2, 4)
    TurnBand(8, 2, 3, None)(q, k, v)[:, :, 10:12].sum().backward()
    assert v.grad is not None
    touched = v.grad.abs().sum((0, 1, 3)).reshape(8, 2).sum(1) > 0
    assert touched.tolist() == [False, False, False, True, True, True, False, False]
