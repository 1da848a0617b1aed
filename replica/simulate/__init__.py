"""Simulate: experiments at finite size that confirm, or correct, the saddle point."""

from replica.simulate.action import ActionSamples, sample_action

__all__ = ["ActionSamples", "sample_action"]
