"""Takes secrets out of text: of recordings, of definitions, and of what the command line prints about a machine.

The rules are these three, here and nowhere else; docs/security.md says them for people.

- `names`: what a name and its value say, by whole words of the name.
- `forms`: what a text shows by itself: passwords in addresses, assignments, headers, tokens of known form.
- `Mask`: both, and every value that an environment holds under a name that says so.
"""

from jobtrail.masking.forms import mask_pair, mask_text
from jobtrail.masking.mask import Mask
from jobtrail.masking.names import MASKED, is_secret, is_secret_name

__all__ = ["MASKED", "Mask", "is_secret", "is_secret_name", "mask_pair", "mask_text"]
