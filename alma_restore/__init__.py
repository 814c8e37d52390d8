"""The command ``alma-restore``, and the request desk from Python: ``from alma_restore import Desk``."""

from alma_restore.desk import Desk
from alma_restore.desk_models import Delivery, Preview, Request, Submitted

__all__ = ["Delivery", "Desk", "Preview", "Request", "Submitted"]
