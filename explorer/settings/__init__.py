"""explorer.toml: its records here, how it is read in `reader`, how one is written in `template`.

Importing this package loads the records alone, so that whoever only needs a type stays light.
"""

from explorer.settings.records import IMAGE_METHODS, DatasetSettings, ModelSettings, Role, Settings

__all__ = ["IMAGE_METHODS", "DatasetSettings", "ModelSettings", "Role", "Settings"]
