"""What documents do that end the process that works on them: importable by that process."""

from __future__ import annotations

import os
import signal

from faktura.bootstrap import rendering
from faktura.documents.validation import Verdict

DEADLY = b"deadly"


def fall_or_judge(body: bytes) -> Verdict:
    """Ends its process, as a document does that needs more memory than there is; others are valid."""
    if DEADLY in body:
        os.kill(os.getpid(), signal.SIGKILL)
    return Verdict(number=body.decode(), syntax=str(os.getpid()), profile="", findings=(), left_out=(), done=(), not_done=())


def fall_or_render(job: rendering.Job) -> rendering.Done:
    """Makes the first files, and then ends its process."""
    if job.path.parent.exists() and any(not path.name.startswith(".") for path in job.path.parent.iterdir()):
        os.kill(os.getpid(), signal.SIGKILL)
    return rendering._work(job)


def fall(*_: object) -> None:
    """Ends its process, whatever it is asked."""
    os._exit(1)
