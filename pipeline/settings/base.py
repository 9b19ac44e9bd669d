"""What every group of settings has in common."""

from __future__ import annotations

from pydantic_settings import BaseSettings, SettingsConfigDict


class Group(BaseSettings):
    """Settings of one part. Each is an environment variable with the prefix `CDR_`, or a line of `.env`."""

    model_config = SettingsConfigDict(env_prefix="CDR_", env_file=".env", extra="ignore")
