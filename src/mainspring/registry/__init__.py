"""The registry: models and releases, their files and aliases.

A release pins exact versions of model, prompt, guard policy and parameters.
"""

from mainspring.registry.catalog import ancestors, engine_spec, file_hashes, load, register
from mainspring.registry.files import grant as grant_file
from mainspring.registry.files import granted as projects_with_file
from mainspring.registry.files import keep as keep_file
from mainspring.registry.files import require as require_file
from mainspring.registry.models import ModelContent, ModelFile, ModelVersion, Parameters, Patience, Release
from mainspring.registry.provider_service import Providers
from mainspring.registry.providers import Remote
from mainspring.registry.providers import headers as provider_headers
from mainspring.registry.providers import said as provider_said
from mainspring.registry.releases import load as load_release
from mainspring.registry.releases import require_deployable
from mainspring.registry.service import Models, Releases

__all__ = [
    "ModelContent",
    "ModelFile",
    "ModelVersion",
    "Models",
    "Parameters",
    "Patience",
    "Providers",
    "Release",
    "Releases",
    "Remote",
    "ancestors",
    "engine_spec",
    "file_hashes",
    "grant_file",
    "keep_file",
    "load",
    "load_release",
    "projects_with_file",
    "provider_headers",
    "provider_said",
    "register",
    "require_deployable",
    "require_file",
]
