"""A model on its way to the workers of a cluster: each opens the same bundle, and verifies it on its own machine."""

from contextlib import ExitStack
from dataclasses import dataclass, replace

from clipdepth.bundle.box import portable
from clipdepth.bundle.folder import Bundle
from clipdepth.cluster.connection import LOCAL, Resources
from clipdepth.cluster.sent_bundle import SentBundle, bundle_sha256, open_meant, send
from clipdepth.errors import VerificationError
from clipdepth.model import DepthModel, load


@dataclass(frozen=True)
class SentModel:
    """What a worker loads."""

    bundle: str
    """See `box.portable`."""
    sha256: str
    """Of the bundle's manifest, which has those of all its files."""
    engine: str
    """'auto' until it is settled."""
    precision: str
    """Empty until it is settled."""
    threads: int
    """Of the engine."""
    device: int | None = None
    """The GPU's number, where one is named."""
    files: SentBundle | None = None
    """For workers that lack the bundle; None where every worker has it."""

    def load(self) -> DepthModel:
        """Load the model, which has to agree with PyTorch's depth on this machine.

        Raises VerificationError where depth differs, and what `open_meant` and `load` raise.
        """
        opened = open_meant(self.bundle, self.sha256, self.files)
        with ExitStack() as stack:
            model = load(
                opened,
                engine=self.engine,
                precision=self.precision or None,
                threads=self.threads,
                device=self.device,
            )
            stack.enter_context(model)
            agreement = model.verify()
            if not agreement.passed:
                raise VerificationError(f"{model.engine.name} {model.precision} on {model.engine.device}: {agreement}")
            stack.pop_all()
        return model

    def settled(self) -> "SentModel":
        """The same with an engine and a precision, tried on this machine for all; raises as `load`."""
        with self.load() as model:
            return replace(self, engine=model.engine.name, precision=model.precision)


def send_model(bundle: Bundle, engine: str, precision: str, resources: Resources) -> SentModel:
    """A model for workers of Ray, which has been joined. They fetch what they lack of the bundle."""
    sent = send(bundle) if resources.address != LOCAL else None
    return SentModel(portable(bundle.path), bundle_sha256(bundle), engine, precision, resources.threads, files=sent)


def settle(model: SentModel, resources: Resources) -> SentModel:
    """The same with an engine and a precision, tried on one worker for all; raises as `SentModel.load`."""
    import ray

    remote = ray.remote(SentModel.settled).options(num_cpus=resources.cpus, num_gpus=resources.gpus)
    try:
        settled: SentModel = ray.get(remote.remote(model))
    except ray.exceptions.RayTaskError as error:
        raise cause(error) from None
    return settled


def cause(error: BaseException) -> BaseException:
    """What a task of Ray's raised, without the traces of Ray's around it."""
    import ray

    while isinstance(error, ray.exceptions.RayTaskError):
        error = error.cause
    return error
