"""A stage's thread."""

from collections.abc import Callable
from threading import Thread

from clipdepth.pipeline.slot import Stopped


def start_thread(
    kept: list[Thread],
    task: Callable[[], None],
    failed: Callable[[BaseException], None],
    ended: Callable[[], None] = lambda: None,
) -> None:
    """Run `task` in a thread of its name, which `kept` gets; then call `ended`, before that `failed` with its error."""

    def run() -> None:
        try:
            task()
        except Stopped:
            pass
        except BaseException as error:
            failed(error)
        finally:
            ended()

    # Daemons, which the interpreter does not wait for, since a read that blocks cannot be ended from outside.
    thread = Thread(target=run, name=f"clipdepth-{task.__name__.strip('_')}", daemon=True)
    # First kept and then started: Ctrl-C may come between.
    kept.append(thread)
    thread.start()
