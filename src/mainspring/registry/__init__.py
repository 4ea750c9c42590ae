"""The registry: models and releases, their files and aliases.

A release pins exact versions of model, prompt, guard policy and parameters.
"""
