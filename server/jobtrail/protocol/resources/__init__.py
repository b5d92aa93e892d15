"""Resources: what can be read by address, as text or JSON, and watched while it changes."""

from jobtrail.protocol.resources.addresses import FORMATS, SCHEME, TEMPLATES, Address
from jobtrail.protocol.resources.reading import read_resource
from jobtrail.protocol.resources.watching import ResourceWatcher

__all__ = ["FORMATS", "SCHEME", "TEMPLATES", "Address", "ResourceWatcher", "read_resource"]
