"""Section: a part of a recipe that is no plugin, checked strictly; its fields' docstrings are the reference."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, arbitrary_types_allowed=True)
