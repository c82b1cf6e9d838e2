"""What is served over HTTP: the viewer and the depth service, and who may reach them.

Imports the pipeline and what is below it. Address and token need no library; the rest comes with the extra 'viewer'.
"""

from clipdepth.web.address import Address, parse_address
from clipdepth.web.allowed import Allowed, parse_host, parse_origin
from clipdepth.web.token import choose_token

__all__ = ["Address", "Allowed", "choose_token", "parse_address", "parse_host", "parse_origin"]
