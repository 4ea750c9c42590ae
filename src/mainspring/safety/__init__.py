"""Safety: detectors of PII, secrets, prompt injection and toxicity, and the guard policies made of them.

Used by data preparation, serving and monitoring alike.
"""
