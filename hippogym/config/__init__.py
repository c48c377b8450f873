"""The study's description: what may stand in config.yml, and how it is read."""

from hippogym.config.environment import Environment, environment
from hippogym.config.load import load_study
from hippogym.config.project import AwsSetup, Events, Project, Ssl
from hippogym.config.schema import SETTINGS, Setting, Study
from hippogym.config.trial import DEFAULT_UI, KNOWN_UI, Trial

__all__ = [
    "DEFAULT_UI",
    "KNOWN_UI",
    "SETTINGS",
    "AwsSetup",
    "Environment",
    "Events",
    "Project",
    "Setting",
    "Ssl",
    "Study",
    "Trial",
    "environment",
    "load_study",
]
