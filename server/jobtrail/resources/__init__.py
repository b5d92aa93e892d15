"""Resources: what can be read by address, as text or JSON, and watched while it changes."""

from jobtrail.resources.addresses import FORMATS, SCHEME, TEMPLATES, Address
from jobtrail.resources.reading import read
from jobtrail.resources.watching import Watching

__all__ = ["FORMATS", "SCHEME", "TEMPLATES", "Address", "Watching", "read"]
