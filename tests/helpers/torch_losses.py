"""cross_entropy of PyTorch, for a process of its own: PyTorch starts threads, and other tests fork."""


def cross_entropies(cases):
    """For each case (logits, target, grad, keywords) the loss and the gradient, with the classes along axis 1."""
    import torch

    results = []
    for logits, target, grad, keywords in cases:
        x = torch.tensor(logits, requires_grad=True)
        weight = torch.tensor(keywords["weight"])
        loss = torch.nn.functional.cross_entropy(x, torch.tensor(target), **{**keywords, "weight": weight})
        (slope,) = torch.autograd.grad(loss, x, torch.tensor(grad).broadcast_to(loss.shape))
        results.append((loss.detach().numpy(), slope.numpy()))
    return results
