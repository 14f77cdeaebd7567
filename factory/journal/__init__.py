"""The journal: every model call, durable before its reply is used, and never made twice.

One SQLite file, a run's own or shared by recipes. The key of a call covers all that can change its reply: the engine's
name (model and server), every message with its role, each sampling setting and the sample's seed. Replies that arrive
together are written in one transaction: an in-process engine's batch is in the journal whole or not at all, so what
remains to be asked after a kill is whole batches too, and they are formed again as they were.
"""

from tuneworks.factory.engines.batch_ledger import OpenBatch
from tuneworks.factory.journal.batches import Batches
from tuneworks.factory.journal.call import Call, Failure, key_of
from tuneworks.factory.journal.journaled import Journaled, Seen
from tuneworks.factory.journal.reading import Wrote, wrote
from tuneworks.factory.journal.replayed import Replayed
from tuneworks.factory.journal.store import Counts, Journal

__all__ = [
    "Batches",
    "Call",
    "Counts",
    "Failure",
    "Journal",
    "Journaled",
    "OpenBatch",
    "Replayed",
    "Seen",
    "Wrote",
    "key_of",
    "wrote",
]
