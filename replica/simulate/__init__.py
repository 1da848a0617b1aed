"""Simulate: experiments at finite size that confirm, or correct, the saddle point."""

from replica.simulate.action import ActionSamples, sample_action
from replica.simulate.attention import (
    attention_logits,
    directed_samples,
    masked_loss,
    star_samples,
    train_attention,
    train_row,
)
from replica.simulate.potts import PottsModel, zero_sum

__all__ = [
    "ActionSamples",
    "PottsModel",
    "attention_logits",
    "directed_samples",
    "masked_loss",
    "sample_action",
    "star_samples",
    "train_attention",
    "train_row",
    "zero_sum",
]
