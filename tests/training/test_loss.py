"""The fused loss against torch's own."""

import pytest
import torch
from torch.nn import functional

from training import loss as module
from training.loss import token_loss
from training.native import cross_entropy


def oracle(
    hidden: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, target: torch.Tensor, smoothing: float
) -> torch.Tensor:
    logits = functional.linear(hidden, weight, bias)
    return functional.cross_entropy(logits, target, reduction="sum", ignore_index=0, label_smoothing=smoothing)


@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_value_and_gradients_against_torch(smoothing: float, with_bias: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK_BYTES", 1)  # several chunks of 64 rows
    torch.manual_seed(6)
    hidden, weight = torch.randn(200, 8, requires_grad=True), torch.randn(11, 8, requires_grad=True)
    bias = torch.randn(11, requires_grad=True) if with_bias else None
    leaves = [leaf for leaf in (hidden, weight, bias) if leaf is not None]
    target = torch.randint(0, 11, (200,))
    expected = oracle(hidden, weight, bias, target, smoothing)
    wanted = torch.autograd.grad(expected * 0.5, leaves)
    mine, nll = token_loss(hidden[None], weight, bias, target, smoothing)
    gradients = torch.autograd.grad(mine * 0.5, leaves)
    torch.testing.assert_close(mine, expected)
    torch.testing.assert_close(nll, oracle(hidden, weight, bias, target, 0.0))
    for gradient, reference in zip(gradients, wanted, strict=True):
        torch.testing.assert_close(gradient, reference, atol=1e-4, rtol=1e-4)


def test_low_precision_stays_near_float32() -> None:
    torch.manual_seed(7)
    hidden, weight, target = torch.randn(50, 16), torch.randn(30, 16), torch.randint(1, 30, (50,))
    exact, _ = token_loss(hidden[None], weight, None, target, 0.1)
    rough, _ = token_loss(hidden.bfloat16()[None], weight, None, target, 0.1)
    assert rough.dtype == torch.float32
    assert float(rough) == pytest.approx(float(exact), rel=0.02)


def test_a_batch_of_padding_costs_nothing() -> None:
    hidden, weight = torch.randn(4, 8, requires_grad=True), torch.randn(11, 8, requires_grad=True)
    mine, nll = token_loss(hidden[None], weight, None, torch.zeros(4, dtype=torch.long), 0.1)
    mine.backward()
    assert mine.item() == nll.item() == 0.0
    assert hidden.grad is not None
    assert (hidden.grad == 0).all()


@pytest.mark.parametrize("with_bias", [True, False])
def test_agreement_of_two_passes_against_torch(with_bias: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK_BYTES", 1)
    torch.manual_seed(8)
    hidden, weight = torch.randn(2, 150, 8, requires_grad=True), torch.randn(11, 8, requires_grad=True)
    bias = torch.randn(11, requires_grad=True) if with_bias else None
    leaves = [leaf for leaf in (hidden, weight, bias) if leaf is not None]
    target, alpha = torch.randint(0, 11, (150,)), 5.0
    plain = sum(oracle(one, weight, bias, target, 0.1) for one in hidden) + torch.zeros(())
    one, other = (functional.linear(part[target != 0], weight, bias).log_softmax(-1) for part in hidden)
    apart = [functional.kl_div(a, b, log_target=True, reduction="sum") for a, b in ((one, other), (other, one))]
    expected = (plain + alpha * (apart[0] + apart[1]) / 2) / 2  # Wu et al. (2021), equation 3, halved
    wanted = torch.autograd.grad(expected * 0.5, leaves)
    mine, nll = token_loss(hidden, weight, bias, target, 0.1, agreement=alpha)
    gradients = torch.autograd.grad(mine * 0.5, leaves)
    torch.testing.assert_close(mine, expected)
    torch.testing.assert_close(nll, sum(oracle(one, weight, bias, target, 0.0) for one in hidden) / 2)
    for gradient, reference in zip(gradients, wanted, strict=True):
        torch.testing.assert_close(gradient, reference, atol=1e-4, rtol=1e-4)


@pytest.fixture
def compiled() -> None:
    if cross_entropy.task() is None:
        pytest.skip("no C compiler on this machine")


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("words", [5, 32, 1003])
@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("passes", [1, 2])
def test_the_compiled_loss_against_torch(
    passes: int, words: int, with_bias: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(9)
    hidden = torch.randn(passes, 150, 16).bfloat16().requires_grad_()
    weight = torch.randn(words, 16, requires_grad=True)
    bias = torch.randn(words, requires_grad=True) if with_bias else None
    leaves = [leaf for leaf in (hidden, weight, bias) if leaf is not None]
    target = torch.randint(0, words, (150,))
    monkeypatch.setattr(module, "CHUNK_BYTES", 1)
    results = []
    for fits in (cross_entropy.fits, lambda _: False):
        monkeypatch.setattr(cross_entropy, "fits", fits)
        loss, nll = token_loss(hidden, weight, bias, target, 0.1, agreement=3.0 * (passes - 1))
        results.append([loss.detach(), nll, *torch.autograd.grad(loss, leaves)])
    for found, expected in zip(*results, strict=True):
        assert found.dtype == expected.dtype
        assert (found - expected).float().norm() <= 0.004 * expected.float().norm()


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("odd", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_not_hidden_by_the_compiled_loss(odd: float) -> None:
    for word in (0, 17, 39):
        logits = torch.zeros(3, 40, dtype=torch.bfloat16)
        logits[1, word] = odd
        _, normalizer, _ = cross_entropy.turn(logits, None, torch.tensor([1, 2, 3]), 0.9)
        assert normalizer.isfinite().tolist() == [True, False, True]


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("row", [0, 3])
def test_what_is_no_number_in_either_pass_is_not_hidden_by_the_compiled_loss(row: int) -> None:
    logits = torch.zeros(4, 40, dtype=torch.bfloat16)
    logits[row, 39] = float("nan")
    _, _, apart = cross_entropy.turn(logits, None, torch.tensor([1, 2, 1, 2]), 0.9, 3.0)
    assert not apart.isfinite()


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("agreement", [0.0, 3.0])
def test_the_compiled_loss_does_not_depend_on_threads(agreement: float) -> None:
    torch.manual_seed(10)
    logits, target, before = torch.randn(100, 77).bfloat16(), torch.randint(0, 77, (100,)), torch.get_num_threads()
    results = []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        turned = logits.clone()
        results.append((turned, *cross_entropy.turn(turned, None, target, 0.9, agreement)))
    torch.set_num_threads(before)
    for one, other in zip(*results, strict=True):
        assert torch.equal(one, other)


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("shape", [(1, 1), (7, 9), (300, 257)])
@pytest.mark.parametrize("turned", [False, True])
def test_compiled_sums_of_gradients_are_those_of_torch(shape: tuple[int, int], turned: bool) -> None:
    torch.manual_seed(11)
    total = torch.randn(shape)
    part = torch.randn(shape[::-1]).bfloat16().t() if turned else torch.randn(shape).bfloat16()
    expected = total + part
    cross_entropy.add(total, part)
    assert torch.equal(total, expected)
